from typing import get_args
from uuid import UUID

import pytest

from services.matching.domain.requests import Answer, answered
from services.matching.domain.wishes import PreferenceKind, Wish, Wishes
from shared.errors import Conflict
from shared.events.matching import RequestStatus

A, B, C = UUID(int=1), UUID(int=2), UUID(int=3)
ANSWERS = {
    ("pending", "accept"): "accepted",
    ("pending", "decline"): "declined",
    ("pending", "cancel"): "cancelled",
    ("accepted", "cancel"): "cancelled",
}


@pytest.mark.parametrize("status", get_args(RequestStatus))
@pytest.mark.parametrize("answer", get_args(Answer))
def test_a_request_is_answered_as_the_table_says(status: RequestStatus, answer: Answer) -> None:
    if (status, answer) in ANSWERS:
        assert answered(status, answer) == ANSWERS[status, answer]
    else:
        with pytest.raises(Conflict) as refused:
            answered(status, answer)
        assert refused.value.code == "illegal_state"


@pytest.mark.parametrize("other", ["must_meet", "meet", "request"])
def test_one_no_refuses_the_pair_whatever_the_other_says(other: PreferenceKind) -> None:
    wishes = Wishes([Wish(A, B, "no_thanks"), Wish(B, A, other)])

    assert wishes.is_refused(A, B)
    assert wishes.is_refused(B, A)
    assert not wishes.is_refused(A, C)


def test_whose_no_it_was_is_kept_apart() -> None:
    wishes = Wishes([Wish(A, B, "no_thanks"), Wish(B, A, "meet")])

    assert wishes.is_refused_by(A, B)
    assert not wishes.is_refused_by(B, A)


def test_wishes_of_both_add_up_and_a_must_outweighs_a_request_and_a_meet() -> None:
    meet, request, must = (
        Wishes([Wish(A, B, k)]).worth(A, B) for k in ("meet", "request", "must_meet")
    )

    assert 0 < meet < request < must
    both = Wishes([Wish(A, B, "must_meet"), Wish(B, A, "meet"), Wish(A, C, "meet")])
    assert both.worth(A, B) == both.worth(B, A) == must + meet
    assert Wishes([]).worth(A, B) == 0


def test_wishes_to_meet_are_listed_strongest_first_without_a_no() -> None:
    wishes = Wishes(
        [
            Wish(A, C, "meet"),
            Wish(B, C, "no_thanks"),
            Wish(C, A, "request"),
            Wish(B, A, "must_meet"),
        ]
    )

    assert [wish.kind for wish in wishes.positive()] == ["must_meet", "request", "meet"]
