from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.maxsat import compact
from services.matching.domain.compact.problem import Agenda, Meeting

SLOTS = st.frozensets(st.integers(0, 3), min_size=1)
PAIRS = st.lists(st.integers(0, 3), min_size=2, max_size=2, unique=True).map(tuple)
LONER = Meeting((8, 9), frozenset(range(4)))
AGENDAS = st.builds(
    Agenda,
    st.lists(st.builds(Meeting, PAIRS, SLOTS), min_size=1, max_size=4).map(lambda m: (*m, LONER)),
    st.tuples(*[st.integers(1, 3)] * 4),
    st.dictionaries(st.integers(0, 3), SLOTS, max_size=1),
    st.sampled_from([(), ((0, 1),)]),
    st.sampled_from([None, 0, 1]),
)


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS)
def test_the_fewest_breaks_are_those_of_all_schedules_tried_one_by_one(agenda: Agenda) -> None:
    every = product(range(4), repeat=len(agenda.meetings))
    good = [sum(breaks(agenda, one).values()) for one in every if not faults(agenda, one)]

    found = compact(agenda)

    assert (found.slots is None) == (not good)
    if found.slots is not None:
        assert faults(agenda, found.slots) == []
        assert found.breaks == min(good) == sum(breaks(agenda, found.slots).values())
