from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.registration.domain.reviews import (
    check_complete,
    check_stands,
    may_see,
    verdict,
    weighted_mean,
)
from shared.errors import Conflict, Invalid

FIT, PLAN = uuid4(), uuid4()
WEIGHTS = {FIT: 60, PLAN: 40}


def test_a_mean_counts_each_criterion_by_its_weight() -> None:
    assert weighted_mean({FIT: 5, PLAN: 2}, WEIGHTS) == pytest.approx(3.8)


def test_every_reviewer_counts_the_same() -> None:
    found = verdict([{FIT: 5, PLAN: 5}, {FIT: 3, PLAN: 3}, {FIT: 4, PLAN: 4}], WEIGHTS)
    assert found.mean == pytest.approx(4)


def test_nobody_has_an_opinion_before_the_first_review() -> None:
    found = verdict([], WEIGHTS)
    assert (found.mean, found.overall, found.is_disputed) == (None, None, False)


@pytest.mark.parametrize(
    ("ours", "theirs", "disputed", "overall"),
    [
        ({FIT: 4, PLAN: 3}, {FIT: 3, PLAN: 4}, set(), False),
        ({FIT: 4, PLAN: 3}, {FIT: 4, PLAN: 1}, {PLAN}, False),
        ({FIT: 5, PLAN: 4}, {FIT: 4, PLAN: 3}, set(), False),
        ({FIT: 5, PLAN: 5}, {FIT: 2, PLAN: 2}, {FIT, PLAN}, True),
    ],
)
def test_two_points_apart_are_a_disagreement_and_one_is_none(
    ours: dict[UUID, int], theirs: dict[UUID, int], disputed: set[UUID], overall: bool
) -> None:
    found = verdict([ours, theirs], WEIGHTS)
    assert {key for key, one in found.by_criterion.items() if one.is_disputed} == disputed
    assert found.overall is not None
    assert found.overall.is_disputed == overall
    assert found.is_disputed == (bool(disputed) or overall)


scores = st.fixed_dictionaries({FIT: st.integers(1, 5), PLAN: st.integers(1, 5)})


@given(st.lists(scores, min_size=1, max_size=6))
def test_a_verdict_lies_within_the_reviews_it_sums_up(given_: list[dict[UUID, int]]) -> None:
    found = verdict(given_, WEIGHTS)
    means = [weighted_mean(one, WEIGHTS) for one in given_]
    assert found.mean is not None
    assert found.overall is not None
    assert min(means) - 1e-9 <= found.mean <= max(means) + 1e-9
    assert 0 <= found.overall.width <= 4
    assert found.is_disputed >= any(
        abs(a[criterion] - b[criterion]) > 1 for a in given_ for b in given_ for criterion in a
    )


@pytest.mark.parametrize(
    "given_", [[], [FIT], [FIT, FIT, PLAN], [FIT, PLAN, uuid4()], [FIT, uuid4()]]
)
def test_a_review_scores_every_criterion_once(given_: list[UUID]) -> None:
    with pytest.raises(Invalid):
        check_complete(given_, WEIGHTS)
    check_complete([PLAN, FIT], WEIGHTS)


def test_others_are_seen_after_ones_own_or_when_all_is_over() -> None:
    assert may_see(has_reviewed=True, is_reviewable=True)
    assert may_see(has_reviewed=False, is_reviewable=False)
    assert not may_see(has_reviewed=False, is_reviewable=True)


def test_who_has_seen_the_others_by_abstaining_scores_no_more() -> None:
    check_stands(was_abstention=False)
    with pytest.raises(Conflict):
        check_stands(was_abstention=True)
