"""Access: who somebody is, and who may do what. The one place where rights are decided."""

import base64
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic_core import from_json, to_json

from shared.errors import Forbidden, Unauthenticated

Role = Literal[
    "mission_staff",
    "partner_staff",
    "partner_system",
    "door_staff",
    "applicant",
    "delegate",
    "local",
    "interpreter",
    "screen",
    "service",
]
Purpose = Literal["session", "link"]

Action = Literal[
    "mission.write",
    "people.invite",
    "people.read",
    "list.export",
    "audit.read",
    "organization.merge",
    "registration.read",
    "registration.cancel",
    "registration.edit",
    "registration.decide",
    "check_in",
    "board.read",
    "schedule.write",
    "meeting.run",
    "preference.write",
    "recommendation.read",
    "quota.write",
    "exclusion.write",
    "veto.write",
    "veto.read",
    "veto.lift",
    "feedback.write",
    "outcome.read",
    "outcome.write",
    "live.me",
    "live.stop",
    "messages.choose",
    "messages.write",
    "contacts.read",
    "mailbox.read",
    "privacy.write",
    "privacy.export",
    "privacy.consent",
    "privacy.withdraw",
    "privacy.erase",
    "application.read",
    "application.write",
    "application.review",
    "application.decide",
    "key.write",
    "event.read",
    "webhook.write",
    "import.write",
    "connector.write",
]

LIFETIMES: dict[Purpose, timedelta] = {"session": timedelta(days=7), "link": timedelta(days=30)}
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who is signed in.

    `mission_id` None stands for every mission, for mission staff and services only.
    """

    role: Role
    subject: UUID
    mission_id: UUID | None = None
    stop_ids: tuple[UUID, ...] = ()
    partner_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What an action touches. A part that is None does not narrow the action."""

    mission_id: UUID | None = None
    stop_id: UUID | None = None
    person_ids: tuple[UUID, ...] = ()
    partner_id: UUID | None = None


Rule = Callable[[Principal, Scope], bool]


def _own_mission(who: Principal, scope: Scope) -> bool:
    return who.mission_id is None or who.mission_id == scope.mission_id


def _own_stop(who: Principal, scope: Scope) -> bool:
    return _own_mission(who, scope) and scope.stop_id in who.stop_ids


def _own_invitee(who: Principal, scope: Scope) -> bool:
    return (
        _own_stop(who, scope) and who.partner_id is not None and who.partner_id == scope.partner_id
    )


def _own_partner(who: Principal, scope: Scope) -> bool:
    return (
        _own_mission(who, scope)
        and who.partner_id is not None
        and who.partner_id == scope.partner_id
    )


def _self(who: Principal, scope: Scope) -> bool:
    return who.subject in scope.person_ids


def _own_mission_or_self(who: Principal, scope: Scope) -> bool:
    return _own_mission(who, scope) or _self(who, scope)


def _always(who: Principal, scope: Scope) -> bool:
    del who, scope
    return True


_STAFF: dict[Role, Rule] = {"mission_staff": _own_mission}
_STOP_STAFF: dict[Role, Rule] = _STAFF | {"partner_staff": _own_stop, "door_staff": _own_stop}
_OWN_PARTNER: dict[Role, Rule] = {"partner_staff": _own_partner, "partner_system": _own_partner}
_PEOPLE: dict[Role, Rule] = {"delegate": _self, "local": _self}
_EVERYBODY: dict[Role, Rule] = _PEOPLE | {
    "interpreter": _self,
    "partner_staff": _self,
    "door_staff": _self,
    "mission_staff": _self,
    "applicant": _self,
}
# The contact of a company that was selected has become a delegate.
_APPLYING: dict[Role, Rule] = {"applicant": _self, "delegate": _self}

POLICY: dict[Action, dict[Role, Rule]] = {
    "mission.write": _STAFF,
    "people.invite": _STAFF | {"partner_staff": _own_invitee},
    "people.read": _STAFF | {"partner_staff": _own_stop},
    "list.export": _STAFF | {"partner_staff": _own_stop},
    "audit.read": _STAFF,
    "organization.merge": _STAFF,
    "registration.read": _STOP_STAFF | _PEOPLE,
    "registration.cancel": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "registration.edit": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "registration.decide": _STAFF,
    "check_in": _STAFF | {"partner_staff": _own_invitee, "door_staff": _own_stop},
    "board.read": _STOP_STAFF,
    "schedule.write": _STAFF,
    "meeting.run": _STAFF | {"door_staff": _own_stop},
    "preference.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "recommendation.read": _STAFF | {"partner_staff": _own_stop} | _PEOPLE,
    "quota.write": _STAFF,
    "exclusion.write": _STAFF,
    # The partner of the scope is one that hosts the stop.
    "veto.write": {"partner_staff": _own_invitee},
    "veto.read": _STAFF | {"partner_staff": _own_invitee},
    "veto.lift": _STAFF,
    # The person of the scope is the one for whom somebody speaks.
    "feedback.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    # The persons are those who represent the two companies.
    "outcome.read": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "outcome.write": _STAFF | {"partner_staff": _own_invitee} | _PEOPLE,
    "live.me": _PEOPLE | {"interpreter": _self},
    "live.stop": _STOP_STAFF | {"screen": _own_stop},
    "messages.choose": _EVERYBODY,
    "messages.write": _STAFF,
    "contacts.read": {"service": _always},
    "mailbox.read": {"mission_staff": _always},
    "privacy.write": _STAFF,
    "privacy.export": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "privacy.consent": _EVERYBODY,
    "privacy.withdraw": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "privacy.erase": _EVERYBODY | {"mission_staff": _own_mission_or_self},
    "application.read": _STAFF | _APPLYING,
    "application.write": _APPLYING,
    "application.review": _STAFF,
    "application.decide": _STAFF,
    # The partner of the scope is the one whose key, feed, webhook, list or connection it is.
    "key.write": _STAFF | {"partner_staff": _own_partner},
    "event.read": _STAFF | _OWN_PARTNER,
    "webhook.write": _STAFF | _OWN_PARTNER,
    "import.write": _STAFF | {"partner_staff": _own_invitee, "partner_system": _own_invitee},
    "connector.write": _STAFF | {"partner_staff": _own_invitee},
}
"""Action, role, rule. What is not listed is forbidden."""


def may(who: Principal, action: Action, scope: Scope) -> bool:
    """Say whether `who` may do `action` within `scope`."""
    rule = POLICY[action].get(who.role)
    return rule is not None and rule(who, scope)


def require(who: Principal, action: Action, scope: Scope) -> None:
    """Raise `Forbidden` unless `who` may do `action` within `scope`."""
    if not may(who, action, scope):
        message = f"The role {who.role} may not do this ({action}) here."
        raise Forbidden(message)


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
        """Make a token for one purpose; a session lasts 7 days, a link 30."""
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
        # A rush needs one for each registration, and a reconnect storm reads one for each who comes
        # back: the library takes six to eight times as long.
        signed = _HEADER + b"." + _base64url(to_json(claims))
        return (signed + b"." + self._mac_of(signed)).decode()

    def read(self, token: str, purpose: Purpose) -> Principal:
        """Check signature, purpose and expiry (RFC 7519, 7.2); raises `Unauthenticated`.

        Only what `sign` writes is read: one header, and with it one algorithm.
        """
        claims = self._claims(token)
        if claims is None or claims["aud"] != purpose or claims["exp"] <= time.time():
            message = "This sign-in is not valid, or no longer. Ask for a new link."
            raise Unauthenticated(message)
        return Principal(
            role=claims["role"],
            subject=UUID(claims["sub"]),
            mission_id=UUID(claims["mission"]) if "mission" in claims else None,
            stop_ids=tuple(UUID(stop) for stop in claims["stops"]),
            partner_id=UUID(claims["partner"]) if "partner" in claims else None,
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
        claims: dict[str, Any] = from_json(base64.urlsafe_b64decode(content + b"=="))
        return claims
