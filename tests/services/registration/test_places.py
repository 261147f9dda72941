from itertools import product

import pytest

from services.registration.domain.places import Decision, Status, arrived, decided, granted
from shared.errors import Conflict

PENDING, CONFIRMED, WAITLISTED, OFFERED, OFFER_EXPIRED, REJECTED, CANCELLED = (
    Status.PENDING_APPROVAL,
    Status.CONFIRMED,
    Status.WAITLISTED,
    Status.OFFERED,
    Status.OFFER_EXPIRED,
    Status.REJECTED,
    Status.CANCELLED,
)
TABLE = {
    PENDING: {Decision.APPROVE: CONFIRMED, Decision.REJECT: REJECTED, Decision.CANCEL: CANCELLED},
    CONFIRMED: {Decision.CANCEL: CANCELLED},
    WAITLISTED: {Decision.REJECT: REJECTED, Decision.CANCEL: CANCELLED},
    OFFERED: {
        Decision.ACCEPT: CONFIRMED,
        Decision.REJECT: REJECTED,
        Decision.CANCEL: CANCELLED,
    },
    OFFER_EXPIRED: {Decision.REINSTATE: WAITLISTED, Decision.CANCEL: CANCELLED},
    REJECTED: {Decision.REINSTATE: WAITLISTED},
    CANCELLED: {Decision.REINSTATE: WAITLISTED},
}


@pytest.mark.parametrize(("status", "decision"), list(product(Status, Decision)))
def test_a_decision_leads_where_the_table_says_or_is_refused(
    status: Status, decision: Decision
) -> None:
    if decision in TABLE[status]:
        assert decided(status, decision, requires_approval=False) is TABLE[status][decision]
        return
    with pytest.raises(Conflict) as refused:
        decided(status, decision, requires_approval=False)
    assert refused.value.code == "illegal_state"


def test_an_offer_that_is_taken_still_needs_the_approval_its_item_asks_for() -> None:
    assert decided(OFFERED, Decision.ACCEPT, requires_approval=True) is PENDING


def test_every_state_has_an_exit() -> None:
    assert all(TABLE[status] for status in Status)


def test_a_place_is_confirmed_at_once_unless_somebody_must_approve() -> None:
    assert granted(requires_approval=False) is CONFIRMED
    assert granted(requires_approval=True) is PENDING


@pytest.mark.parametrize("status", sorted(set(Status) - {CONFIRMED}))
def test_nobody_arrives_without_a_confirmed_place(status: Status) -> None:
    arrived(CONFIRMED)
    with pytest.raises(Conflict) as refused:
        arrived(status)
    assert refused.value.code == "not_confirmed"
