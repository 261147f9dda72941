from collections.abc import Callable
from itertools import count, product

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.events import event
from services.matching.domain.compact.anytime import SMALL, anytime
from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.maxsat import Compact
from services.matching.domain.compact.problem import Agenda, Meeting

SLOTS = st.frozensets(st.integers(0, 3), min_size=1)
PEOPLE = st.lists(st.integers(0, 4), min_size=2, max_size=3, unique=True).map(tuple)
AGENDAS = st.builds(
    Agenda,
    st.lists(st.builds(Meeting, PEOPLE, SLOTS), min_size=2, max_size=4).map(tuple),
    st.tuples(*[st.integers(0, 2)] * 4),
    st.dictionaries(st.integers(0, 4), st.frozensets(st.integers(0, 3), max_size=2), max_size=2),
    st.sampled_from([(), ((0, 1),)]),
    st.sampled_from([None, 0, 1]),
)
ANY = frozenset(range(4))


def clock(step: float = 0.001) -> Callable[[], float]:
    readings = count()
    return lambda: next(readings) * step


def ignored(_: Compact) -> None:
    """Nobody listens."""


@settings(deadline=None, max_examples=60, derandomize=True)
@given(AGENDAS)
def test_a_few_meetings_have_the_fewest_breaks_of_all_schedules(agenda: Agenda) -> None:
    every = product(range(4), repeat=len(agenda.meetings))
    good = [sum(breaks(agenda, one).values()) for one in every if not faults(agenda, one)]
    heard: list[Compact] = []

    found = anytime(agenda, 12, heard.append, clock(0.02))

    assert found.is_proven
    assert (found.slots is None) == (not good)
    if found.slots is not None:
        assert faults(agenda, found.slots) == []
        assert found.breaks == found.bound == min(good)
    told = [one for one in heard if one.slots is not None]
    assert [one.breaks for one in told] == sorted((one.breaks for one in told), reverse=True)
    assert [one.bound for one in heard] == sorted(one.bound for one in heard)
    assert all(one.bound <= one.breaks and not faults(agenda, one.slots or ()) for one in told)


def test_no_meetings_have_no_breaks() -> None:
    assert anytime(Agenda((), (1,)), 1, ignored, clock()) == Compact((), 0)


def test_many_get_a_schedule_at_once_and_then_better_ones() -> None:
    agenda = event("mission", SMALL + 20)
    heard: list[Compact] = []

    found = anytime(agenda, 0.2, heard.append, clock())

    assert heard[0].slots is not None
    assert heard[-1] == found
    assert faults(agenda, found.slots or ()) == []
    assert found.bound <= found.breaks < heard[0].breaks / 2


def test_the_same_seed_and_clock_give_the_same_schedule() -> None:
    agenda = event("fair", SMALL + 20)

    one, same, other = (anytime(agenda, 0.02, ignored, clock(), seed=s) for s in (1, 1, 2))

    assert one == same
    assert one.slots != other.slots


def test_who_is_stopped_has_the_first_schedule() -> None:
    agenda = event("fair", SMALL + 20)
    heard: list[Compact] = []

    found = anytime(agenda, 1e9, heard.append, clock(), is_stopped=lambda: bool(heard))

    assert heard == [found]
    assert faults(agenda, found.slots or ()) == []


def test_too_few_tables_for_many_are_named() -> None:
    meetings = tuple(Meeting((2 * n, 2 * n + 1), ANY) for n in range(SMALL))

    found = anytime(Agenda(meetings, (20, 20, 20, SMALL - 61)), 1, ignored, clock())

    assert found.slots is None
    assert found.is_proven
    assert found.cause is not None
    assert found.cause.kind == "tables"


def test_three_who_meet_one_another_need_three_slots() -> None:
    two = frozenset({0, 1})
    triangles = [
        (3 * n + one, 3 * n + other)
        for n in range(SMALL)
        for one, other in ((0, 1), (1, 2), (0, 2))
    ]

    found = anytime(
        Agenda(tuple(Meeting(pair, two) for pair in triangles), (SMALL * 3, SMALL * 3)),
        60,
        ignored,
        clock(),
    )

    assert found.slots is None
    assert found.cause is not None
    assert found.cause.kind == "together"
    assert len(found.cause.meetings) == 3


def test_days_of_more_slots_than_a_machine_word_has_bits_get_a_schedule() -> None:
    days = frozenset(range(80))
    ring = tuple(Meeting((n, (n + 1) % 100), days) for n in range(100))
    agenda = Agenda(ring, (2,) * 80)

    found = anytime(agenda, 1, ignored, clock())

    assert faults(agenda, found.slots or ()) == []
