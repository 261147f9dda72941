"""Why no schedule exists where pigeonholes do not tell: a smallest set that is too much.

Smallest in that nothing of it can be left out: one after another is left out on trial, and what the
proof did without is left out with it (Belov, Lynce and Marques-Silva 2012).
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Self

from services.matching.domain.compact.cores import Late, Solver
from services.matching.domain.compact.counting import at_most
from services.matching.domain.compact.encoding import Encoding
from services.matching.domain.compact.narrowing import narrowed
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.windows import Cause, Kind


def conflict(agenda: Agenda, seconds: float | None = None) -> Cause | None:
    """Name meetings, or people who cannot wait alike; None if there are none, or time is over."""
    until = None if seconds is None else time.monotonic() + seconds
    try:
        every = range(1, len(agenda.meetings) + 1)
        # Tables, counted by most of the clauses, mostly have no part in it.
        for has_tables in (False, True):
            with Solver(_Holding(agenda, every, has_tables).in_order().clauses, until) as solver:
                if not solver.ask(every):
                    return _of_meetings(agenda, solver.core(), until)
        return _of_spread(agenda, until)
    except Late:
        return None


def _of_meetings(agenda: Agenda, core: Sequence[int], until: float | None) -> Cause:
    with Solver(_Holding(agenda, core).in_order().clauses, until) as solver:
        few, is_least = _fewest(solver, core)
    with Solver(_Holding(agenda, few).clauses) as unordered:
        kind: Kind = "order" if unordered.ask(few) else "together"
    meetings = tuple(sorted(one - 1 for one in few))
    taking_part = Counter(person for one in meetings for person in agenda.meetings[one].people)
    several = sorted(person for person, times in taking_part.items() if times > 1)
    slots = frozenset().union(*(agenda.allowed(one) for one in meetings))
    return Cause(kind, tuple(several), meetings, slots, is_least)


def _of_spread(agenda: Agenda, until: float | None) -> Cause | None:
    encoding = Encoding(agenda, narrowed(agenda))
    person_of = {literal: person for person, literal in encoding.alike.items()}
    with Solver(encoding.clauses, until) as solver:
        if solver.ask(list(person_of)):
            return None
        few, is_least = _fewest(solver, solver.core())
    people = tuple(sorted(person_of[one] for one in few))
    meetings = sorted({one for person in people for one in agenda.of()[person]})
    slots = frozenset().union(*(agenda.allowed(one) for one in meetings))
    return Cause("spread", people, tuple(meetings), slots, is_least)


def _fewest(solver: Solver, core: Sequence[int]) -> tuple[list[int], bool]:
    """Give of a core what is needed; and whether that is known, for time may be over."""
    few = list(core)
    try:
        for one in list(few):
            if one in few and not solver.ask([other for other in few if other != one]):
                few = solver.core()
    except Late:
        return few, False
    return few, True


class _Holding:
    """Clauses that can be met if the meetings assumed are held: n + 1 says that meeting n is."""

    def __init__(self, agenda: Agenda, meetings: Iterable[int], has_tables: bool = True) -> None:
        """Leave all but these meetings (numbered from 1) out, and tables perhaps."""
        self._agenda, self._top = agenda, len(agenda.meetings)
        self.clauses: list[list[int]] = []
        self._held = {one - 1: self._meeting(agenda, one - 1) for one in meetings}
        busy, taken = defaultdict(list), defaultdict(list)
        for place, held in self._held.items():
            for slot, literal in held.items():
                taken[slot].append(literal)
                for person in agenda.meetings[place].people:
                    busy[person, slot].append(literal)
        for literals in busy.values():
            self._at_most_one(literals)
        for slot, literals in taken.items():
            if has_tables:
                self._at_most(literals, agenda.tables[slot])

    def in_order(self) -> Self:
        """Hold the first of each pair before the second, if both are held."""
        for first, second in self._agenda.precedences:
            if first in self._held and second in self._held:
                for slot, literal in self._held[second].items():
                    earlier = (one for at, one in self._held[first].items() if at < slot)
                    self.clauses.append([-literal, -(first + 1), -(second + 1), *earlier])
        return self

    def _meeting(self, agenda: Agenda, place: int) -> dict[int, int]:
        held = {slot: self._top + n for n, slot in enumerate(sorted(agenda.allowed(place)), 1)}
        self._top += len(held)
        self.clauses.append([-(place + 1), *held.values()])
        self._at_most_one(list(held.values()))
        return held

    def _at_most_one(self, literals: Sequence[int]) -> None:
        self.clauses.extend([-one, -other] for one, other in combinations(literals, 2))

    def _at_most(self, literals: list[int], bound: int) -> None:
        clauses, self._top = at_most(literals, bound, self._top)
        self.clauses.extend(clauses)
