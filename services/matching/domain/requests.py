"""Requests: one asks, the other answers before the time is up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.errors import Conflict, Fault, Invalid
from shared.events.matching import RequestOrigin, RequestStatus

Answer = Literal["accept", "decline", "cancel"]
Turn = Literal["add", "supersede", "accept"]

VALID = timedelta(days=7)
"""How long a request waits for an answer, unless it says something else."""
VALID_MAX = timedelta(days=90)

_OUTCOMES: Mapping[tuple[RequestStatus, Answer], RequestStatus] = {
    ("pending", "accept"): "accepted",
    ("pending", "decline"): "declined",
    ("pending", "cancel"): "cancelled",
    ("accepted", "cancel"): "cancelled",
}


@dataclass(frozen=True, slots=True)
class Author:
    """Who states something: the person whom it concerns, or staff on that person's behalf."""

    id: UUID
    role: str


def status_at(status: RequestStatus, expires_at: datetime, now: datetime) -> RequestStatus:
    """Give the state of a request at a time, whether or not that was written already."""
    return "expired" if status == "pending" and expires_at <= now else status


def answered(status: RequestStatus, answer: Answer) -> RequestStatus:
    """Give a request's state after an answer; raises `Conflict` where its state forbids it."""
    outcome = _OUTCOMES.get((status, answer))
    if outcome is None:
        raise Conflict(
            f"A request that is {status} cannot be changed by: {answer}.", code="illegal_state"
        )
    return outcome


def turn(status: RequestStatus | None, *, is_own: bool) -> Turn:
    """Say what a new request does to an open one of the pair, or to none.

    One's own is superseded. The other side's is accepted: both want it. Raises `Conflict` where the
    two have agreed already.
    """
    if status == "accepted":
        raise Conflict("These two have agreed to meet already.", code="already_requested")
    if status is None:
        return "add"
    return "supersede" if is_own else "accept"


def expiry(wanted: datetime | None, now: datetime) -> datetime:
    """Give when a request expires; raises `Invalid` for the past and what is too far away."""
    if wanted is None:
        return now + VALID
    if not now < wanted <= now + VALID_MAX:
        fault = Fault("/expires_at", f"This is within the next {VALID_MAX.days} days.")
        raise Invalid("A request expires later, and not too late.", faults=[fault])
    return wanted


def origin(
    asked_by: UUID | None, participant_id: UUID, *, is_recommended: bool = False
) -> RequestOrigin:
    """Say whether the organiser asked, or somebody who followed a recommendation, or did not."""
    if asked_by not in (None, participant_id):
        return "organizer"
    return "recommendation" if is_recommended else "participant"
