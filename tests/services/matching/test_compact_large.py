from collections.abc import Callable, Iterable
from itertools import count, product
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.events import event
from services.matching.domain.compact.annealing import Annealing
from services.matching.domain.compact.bounds import breaks_least, window_starts
from services.matching.domain.compact.check import breaks, faults
from services.matching.domain.compact.deciding import decide
from services.matching.domain.compact.feasible import fill
from services.matching.domain.compact.filling import NOWHERE, Filling
from services.matching.domain.compact.layout import bits, layout
from services.matching.domain.compact.machine_code import compiled
from services.matching.domain.compact.problem import Agenda, Meeting

SLOTS = st.frozensets(st.integers(0, 4), min_size=2)
PEOPLE = st.lists(st.integers(0, 4), min_size=2, max_size=3, unique=True).map(tuple)
AGENDAS = st.builds(
    Agenda,
    st.lists(st.builds(Meeting, PEOPLE, SLOTS), min_size=2, max_size=4).map(tuple),
    st.tuples(*[st.integers(0, 2)] * 5),
    st.dictionaries(st.integers(0, 4), st.frozensets(st.integers(0, 4), max_size=2), max_size=2),
    st.sampled_from([(), ((0, 1),), ((1, 0),)]),
    st.sampled_from([None, 0, 1]),
)
PLAIN = st.builds(
    Agenda,
    st.lists(
        st.builds(Meeting, st.permutations(range(6)).map(lambda six: tuple(six[:2])), SLOTS),
        min_size=3,
        max_size=9,
    ).map(tuple),
    st.tuples(*[st.integers(1, 3)] * 5),
)
"""Pairs alone, in any order: chains are paths, and have machine code of their own."""
ALL = frozenset(range(3))


def schedules(agenda: Agenda) -> Iterable[tuple[int, ...]]:
    every = product(range(len(agenda.tables)), repeat=len(agenda.meetings))
    return (slots for slots in every if not faults(agenda, slots))


def filled(agenda: Agenda, seed: int = 1) -> list[int]:
    return fill(layout(agenda), Random(seed), lambda: False).slots  # noqa: S311  # no secret


def annealing(agenda: Agenda, slots: list[int], seed: int = 1) -> Annealing:
    board = layout(agenda)
    windows = window_starts(board)
    bounds = (windows, breaks_least(board, windows))
    return Annealing(board, slots, bounds, agenda.spread, seed)


def looks(many: int) -> Callable[[], float]:
    numbers = count()
    return lambda: next(numbers) / many


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS)
def test_nobody_has_fewer_breaks_than_the_bound_nor_a_straight_day_without_a_window(
    agenda: Agenda,
) -> None:
    board = layout(agenda)
    windows = window_starts(board)
    least = breaks_least(board, windows)
    by_number = list(dict.fromkeys(p for one in agenda.meetings for p in one.people))

    for slots in schedules(agenda):
        found = breaks(agenda, slots)
        for number, person in enumerate(by_number):
            first = min(slots[one] for one in board.held[number])
            assert found[person] >= least[number]
            assert found[person] > 0 or windows[number] >> first & 1


def test_who_can_be_there_in_three_spells_only_waits_twice() -> None:
    slots = frozenset({0, 2, 3, 5})
    agenda = Agenda(tuple(Meeting((0, p), slots) for p in range(1, 5)), (4,) * 6)
    board = layout(agenda)

    assert breaks_least(board, window_starts(board))[0] == 2


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS)
def test_a_first_schedule_is_found_wherever_there_is_one(agenda: Agenda) -> None:
    agenda = Agenda(agenda.meetings, agenda.tables, agenda.forbidden, agenda.precedences)

    slots = filled(agenda)

    if NOWHERE in slots:
        found, is_impossible = decide(layout(agenda), slots, 10, 1)
        assert is_impossible == (next(iter(schedules(agenda)), None) is None)
        assert is_impossible or found
        slots = found or slots
    assert NOWHERE in slots or faults(agenda, slots) == []


@pytest.mark.parametrize("kind", ["fair", "mission"])
def test_meetings_that_take_all_tables_are_all_held(kind: str) -> None:
    agenda = event(kind, 300, use=1.0)  # type: ignore[arg-type]  # a parameter is a plain string

    assert faults(agenda, filled(agenda)) == []


def test_a_meeting_is_held_by_exchanging_two_slots() -> None:
    either, late = frozenset({0, 1}), frozenset({1})
    meetings = (Meeting((0, 1), either), Meeting((1, 2), either), Meeting((2, 3), late))
    filling = Filling(layout(Agenda(meetings, (1, 2))))
    filling.put(0, 0)
    filling.put(1, 1)

    assert not filling.place(2)
    assert filling.chain(2)
    assert filling.slots == [1, 0, 1]


def test_a_meeting_that_must_be_later_is_pushed_there() -> None:
    meetings = (Meeting((0, 1), ALL), Meeting((2, 3), ALL), Meeting((4, 5), ALL))
    agenda = Agenda(meetings, (1, 1, 1), precedences=((2, 1), (1, 0)))

    assert filled(agenda) == [2, 1, 0]


@settings(deadline=None, max_examples=150, derandomize=True)
@given(AGENDAS | PLAIN, st.integers(0, 3))
def test_annealing_keeps_every_rule_and_is_between_the_bound_and_its_beginning(
    agenda: Agenda, seed: int
) -> None:
    slots = filled(agenda, seed)
    if NOWHERE in slots:
        return
    search = annealing(agenda, slots, seed)
    told = [search.breaks, *search.cool(looks(3))]

    known = [one for one in told if one is not None]
    assert known == sorted(known, reverse=True)
    if search.breaks is not None:
        assert faults(agenda, search.best) == []
        assert search.bound <= search.breaks == sum(breaks(agenda, search.best).values())
    assert agenda.spread is not None or search.breaks is not None


def test_annealing_is_the_same_for_the_same_seed() -> None:
    agenda = event("mission", 100)
    slots = filled(agenda)

    def best(seed: int) -> tuple[int, ...]:
        search = annealing(agenda, slots, seed)
        list(search.cool(looks(3)))
        return search.best

    assert best(1) == best(1) != best(2)


def test_annealing_takes_most_breaks_away() -> None:
    agenda = event("mission", 100)
    slots = filled(agenda)
    search = annealing(agenda, slots)

    list(search.cool(looks(40)))

    assert search.breaks is not None
    assert search.breaks <= 2 * search.bound + 3 < sum(breaks(agenda, slots).values()) / 4


def test_slots_are_given_from_bits() -> None:
    assert list(bits(0b1010010)) == [1, 4, 6]


def test_code_that_cannot_be_kept_is_compiled_all_the_same() -> None:
    there: dict[str, Callable[[int], int]] = {}
    exec("def twice(number): return 2 * number", there)  # noqa: S102  # so it has no file

    assert compiled(there["twice"])(3) == 6
