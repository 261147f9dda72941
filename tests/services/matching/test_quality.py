"""The quality of a version: figures by their definitions."""

from datetime import UTC, datetime
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.matching.domain.ground import Room
from services.matching.domain.options import Point
from services.matching.domain.problem import Quota
from services.matching.domain.quality import Quality, Setting, gini, judged
from services.matching.domain.slots import Break, slots_of
from services.matching.domain.versions import Entry
from services.matching.domain.wishes import CompanyWish, Wish, Wishes
from services.matching.pages.quality import verdict

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
DORA, DAVE = (UUID(int=n) for n in (1, 2))
LIN, LUO, LIU = (UUID(int=n) for n in (11, 12, 13))
T1, T2 = (UUID(int=n) for n in (21, 22))
IVY, IAN = (UUID(int=n) for n in (31, 32))
MORNING = UUID(int=41)
FIRM = UUID(int=51)
SLOTS = slots_of(START, 25, 6, [Break(after_slot=3, minutes=30)])
ROOM = Room(
    MORNING,
    SLOTS,
    {T1: Point(T1, None), T2: Point(T2, SLOTS[4].starts_at)},
    frozenset({DORA, DAVE, LIN, LUO, LIU}),
)


def entry(
    delegate: UUID, local: UUID, slot: int, point: UUID = T1, helper: UUID | None = None
) -> Entry:
    at = SLOTS[slot - 1]
    return Entry(
        session_id=MORNING,
        delegate_id=delegate,
        local_id=local,
        starts_at=at.starts_at,
        ends_at=at.ends_at,
        point_id=point,
        interpreter_id=helper,
        interpreter_needed=helper is not None,
    )


def quality(*entries: Entry, **facts: Any) -> Quality:
    setting: dict[str, Any] = {
        "people": {
            DORA: "delegation",
            DAVE: "delegation",
            LIN: "local",
            LUO: "local",
            LIU: "local",
        },
        "wishes": Wishes([]),
        "elsewhere": frozenset(),
        "quotas": {},
        "rooms": {MORNING: ROOM},
        "helpers": [IVY, IAN],
        **facts,
    }
    return judged(entries, Setting(**setting))


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30))
def test_gini_is_half_the_relative_mean_difference(counts: list[int]) -> None:
    mean = sum(counts) / len(counts)
    difference = sum(abs(one - other) for one, other in product(counts, counts))
    expected = difference / (2 * len(counts) ** 2 * mean) if mean else 0

    assert gini(counts) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 30), st.integers(1, 20))
def test_gini_is_nothing_where_all_have_as_many_and_most_where_one_has_all(
    people: int, meetings: int
) -> None:
    assert gini([meetings] * people) == pytest.approx(0)
    assert gini([meetings, *[0] * (people - 1)]) == pytest.approx(1 - 1 / people)
    assert gini([]) == gini([0] * people) == 0


def test_wishes_are_counted_by_kind_and_say_why_they_are_unmet() -> None:
    wishes = Wishes(
        [
            Wish(DORA, LIN, "must_meet"),
            Wish(LIN, DORA, "meet"),
            Wish(DAVE, LUO, "must_meet"),
            Wish(DAVE, LIU, "request"),
            Wish(DORA, LUO, "no_thanks"),
        ],
        [CompanyWish(DAVE, FIRM, "meet"), CompanyWish(DORA, FIRM, "meet")],
        {LIN: FIRM, LUO: UUID(int=52)},
    )
    found = quality(
        entry(DORA, LIN, 1),
        wishes=wishes,
        reasons={(DAVE, LUO): "no_common_time", (DAVE, FIRM): "enough_meetings"},
        left_out=frozenset([frozenset((DAVE, LIU))]),
    )

    assert [(one.kind, one.stated, one.met) for one in found.wishes] == [
        ("must_meet", 2, 1),
        ("request", 1, 0),
        ("meet", 3, 2),
    ]
    assert [(one.kind, one.participant_id, one.code) for one in found.unmet] == [
        ("must_meet", DAVE, "no_common_time"),
        ("request", DAVE, "left_out"),
        ("meet", DAVE, "enough_meetings"),
    ]


def test_a_wish_fulfilled_at_another_stop_is_fulfilled() -> None:
    elsewhere = frozenset([frozenset((DORA, LIN))])
    found = quality(wishes=Wishes([Wish(LIN, DORA, "meet")]), elsewhere=elsewhere)

    assert found.unmet == ()
    assert found.wishes[2].met == 1


def test_a_wish_stated_since_has_no_reason_yet() -> None:
    (unmet,) = quality(wishes=Wishes([Wish(LIN, DORA, "meet")])).unmet

    assert unmet.code == "not_scheduled"


def test_meetings_are_spread_over_everybody_with_a_place() -> None:
    found = quality(entry(DORA, LIN, 1), entry(DORA, LUO, 2), entry(DAVE, LIN, 2, T2))
    delegation, local = found.sides

    assert (delegation.people, delegation.meetings, delegation.mean) == (2, 3, 1.5)
    assert (delegation.least, delegation.most, delegation.worst_off) == (1, 2, (DAVE,))
    assert delegation.gini == pytest.approx(1 / 6)
    assert (local.without, local.least, local.worst_off) == (1, 0, (LIU,))


def test_minima_count_who_has_them_and_name_who_has_not() -> None:
    quotas = {DORA: Quota(minimum=1), DAVE: Quota(minimum=1), LIN: Quota(minimum=0, maximum=4)}
    found = quality(entry(DORA, LIN, 1), quotas=quotas).guaranteed

    assert (found.people, found.kept, found.short) == (2, 1, (DAVE,))


def test_who_has_more_than_allowed_is_named_with_both_numbers() -> None:
    entries = [entry(DORA, LIN, 1), entry(DORA, LUO, 2), entry(DAVE, LIN, 3)]
    assert quality(*entries).exceeded == ()
    quotas = {DORA: Quota(maximum=1), DAVE: Quota(maximum=1), LIN: Quota(maximum=0)}
    found = quality(*entries, quotas=quotas)

    assert [(one.participant_id, one.meetings, one.maximum) for one in found.exceeded] == [
        (DORA, 2, 1),
        (LIN, 2, 0),
    ]
    assert verdict(found) == "quality_verdict_exceeded"
    assert verdict(quality(*entries)) != "quality_verdict_exceeded"


def test_waiting_is_counted_in_runs_and_a_planned_break_is_none() -> None:
    # 1, then 4: two slots go by; 4 follows 3 over the break.
    found = quality(entry(DORA, LIN, 1), entry(DORA, LUO, 4), entry(DORA, LIU, 5, T2)).days
    over_the_break = quality(entry(DORA, LIN, 3), entry(DORA, LUO, 4)).days

    assert (found.breaks, found.idle_slots, found.most_breaks) == (1, 2, 1)
    assert found.table_changes == 1
    assert found.people == 4
    assert (over_the_break.breaks, over_the_break.idle_slots) == (0, 0)


def test_everybodys_part_is_told_the_worst_off_first() -> None:
    wishes = Wishes([Wish(LIU, DORA, "meet"), Wish(DORA, LIN, "must_meet")])
    found = quality(entry(DORA, LIN, 1), entry(DORA, LUO, 3, T2), wishes=wishes).personal

    assert [(one.participant_id, one.meetings) for one in found] == [
        (DAVE, 0),
        (LIU, 0),
        (LIN, 1),
        (LUO, 1),
        (DORA, 2),
    ]
    dora, liu = found[-1], found[1]
    assert (dora.breaks, dora.idle_slots, dora.table_changes) == (1, 1, 1)
    assert (dora.wishes, dora.wishes_met, liu.wishes, liu.wishes_met) == (1, 1, 1, 0)


def test_interpreters_have_a_pause_where_the_session_has_one() -> None:
    found = quality(
        entry(DORA, LIN, 1, T1, IVY),
        entry(DORA, LUO, 2, T1, IVY),
        entry(DORA, LIU, 3, T1, IVY),
        entry(DAVE, LIN, 4, T1, IVY),
        entry(DAVE, LUO, 5, T1, IVY),
    ).interpreting

    assert (found.interpreters, found.meetings, found.slots) == (2, 5, 12)
    assert found.longest_run == 3


def test_a_closed_point_is_not_counted_as_open() -> None:
    # T2 has four of the six slots.
    assert quality(entry(DORA, LIN, 1)).tables.open == 10
    assert quality(entry(DORA, LIN, 1)).tables.used == 1


entries = st.lists(
    st.builds(
        entry,
        st.sampled_from([DORA, DAVE]),
        st.sampled_from([LIN, LUO, LIU]),
        st.integers(1, 6),
        st.sampled_from([T1, T2]),
        st.sampled_from([None, IVY, IAN]),
    ),
    max_size=8,
    unique_by=(
        lambda one: one.people,
        lambda one: (one.delegate_id, one.starts_at),
        lambda one: (one.local_id, one.starts_at),
        lambda one: (one.point_id, one.starts_at),
    ),
)


@given(entries)
def test_a_report_adds_up(found: list[Entry]) -> None:
    report = quality(*found)

    assert report.meetings == len(found)
    assert [side.meetings for side in report.sides] == [len(found)] * 2
    assert all(side.least <= side.mean <= side.most for side in report.sides)
    assert all(0 <= side.gini < 1 for side in report.sides)
    assert report.days.breaks <= report.days.idle_slots
    assert sum(one.meetings for one in report.personal) == 2 * len(found)
    assert report.tables.used == len(found) <= report.tables.open
    assert report.interpreting.meetings <= report.interpreting.slots
