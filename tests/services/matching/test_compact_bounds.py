"""What is known before any search: slots that cannot be, and breaks that must be."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.layout import layout
from services.matching.domain.compact.maxsat import compact
from services.matching.domain.compact.narrowing import narrowed
from services.matching.domain.compact.packing import packed
from services.matching.domain.compact.problem import Agenda, Meeting

SLOTS = st.frozensets(st.integers(0, 3), min_size=1)
PEOPLE = st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True).map(tuple)
AGENDAS = st.builds(
    Agenda,
    st.lists(st.builds(Meeting, PEOPLE, SLOTS), min_size=3, max_size=4).map(tuple),
    st.tuples(*[st.integers(1, 2)] * 4),
    precedences=st.lists(st.sampled_from([(0, 1), (1, 2)]), max_size=1).map(tuple),
)
ALL_DAY = frozenset(range(4))


def schedules(agenda: Agenda) -> list[tuple[int, ...]]:
    every = product(range(len(agenda.tables)), repeat=len(agenda.meetings))
    return [slots for slots in every if not faults(agenda, slots)]


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS)
def test_a_slot_is_taken_away_only_if_no_schedule_has_it(agenda: Agenda) -> None:
    board, every = narrowed(agenda), schedules(agenda)

    for place, domain in enumerate(board.domains):
        assert {slots[place] for slots in every} <= {s for s in range(4) if domain >> s & 1}


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS)
def test_in_no_schedule_fewer_have_a_break_than_must(agenda: Agenda) -> None:
    least, every = packed(narrowed(agenda)), schedules(agenda)

    if least is None:
        assert not every
    for slots in every:
        assert least is not None
        assert sum(count > 0 for count in breaks(agenda, slots).values()) >= least


def test_a_meeting_is_not_where_one_of_its_people_has_to_be_elsewhere() -> None:
    fixed = Meeting((0, 1), frozenset({2}))
    agenda = Agenda((fixed, Meeting((1, 2), ALL_DAY)), (2,) * 4)

    assert layout(agenda).domains[1] == 0b1111
    assert narrowed(agenda).domains == [0b0100, 0b1011]


def test_a_meeting_is_not_where_all_tables_are_taken_for_certain() -> None:
    fixed = Meeting((0, 1), frozenset({2}))
    agenda = Agenda((fixed, Meeting((2, 3), ALL_DAY)), (1,) * 4)

    assert narrowed(agenda).domains[1] == 0b1011


def test_somebody_must_have_a_break_where_the_tables_of_all_windows_are_few() -> None:
    # Two of the six are away in each of the two slots between, and so have a break.
    trios = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (0, 3), (1, 4), (2, 5)]
    agenda = Agenda(tuple(Meeting(pair, ALL_DAY) for pair in trios), (3, 2, 2, 3))

    least = packed(narrowed(agenda))

    found = compact(agenda)
    assert least == found.bound == found.breaks == 4
