from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.problem import Agenda, Meeting
from services.matching.domain.compact.windows import Cause, cause, crowded, followed

SLOTS = st.frozensets(st.integers(0, 3))
PAIRS = st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True).map(tuple)
AGENDAS = st.builds(
    Agenda,
    st.lists(st.builds(Meeting, PAIRS, SLOTS), min_size=1, max_size=4).map(tuple),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.dictionaries(st.integers(0, 3), SLOTS, max_size=1),
)
FREE = frozenset(range(3))


def schedules(agenda: Agenda) -> list[tuple[int, ...]]:
    every = product(range(len(agenda.tables)), repeat=len(agenda.meetings))
    return [slots for slots in every if not faults(agenda, slots)]


@settings(deadline=None, max_examples=100, derandomize=True)
@given(AGENDAS)
def test_a_cause_is_named_only_where_no_schedule_exists(agenda: Agenda) -> None:
    if cause(agenda):
        assert not schedules(agenda)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(AGENDAS)
def test_of_the_meetings_that_a_cause_names_none_can_be_left_out(agenda: Agenda) -> None:
    why = cause(agenda)

    if why is not None and why.kind != "absence":
        domains = [sum(1 << slot for slot in agenda.allowed(place)) for place in why.meetings]
        room = agenda.tables.__getitem__ if why.kind == "tables" else lambda _: 1
        assert crowded(domains, room) is not None
        for place in range(len(domains)):
            assert crowded(domains[:place] + domains[place + 1 :], room) is None


@settings(deadline=None, max_examples=200, derandomize=True)
@given(st.lists(st.integers(1, 31), min_size=2, max_size=4))
def test_in_a_window_each_meeting_has_the_slots_of_all_ways_to_fill_it(domains: list[int]) -> None:
    for first in range(6 - len(domains)):
        slots = range(first, first + len(domains))
        ways = [
            way
            for way in product(slots, repeat=len(domains))
            if len(set(way)) == len(way)
            and all(mask >> slot & 1 for mask, slot in zip(domains, way, strict=True))
        ]
        each = [sum({1 << way[one] for way in ways}) for one in range(len(domains))]

        assert followed(domains, first) == (each if ways else [])


def test_somebody_with_more_meetings_than_slots_is_named() -> None:
    agenda = Agenda(tuple(Meeting((7, p), frozenset({1, 2})) for p in range(3)), (3, 3, 3))

    assert cause(agenda) == Cause("participant", (7,), (0, 1, 2), frozenset({1, 2}))


def test_a_meeting_without_any_slot_is_named_with_who_is_away() -> None:
    agenda = Agenda((Meeting((0, 1), frozenset({2})),), (1, 1, 1), {1: frozenset({2})})

    assert cause(agenda) == Cause("absence", (0, 1), (0,), frozenset())


def test_meetings_that_lack_tables_in_their_part_of_the_day_are_named() -> None:
    early = tuple(Meeting((2 * n, 2 * n + 1), frozenset({0, 1})) for n in range(3))
    agenda = Agenda((Meeting((8, 9), frozenset({2})), *early), (1, 1, 5))

    assert cause(agenda) == Cause("tables", (), (1, 2, 3), frozenset({0, 1}))


def test_who_can_only_meet_first_and_last_waits_once() -> None:
    agenda = Agenda(
        (Meeting((0, 1), frozenset({0})), Meeting((0, 2), frozenset({2}))), (1, 1, 1), spread=0
    )

    assert breaks(agenda, (0, 2)) == {0: 1, 1: 0, 2: 0}
    assert faults(agenda, (0, 2)) == ["breaks are not spread fairly"]


def test_a_spoilt_schedule_is_refused() -> None:
    agenda = Agenda(
        (Meeting((0, 1), FREE), Meeting((0, 2), FREE), Meeting((3, 4), FREE)),
        (1, 1, 1),
        {3: frozenset({0})},
        ((0, 1),),
    )

    assert faults(agenda, (0, 1, 2)) == []
    assert "meeting 0 is not before meeting 1" in faults(agenda, (1, 0, 2))
    assert "participant 3 is away in slot 0" in faults(agenda, (1, 2, 0))
    assert "slot 1 lacks tables" in faults(agenda, (0, 1, 1))
    assert "participant 0 is twice in slot 0" in faults(agenda, (0, 0, 2))
    assert faults(agenda, (0, 1)) == ["not every meeting is held"]
