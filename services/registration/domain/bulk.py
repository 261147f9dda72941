"""One decision about many registrations: which it can be, and which states allow it."""

from collections.abc import Mapping

from services.registration.domain.places import Decision, Status, decided
from shared.errors import Conflict

OUTCOMES: Mapping[Decision, Status] = {
    Decision.APPROVE: Status.CONFIRMED,
    Decision.REJECT: Status.REJECTED,
    Decision.CANCEL: Status.CANCELLED,
}
"""What can be decided about many at once, and the state that each then has."""


def is_there(status: Status, decision: Decision) -> bool:
    """Say whether a decision has nothing left to do."""
    return OUTCOMES[decision] is status


def allows(status: Status, decision: Decision) -> bool:
    """Say whether a state allows a decision, or has it behind it."""
    if is_there(status, decision):
        return True
    try:
        decided(status, decision, requires_approval=True)
    except Conflict:
        return False
    return True
