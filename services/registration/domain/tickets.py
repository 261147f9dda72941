"""Tickets of the waiting room, and admissions to the form: signed, so that nobody else makes them.

They hold numbers and times, nothing about a person.
"""

import base64
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.errors import Forbidden

TICKET = "waiting-ticket"
ADMISSION = "waiting-admission"
TICKET_LIFETIME = timedelta(hours=2)
"""How long a place is kept for somebody who went away."""
TOKEN_LENGTH_MAX = 2_000

Sign = Callable[[str, str], bytes]
"""Gives, for a purpose and a text, what only who holds the service's key can give."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Ticket:
    """What was drawn at the entrance; `key` is the one that its registration is sent with."""

    id: str
    stop_id: UUID
    key: str
    came_at: datetime
    seen_at: datetime
    opened_at: datetime | None = None
    """When the room opened, as it was when the ticket was looked at last."""

    def seen(self, opened_at: datetime | None, now: datetime) -> "Ticket":
        """Give the ticket as it is handed back."""
        return replace(self, seen_at=now, opened_at=opened_at)

    def sealed(self, sign: Sign) -> str:
        """Write it as a token."""
        opened = None if self.opened_at is None else _number(self.opened_at)
        claims = [self.id, self.stop_id.hex, self.key, _number(self.came_at), _number(self.seen_at)]
        return _sealed(TICKET, [*claims, opened], sign)


@dataclass(frozen=True, slots=True)
class Admission:
    """That the holder of a ticket may send the form once: with one key, until a moment."""

    ticket_id: str
    stop_id: UUID
    key: str
    until: datetime
    is_browsers: bool
    """Whether it counts together with the ticket, which lies in the browser's cookie."""

    def sealed(self, sign: Sign) -> str:
        """Write it as a token."""
        claims = [self.ticket_id, self.stop_id.hex, self.key, _number(self.until), self.is_browsers]
        return _sealed(ADMISSION, claims, sign)


def read_ticket(token: str, stop_id: UUID, sign: Sign, now: datetime) -> Ticket:
    """Read a ticket; raises `Forbidden` for one that is not ours, another stop's, or too old."""
    name, stop, key, came, seen, opened = _unsealed(TICKET, token, sign)
    ticket = Ticket(
        name, UUID(stop), key, _moment(came), _moment(seen), _moment(opened) if opened else None
    )
    if ticket.stop_id != stop_id:
        raise Forbidden("This ticket is for another stop.", code="ticket_refused")
    if now - ticket.seen_at >= TICKET_LIFETIME:
        raise Forbidden("This ticket is too old; draw another.", code="ticket_expired")
    return ticket


def read_admission(token: str, stop_id: UUID, sign: Sign, now: datetime) -> Admission:
    """Read an admission; raises `Forbidden` for one that is not ours, another stop's, or over."""
    ticket_id, stop, key, until, is_browsers = _unsealed(ADMISSION, token, sign)
    admission = Admission(ticket_id, UUID(stop), key, _moment(until), is_browsers)
    if admission.stop_id != stop_id:
        raise Forbidden("This admission is for another stop.", code="admission_refused")
    if now >= admission.until:
        raise Forbidden("The time of this admission is over.", code="admission_expired")
    return admission


def check_holder(admission: Admission, ticket: Ticket | None, key: str | None) -> None:
    """Let an admission count for who holds it; raises `Forbidden` for anybody else.

    A program shows the `key` it was given for; a form, whose key is the admission's own, the
    ticket of its browser.
    """
    is_theirs = (
        ticket is not None and ticket.id == admission.ticket_id
        if admission.is_browsers
        else key == admission.key
    )
    if not is_theirs or admission.is_browsers != (key is None):
        message = "This admission counts for the browser or the key it was given for."
        raise Forbidden(message, code="admission_refused")


def _sealed(purpose: str, claims: list[Any], sign: Sign) -> str:
    text = _text(json.dumps(claims, separators=(",", ":")).encode())
    return f"{text}.{_text(sign(purpose, text))}"


def _unsealed(purpose: str, token: str, sign: Sign) -> Any:
    text, _, signature = token.partition(".")
    # Compared as text: one signature has one way of writing it.
    if (
        len(token) > TOKEN_LENGTH_MAX
        or not token.isascii()
        or not hmac.compare_digest(signature, _text(sign(purpose, text)))
    ):
        kind = "ticket" if purpose == TICKET else "admission"
        raise Forbidden(f"This {kind} is not one of ours.", code=f"{kind}_refused")
    return json.loads(base64.urlsafe_b64decode(text + "=="))


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _number(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(number: int) -> datetime:
    return _EPOCH + number * _MICROSECOND
