"""Keys: what partners' systems sign in with, and how every service knows one.

`tw_live_`, then in base 62 the key's id, its secret of 32 bytes, and a checksum (CRC-32) of all
that stands before it: programs that search for leaked secrets know one when they see it, and what
was mistyped or cut off is refused before anybody is asked. After GitHub's tokens
(https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/).

Registration has the keys. The others ask it, and remember for half a minute what it said: that is
how long a key that was revoked may still open something there.
"""

import hashlib
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Self
from uuid import UUID

import httpx2

from shared.access import KeyScope, Principal, Tokens
from shared.authorities import authorities
from shared.errors import Busy, Unauthenticated
from shared.events.base import Facts

PREFIX = "tw_live_"
TOKEN_PREFIX = "tw_token_"  # noqa: S105  # what such a token begins with
"""Of the hour's tokens that are signed for a key."""
SECRET_BYTES = 32
CACHE_SECONDS = 30
CACHE_LENGTH_MAX = 10_000

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 22, 43, 6
_LENGTH = len(PREFIX) + _ID_LENGTH + _SECRET_LENGTH + _CHECK_LENGTH

State = Literal["valid", "unknown", "revoked", "expired"]
REFUSALS: dict[State, str] = {
    "unknown": "There is no such key.",
    "revoked": "This key was revoked.",
    "expired": "This key has expired.",
}


class Holder(Facts):
    """Whose a key is, and what it opens."""

    mission_id: UUID
    partner_id: UUID
    stop_ids: tuple[UUID, ...]
    scopes: tuple[KeyScope, ...]
    expires_at: datetime | None = None


class Standing(Facts):
    """What registration says of a key: its holder while it is valid."""

    state: State
    holder: Holder | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A key as somebody shows it, without its secret."""

    key_id: UUID
    digest: bytes | None
    """SHA-256 of the secret; None: a token that was signed for the key stands for it."""


Ask = Callable[[Shown], Awaitable[Standing]]


def written(key_id: UUID, secret: bytes) -> str:
    """Write a key for who gets it; the secret is 32 random bytes."""
    text = PREFIX + _in_base62(key_id.int, _ID_LENGTH)
    text += _in_base62(int.from_bytes(secret), _SECRET_LENGTH)
    return text + _checksum(text)


def digest_of(secret: bytes) -> bytes:
    """Give what is kept of a secret. It is random throughout: no slow hash is needed."""
    return hashlib.sha256(secret).digest()


def shown(text: str) -> Shown:
    """Read a key; raises `Unauthenticated` for one that is cut off or mistyped."""
    signed, check = text[:-_CHECK_LENGTH], text[-_CHECK_LENGTH:]
    if len(text) != _LENGTH or not text.startswith(PREFIX):
        raise Unauthenticated("This key is not whole.", code="key_malformed")
    if _checksum(signed) != check:
        raise Unauthenticated("This key is mistyped: its checksum differs.", code="key_malformed")
    digits = signed.removeprefix(PREFIX)
    try:
        key_id = UUID(int=_of_base62(digits[:_ID_LENGTH]))
        secret = _of_base62(digits[_ID_LENGTH:]).to_bytes(SECRET_BYTES)
    except (ValueError, OverflowError):
        # The checksum is no secret: whoever makes one up is told the same.
        raise Unauthenticated("This key is mistyped.", code="key_malformed") from None
    return Shown(key_id, digest_of(secret))


class Keyring:
    """Says who a key stands for, and remembers it for a while."""

    def __init__(self, ask: Ask, seconds: float = CACHE_SECONDS) -> None:
        self._ask = ask
        self._seconds = seconds
        self._known: dict[Shown, tuple[float, Standing]] = {}

    @classmethod
    @asynccontextmanager
    async def connect(cls, base_url: str, tokens: Tokens) -> AsyncIterator[Self]:
        """Ask registration at `base_url`; closes the client at the end."""
        async with httpx2.AsyncClient(base_url=base_url, timeout=5, verify=authorities()) as client:
            yield cls(_asking(client, tokens))

    async def holder(self, text: str) -> Principal:
        """Say who a key stands for; raises `Unauthenticated`, or `Busy` while nobody can say."""
        return await self._principal(shown(text))

    async def still(self, who: Principal) -> Principal:
        """Say what a token's key opens now, of what the token was signed for; else the same."""
        found = await self._principal(Shown(who.subject, None))
        return replace(found, scopes=tuple(one for one in who.scopes if one in found.scopes))

    async def _principal(self, key: Shown) -> Principal:
        standing = await self._standing(key)
        holder = standing.holder
        state = standing.state
        if holder and holder.expires_at and holder.expires_at <= datetime.now(UTC):
            state = "expired"
        if state != "valid" or holder is None:
            raise Unauthenticated(REFUSALS[state], code=f"key_{state}")
        return Principal(
            role="partner_system",
            subject=key.key_id,
            mission_id=holder.mission_id,
            stop_ids=holder.stop_ids,
            partner_id=holder.partner_id,
            scopes=holder.scopes,
        )

    async def _standing(self, key: Shown) -> Standing:
        known = self._known.get(key)
        if known and known[0] > time.monotonic() - self._seconds:
            return known[1]
        # Before the question: an answer is as old as that.
        asked_at = time.monotonic()
        standing = await self._ask(key)
        if len(self._known) >= CACHE_LENGTH_MAX:
            self._known.clear()
        self._known[key] = (asked_at, standing)
        return standing


async def nobody(key: Shown) -> Standing:
    """Know no key at all, where no service brought a keyring."""
    del key
    return Standing(state="unknown")


def _asking(client: httpx2.AsyncClient, tokens: Tokens) -> Ask:
    async def ask(key: Shown) -> Standing:
        try:
            answer = await client.post(
                "/internal/keys",
                json={"id": str(key.key_id), "digest": key.digest.hex() if key.digest else None},
                headers=tokens.between_services(datetime.now(UTC)),
            )
            answer.raise_for_status()
        except httpx2.HTTPError:
            raise Busy("Keys cannot be looked up for now.", code="unavailable") from None
        return Standing.model_validate(answer.json())

    return ask


def _checksum(text: str) -> str:
    return _in_base62(zlib.crc32(text.encode()), _CHECK_LENGTH)


def _in_base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))


def _of_base62(text: str) -> int:
    """Read a number; raises `ValueError` for what is no digit."""
    number = 0
    for digit in text:
        number = number * len(_DIGITS) + _DIGITS.index(digit)
    return number
