"""Places: the states of a registration, and the decisions that change them."""

from datetime import datetime
from enum import StrEnum

from shared.errors import Conflict


class Status(StrEnum):
    """The state of a registration. Attendance is a fact beside it."""

    PENDING_APPROVAL = "pending_approval"
    CONFIRMED = "confirmed"
    WAITLISTED = "waitlisted"
    OFFERED = "offered"
    OFFER_EXPIRED = "offer_expired"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Decision(StrEnum):
    """What somebody decides about a registration."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"
    ACCEPT = "accept"
    """The person takes the place that was offered."""
    REINSTATE = "reinstate"
    """Staff takes a refusal or an end back: the registration stands in line again."""


HOLDS_A_PLACE = frozenset({Status.PENDING_APPROVAL, Status.CONFIRMED, Status.OFFERED})
IS_OVER = frozenset({Status.REJECTED, Status.CANCELLED, Status.OFFER_EXPIRED})

_OUTCOMES = {
    (Status.PENDING_APPROVAL, Decision.APPROVE): Status.CONFIRMED,
    (Status.PENDING_APPROVAL, Decision.REJECT): Status.REJECTED,
    (Status.WAITLISTED, Decision.REJECT): Status.REJECTED,
    (Status.OFFERED, Decision.REJECT): Status.REJECTED,
    (Status.PENDING_APPROVAL, Decision.CANCEL): Status.CANCELLED,
    (Status.CONFIRMED, Decision.CANCEL): Status.CANCELLED,
    (Status.WAITLISTED, Decision.CANCEL): Status.CANCELLED,
    (Status.OFFERED, Decision.CANCEL): Status.CANCELLED,
    (Status.OFFER_EXPIRED, Decision.CANCEL): Status.CANCELLED,
}

_EXPIRED = {
    Status.OFFERED: Status.OFFER_EXPIRED,
    Status.PENDING_APPROVAL: Status.CANCELLED,
}


def decided(status: Status, decision: Decision, *, requires_approval: bool) -> Status:
    """Give the state after a decision; raises `Conflict` where the state does not allow it.

    Who is reinstated waits: whether there is a place at once is for the line to say.
    """
    outcome: Status | None
    if decision is Decision.ACCEPT and status is Status.OFFERED:
        outcome = granted(requires_approval=requires_approval)
    elif decision is Decision.REINSTATE and status in IS_OVER:
        outcome = Status.WAITLISTED
    else:
        outcome = _OUTCOMES.get((status, decision))
    if outcome is None:
        raise Conflict(
            f"A registration that is {status} cannot be changed by: {decision}.",
            code="illegal_state",
        )
    return outcome


def granted(*, requires_approval: bool) -> Status:
    """Give the state of a registration that has been given a place."""
    return Status.PENDING_APPROVAL if requires_approval else Status.CONFIRMED


def expired(status: Status) -> Status:
    """Give the state of a registration whose place was held for as long as it may be."""
    return _EXPIRED[status]


def still_held(until: datetime | None, now: datetime) -> None:
    """Let an offer be taken; raises `Conflict` when its time is up."""
    if until is not None and now >= until:
        raise Conflict("The time to take this place is up.", code="offer_expired")


def is_open(opens_at: datetime | None, closes_at: datetime | None, now: datetime) -> None:
    """Let the public register; raises `Conflict` before the opening and after the close."""
    if opens_at is not None and now < opens_at:
        raise Conflict(f"Registration opens at {opens_at.isoformat()}.", code="not_open_yet")
    if closes_at is not None and now >= closes_at:
        raise Conflict(f"Registration closed at {closes_at.isoformat()}.", code="closed")


def arrived(status: Status) -> None:
    """Let somebody in; raises `Conflict` unless the registration is confirmed."""
    if status is not Status.CONFIRMED:
        raise Conflict(
            f"Only a confirmed registration can be checked in; this one is {status}.",
            code="not_confirmed",
        )
