"""Places: the states of a registration, and the decisions that change them."""

from enum import StrEnum

from shared.errors import Conflict


class Status(StrEnum):
    """The state of a registration. Attendance is a fact beside it."""

    PENDING_APPROVAL = "pending_approval"
    CONFIRMED = "confirmed"
    WAITLISTED = "waitlisted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class Decision(StrEnum):
    """What somebody decides about a registration."""

    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"


HOLDS_A_PLACE = frozenset({Status.PENDING_APPROVAL, Status.CONFIRMED})

_OUTCOMES = {
    (Status.PENDING_APPROVAL, Decision.APPROVE): Status.CONFIRMED,
    (Status.PENDING_APPROVAL, Decision.REJECT): Status.REJECTED,
    (Status.WAITLISTED, Decision.REJECT): Status.REJECTED,
    (Status.PENDING_APPROVAL, Decision.CANCEL): Status.CANCELLED,
    (Status.CONFIRMED, Decision.CANCEL): Status.CANCELLED,
    (Status.WAITLISTED, Decision.CANCEL): Status.CANCELLED,
}


def decided(status: Status, decision: Decision) -> Status:
    """Give the state after a decision; raises `Conflict` where the state does not allow it."""
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


def arrived(status: Status) -> None:
    """Let somebody in; raises `Conflict` unless the registration is confirmed."""
    if status is not Status.CONFIRMED:
        raise Conflict(
            f"Only a confirmed registration can be checked in; this one is {status}.",
            code="not_confirmed",
        )
