from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.problem import Agenda, Meeting
from services.matching.domain.compact.windows import Cause, breaks_least, cause

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
def test_a_cause_is_named_only_where_no_schedule_exists_and_the_bound_holds(agenda: Agenda) -> None:
    found = schedules(agenda)

    if cause(agenda):
        assert not found
    for slots in found:
        assert breaks_least(agenda) <= sum(breaks(agenda, slots).values())


def test_somebody_with_more_meetings_than_slots_is_named() -> None:
    agenda = Agenda(tuple(Meeting((7, p), frozenset({1, 2})) for p in range(3)), (3, 3, 3))

    assert cause(agenda) == Cause(7, (0, 1, 2), frozenset({1, 2}))


def test_a_meeting_without_any_slot_is_named() -> None:
    agenda = Agenda((Meeting((0, 1), frozenset({2})),), (1, 1, 1), {1: frozenset({2})})

    assert cause(agenda) == Cause(None, (0,), frozenset())


def test_who_can_only_meet_first_and_last_waits_once() -> None:
    agenda = Agenda(
        (Meeting((0, 1), frozenset({0})), Meeting((0, 2), frozenset({2}))), (1, 1, 1), spread=0
    )

    assert breaks_least(agenda) == 1
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
