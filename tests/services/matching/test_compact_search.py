from dataclasses import replace
from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.maxsat import Compact, compact
from services.matching.domain.compact.problem import Agenda, Meeting
from services.matching.domain.compact.windows import Cause

SLOTS = st.frozensets(st.integers(0, 3), min_size=1)
PEOPLE = st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True).map(tuple)
"""A pair, with an interpreter or without."""
ORDERS = st.lists(st.sampled_from([(0, 1), (1, 2), (2, 0), (1, 0)]), max_size=2, unique=True)


def agendas(*spreads: int | None) -> st.SearchStrategy[Agenda]:
    return st.builds(
        Agenda,
        st.lists(st.builds(Meeting, PEOPLE, SLOTS), min_size=3, max_size=4).map(tuple),
        st.tuples(*[st.integers(1, 3)] * 4),
        st.dictionaries(st.integers(0, 3), SLOTS, max_size=1),
        ORDERS.map(tuple),
        st.sampled_from(spreads),
    )


def schedules(agenda: Agenda) -> list[tuple[int, ...]]:
    every = product(range(len(agenda.tables)), repeat=len(agenda.meetings))
    return [slots for slots in every if not faults(agenda, slots)]


def without(agenda: Agenda, meeting: int) -> Agenda:
    """Leave one meeting out, and with it who or what it had to be before and after."""
    return replace(
        agenda,
        meetings=agenda.meetings[:meeting] + agenda.meetings[meeting + 1 :],
        precedences=tuple(
            (first - (first > meeting), second - (second > meeting))
            for first, second in agenda.precedences
            if meeting not in (first, second)
        ),
    )


@settings(deadline=None, max_examples=80, derandomize=True)
@given(agendas(None, 0, 1))
def test_the_fewest_breaks_are_those_of_all_schedules_tried_one_by_one(agenda: Agenda) -> None:
    every = [sum(breaks(agenda, slots).values()) for slots in schedules(agenda)]

    found = compact(agenda)

    assert found.is_proven
    assert (found.slots is None) == (not every) == (found.cause is not None)
    if found.slots is not None:
        assert faults(agenda, found.slots) == []
        assert found.breaks == found.bound == min(every)
        assert found.breaks == sum(breaks(agenda, found.slots).values())


RING = tuple(Meeting((n, (n + 1) % 4), frozenset(range(4))) for n in range(4))
"""Everybody has two meetings: nobody is certain to have no break."""


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    st.lists(SLOTS, min_size=4, max_size=4),
    st.tuples(*[st.integers(1, 2)] * 4),
    st.sampled_from([0, 1]),
)
def test_all_wait_alike_even_if_everybody_may_have_to_wait(
    slots: list[frozenset[int]], tables: tuple[int, ...], spread: int
) -> None:
    ring = tuple(replace(one, slots=at) for one, at in zip(RING, slots, strict=True))
    agenda = Agenda(ring, tables, spread=spread)
    every = [sum(breaks(agenda, one).values()) for one in schedules(agenda)]

    found = compact(agenda)

    assert (found.slots is None) == (not every)
    if found.slots is not None:
        assert faults(agenda, found.slots) == []
        assert found.breaks == min(every)


@settings(deadline=None, max_examples=80, derandomize=True)
@given(agendas(None))
def test_of_a_cause_no_meeting_can_be_left_out(agenda: Agenda) -> None:
    why = compact(agenda).cause

    if why is not None and why.kind != "tables":
        is_pigeonhole = why.kind in ("absence", "participant")
        named = replace(agenda, precedences=()) if is_pigeonhole else agenda
        for place in reversed(range(len(agenda.meetings))):
            if place not in why.meetings:
                named = without(named, place)
        assert why.is_least
        assert not schedules(named)
        for place in range(len(named.meetings)):
            assert schedules(without(named, place))


@settings(deadline=None, max_examples=80, derandomize=True)
@given(agendas(0))
def test_of_people_who_cannot_wait_alike_nobody_can_be_left_out(agenda: Agenda) -> None:
    why = compact(agenda).cause

    if why is not None and why.kind == "spread":
        counts = [breaks(agenda, one) for one in schedules(replace(agenda, spread=None))]
        assert not any(are_alike(count, why.participants) for count in counts)
        for person in why.participants:
            fewer = [one for one in why.participants if one != person]
            assert any(are_alike(count, fewer) for count in counts)


def are_alike(counts: dict[int, int], people: list[int] | tuple[int, ...]) -> bool:
    return all(counts[person] == min(counts.values()) for person in people)


def test_meetings_that_cannot_be_in_the_order_asked_are_named() -> None:
    slots = frozenset(range(2))
    agenda = Agenda(
        tuple(Meeting((2 * n, 2 * n + 1), slots) for n in range(4)),
        (4, 4),
        precedences=((0, 1), (1, 3)),
    )

    assert compact(agenda).cause == Cause("order", (), (0, 1, 3), slots)


def test_who_is_in_several_meetings_that_cannot_be_together_is_named() -> None:
    """Each can meet the others, but all three pairs need three slots, and there are two."""
    pairs = ((0, 1), (1, 2), (2, 0), (3, 4))
    slots = frozenset(range(2))
    agenda = Agenda(tuple(Meeting(pair, slots) for pair in pairs), (3, 3))

    assert compact(agenda).cause == Cause("together", (0, 1, 2), (0, 1, 2), slots)


def test_with_no_time_at_all_nothing_is_claimed() -> None:
    assert compact(Agenda(RING, (2,) * 4), seconds=0) == Compact(None, 0, is_proven=False)


def test_progress_tells_better_schedules_and_bounds_until_they_meet() -> None:
    told: list[Compact] = []
    waits = Meeting((0, 1), frozenset({3}))
    agenda = Agenda((*RING[1:], waits), (1,) * 4)

    found = compact(agenda, 60, told.append)

    assert told[-1] == found
    assert found.is_proven
    for before, after in pairwise(told):
        assert before.bound <= after.bound
        assert before.slots is None or after.breaks <= before.breaks
    assert all(one.slots is None or faults(agenda, one.slots) == [] for one in told)


def test_without_meetings_nobody_waits() -> None:
    assert compact(Agenda((), (1, 1), spread=0)) == Compact((), 0)
