from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.registration.domain.scans import (
    Holding,
    Outcome,
    Reason,
    Shown,
    happened,
    judge,
)

NINE = datetime(2026, 11, 9, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
PERSON = UUID(int=1)
FORUM = Holding(uuid4(), uuid4(), "confirmed", NINE, NINE + 3 * HOUR)
TALKS = Holding(uuid4(), uuid4(), "confirmed", NINE + 1.5 * HOUR, NINE + 6 * HOUR)
DINNER = Holding(uuid4(), uuid4(), "confirmed", NINE + 9 * HOUR, NINE + 12 * HOUR)


def shown(*holdings: Holding) -> Shown:
    return Shown(PERSON, holdings=holdings)


@pytest.mark.parametrize(
    ("hours", "meant"),
    [(-0.2, FORUM), (1.6, FORUM), (2.9, FORUM), (3.1, TALKS), (6.5, DINNER), (13, DINNER)],
)
def test_without_an_item_a_scan_is_about_what_is_on(hours: float, meant: Holding) -> None:
    verdict = judge(shown(FORUM, TALKS, DINNER), None, NINE + hours * HOUR)

    assert verdict.outcome is not Outcome.REFUSED or hours == 13
    assert verdict.holding == meant


def test_a_second_look_at_a_badge_finds_the_same_arrival() -> None:
    there = replace(FORUM, checked_in_at=NINE)

    verdict = judge(shown(there, TALKS), None, NINE + 2 * HOUR)

    assert (verdict.outcome, verdict.checked_in_at) == (Outcome.ALREADY, NINE)
    assert verdict.holding == there


def test_an_earlier_scan_that_comes_later_says_the_earlier_time() -> None:
    there = replace(FORUM, checked_in_at=NINE)

    verdict = judge(shown(there), None, NINE - HOUR)

    assert (verdict.outcome, verdict.checked_in_at) == (Outcome.ALREADY, NINE - HOUR)


@pytest.mark.parametrize("minutes", [-30, 0])
def test_a_scan_of_before_a_check_in_was_taken_back_is_no_arrival(minutes: int) -> None:
    undone = replace(FORUM, check_in_undone_at=NINE)
    at = NINE + timedelta(minutes=minutes)

    verdict = judge(shown(undone), None, at)
    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, Reason.CHECK_IN_UNDONE)

    anew = replace(undone, checked_in_at=NINE + HOUR)
    verdict = judge(shown(anew), None, at)
    assert (verdict.outcome, verdict.checked_in_at) == (Outcome.ALREADY, NINE + HOUR)


def test_a_scan_after_a_check_in_was_taken_back_is_a_new_arrival() -> None:
    undone = replace(FORUM, check_in_undone_at=NINE)

    verdict = judge(shown(undone), None, NINE + timedelta(seconds=1))

    assert (verdict.outcome, verdict.checked_in_at) == (
        Outcome.ACCEPTED,
        NINE + timedelta(seconds=1),
    )


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("pending_approval", Reason.NOT_CONFIRMED),
        ("waitlisted", Reason.WAITLISTED),
        ("offered", Reason.NOT_ACCEPTED),
        ("offer_expired", Reason.CANCELLED),
        ("rejected", Reason.REJECTED),
        ("cancelled", Reason.CANCELLED),
    ],
)
def test_who_has_no_place_is_refused_and_told_why(status: str, reason: Reason) -> None:
    verdict = judge(shown(replace(FORUM, status=status)), None, NINE)

    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, reason)


def test_a_place_that_is_confirmed_goes_before_one_that_is_not() -> None:
    waiting = replace(FORUM, status="waitlisted")

    assert judge(shown(waiting, TALKS), None, NINE + HOUR).holding == TALKS
    assert judge(shown(waiting, DINNER), None, NINE).reason is Reason.WAITLISTED


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (Shown(None), Reason.UNKNOWN_CODE),
        (replace(shown(FORUM), is_revoked=True), Reason.REVOKED_BADGE),
        (replace(shown(FORUM), is_erased=True, is_revoked=True), Reason.ERASED),
        (Shown(PERSON), Reason.OTHER_STOP),
        (Shown(PERSON, is_somebody_elses=True), Reason.NOT_YOUR_INVITEE),
    ],
)
def test_a_badge_that_opens_nothing_here_is_told_why(found: Shown, reason: Reason) -> None:
    verdict = judge(found, None, NINE)

    assert (verdict.outcome, verdict.reason, verdict.holding) == (Outcome.REFUSED, reason, None)


def test_an_item_that_was_chosen_is_the_one_that_counts() -> None:
    assert judge(shown(FORUM, TALKS), TALKS.programme_item_id, NINE).holding == TALKS
    assert judge(shown(FORUM), TALKS.programme_item_id, NINE).reason is Reason.OTHER_ITEM


def test_nobody_arrives_hours_before_the_door_opens() -> None:
    verdict = judge(shown(DINNER), DINNER.programme_item_id, NINE)

    assert (verdict.outcome, verdict.reason) == (Outcome.REFUSED, Reason.NOT_YET_OPEN)
    assert judge(shown(DINNER), None, NINE + 6 * HOUR).outcome is Outcome.ACCEPTED


def test_the_time_on_the_way_makes_no_scan_later_than_it_was() -> None:
    scanned = NINE - HOUR

    assert happened(scanned, NINE - timedelta(seconds=10), NINE) == scanned
    assert happened(scanned, NINE - timedelta(seconds=11), NINE) == scanned + timedelta(seconds=11)
    # A clock that is ahead is so by more than the way takes.
    assert happened(scanned, NINE + timedelta(seconds=5), NINE) == scanned - timedelta(seconds=5)


def test_a_clock_that_is_wrong_is_put_right_by_what_it_says_now() -> None:
    wrong = NINE - timedelta(days=400)

    assert happened(wrong, wrong + HOUR, NINE) == NINE - HOUR
    assert happened(NINE - HOUR, None, NINE) == NINE - HOUR
    assert happened(NINE + HOUR, None, NINE) == NINE
    # Put right between scanning and sending.
    assert happened(datetime(2000, 1, 1, tzinfo=UTC), NINE, NINE) == NINE
