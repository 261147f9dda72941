from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.dzn import read
from bench.peers import paper_encoding
from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.maxsat import compact
from services.matching.domain.compact.problem import Agenda, Meeting

INSTANCE = """
nBusiness = 3;
nMeetings = 3;
nTables = 2;
nTotalSlots = 5;
nMorningSlots = 3;
requested = [|1, 2,1,
|1, 3,2,
|2, 3,3,
|];
forbidden = [{},
{0,2},
{0}];
fixed = [0,5,0];
precedences = [{},
{1,3},
{}];
"""


def test_an_instance_is_read_with_its_numbers_from_1_and_its_empty_sets(tmp_path: Path) -> None:
    path = tmp_path / "one.dzn"
    path.write_text(INSTANCE)

    assert read(path, 1) == Agenda(
        (
            Meeting((1, 2), frozenset(range(3))),
            Meeting((1, 3), frozenset({4})),
            Meeting((2, 3), frozenset(range(5))),
        ),
        (2,) * 5,
        {1: frozenset(), 2: frozenset({1}), 3: frozenset()},
        ((0, 1), (2, 1)),
        1,
    )


SLOTS = st.frozensets(st.integers(0, 4), min_size=1)
PAIRS = st.lists(st.integers(0, 4), min_size=2, max_size=2, unique=True).map(tuple)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.builds(
        Agenda,
        st.lists(st.builds(Meeting, PAIRS, SLOTS), min_size=2, max_size=6).map(tuple),
        st.tuples(*[st.integers(1, 2)] * 5),
        st.dictionaries(st.integers(0, 4), SLOTS, max_size=1),
        st.sampled_from([(), ((0, 1),)]),
        st.sampled_from([None, 0, 1]),
    )
)
def test_the_paper_s_encoding_has_the_same_optima_as_the_product(agenda: Agenda) -> None:
    ours, peers = compact(agenda), paper_encoding.solve(agenda)

    assert (ours.slots is None) == (peers is None)
    if peers is not None:
        assert faults(agenda, peers) == []
        assert sum(breaks(agenda, peers).values()) == ours.breaks
