"""Tokens: what somebody who is signed in, or is about to, shows for it."""

import base64
import hmac
import time
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic_core import from_json, to_json

from shared.access.who import Principal
from shared.errors import Unauthenticated
from shared.ids import read_id

Purpose = Literal["session", "link", "system", "calendar"]

LIFETIMES: dict[Purpose, timedelta] = {
    "session": timedelta(days=7),
    "link": timedelta(days=30),
    "system": timedelta(hours=1),
    # As long as a mission is prepared: who subscribed does not know that an address ends.
    "calendar": timedelta(days=400),
}
SECOND = timedelta(seconds=1)
SERVICE = UUID(int=0)


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


_HEADER = _base64url(b'{"alg":"HS256","typ":"JWT"}')


class Tokens:
    """Signs and reads tokens: JWT (RFC 7519) with HMAC-SHA-256.

    They carry ids and a role, nothing about a person.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._mac = hmac.new(key.encode(), digestmod="sha256")

    def digest(self, purpose: str, text: str) -> bytes:
        """Give 32 bytes for a text that only who holds the key can give."""
        return hmac.digest(self._key.encode(), f"{purpose}\n{text}".encode(), "sha256")

    def sign(self, who: Principal, purpose: Purpose, now: datetime) -> str:
        """Make a token for one purpose; how long it lasts is in `LIFETIMES`."""
        claims: dict[str, object] = {
            "aud": purpose,
            "iat": (since := int(now.timestamp())),
            "exp": since + LIFETIMES[purpose] // SECOND,
            "sub": str(who.subject),
            "role": who.role,
            "stops": [str(stop) for stop in who.stop_ids],
        }
        if who.mission_id:
            claims["mission"] = str(who.mission_id)
        if who.partner_id:
            claims["partner"] = str(who.partner_id)
        if who.scopes:
            claims["scope"] = " ".join(who.scopes)
        # A rush needs one for each registration, and a reconnect storm reads one for each who comes
        # back: the library takes six to eight times as long.
        signed = _HEADER + b"." + _base64url(to_json(claims))
        return (signed + b"." + self._mac_of(signed)).decode()

    def between_services(self, now: datetime) -> dict[str, str]:
        """Give the header with which one service asks another's internal API."""
        token = self.sign(Principal(role="service", subject=SERVICE), "session", now)
        return {"Authorization": f"Bearer {token}"}

    def read(self, token: str, purpose: Purpose) -> Principal:
        """Check signature, purpose and expiry (RFC 7519, 7.2); raises `Unauthenticated`.

        Only what `sign` writes is read: one header, and with it one algorithm.
        """
        claims = self._claims(token)
        if claims is None or claims["aud"] != purpose or claims["exp"] <= time.time():
            message = "This sign-in is not valid, or no longer. Ask for a new one."
            raise Unauthenticated(message)
        return Principal(
            role=claims["role"],
            subject=read_id(claims["sub"]),
            mission_id=read_id(claims["mission"]) if "mission" in claims else None,
            stop_ids=tuple(read_id(stop) for stop in claims["stops"]),
            partner_id=read_id(claims["partner"]) if "partner" in claims else None,
            scopes=tuple(claims["scope"].split()) if "scope" in claims else (),
        )

    def _mac_of(self, signed: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(signed)
        return _base64url(mac.digest())

    def _claims(self, token: str) -> dict[str, Any] | None:
        """Give what a token says, if it was signed here."""
        # What is not ASCII is no base64 either, and no mac of ours.
        signed, _, mac = token.encode("ascii", "replace").rpartition(b".")
        header, _, content = signed.partition(b".")
        if header != _HEADER or not hmac.compare_digest(self._mac_of(signed), mac):
            return None
        # Nobody's id is kept for the next who brings the same.
        claims: dict[str, Any] = from_json(
            base64.urlsafe_b64decode(content + b"=="), cache_strings="keys"
        )
        return claims
