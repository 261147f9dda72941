"""The peer: the MaxSAT encoding "imp12+" of Bofill and others (JAIR 74, 2022), with its clusters.

Ours to write, after the paper: cardinality networks for its counters, two literals a slot for a
break (`held` before, `end` of a hole), and what it calls implied constraints. RC2 stands in for the
paper's UWrMaxSat, over the same SAT solver as the product.
"""

from collections.abc import Sequence
from itertools import combinations, pairwise

from pysat.card import CardEnc, EncType, ITotalizer
from pysat.examples.rc2 import RC2
from pysat.formula import WCNF

from services.matching.domain.compact.problem import Agenda

SOLVER = "cadical195"


def solve(agenda: Agenda) -> tuple[int, ...] | None:
    """Give a slot for each meeting with the fewest breaks, or None if no schedule exists."""
    encoding = PaperEncoding(agenda)
    with RC2(encoding.clauses, solver=SOLVER) as solver:
        model = solver.compute()
    if model is None:
        return None
    true = {literal for literal in model if literal > 0}
    return tuple(next(s for s, x in of.items() if x in true) for of in encoding.held)


class PaperEncoding:
    """Hard clauses, and for each end of a hole that it had better not be."""

    def __init__(self, agenda: Agenda) -> None:
        """Encode an agenda of pairs."""
        self.clauses, self._top, self._agenda = WCNF(), 0, agenda
        self.held = [
            {slot: self._new() for slot in sorted(agenda.allowed(place))}
            for place in range(len(agenda.meetings))
        ]
        for literals in self.held:
            self._count(list(literals.values()), 1, "equals")
        people = [self._participant(held) for held in agenda.of().values()]
        self._tables([used for used, _ in people])
        if agenda.spread is not None:
            self._fairly([ends for _, ends in people if ends], agenda.spread)
        for first, second in agenda.precedences:
            for slot, literal in self.held[second].items():
                earlier = [x for s, x in self.held[first].items() if s < slot]
                self.clauses.append([-literal, *earlier])

    def _new(self) -> int:
        self._top += 1
        return self._top

    def _participant(self, held: Sequence[int]) -> tuple[list[int], list[int]]:
        """Give where somebody is busy, and the ends of holes."""
        used = []
        for slot in range(len(self._agenda.tables)):
            here = [self.held[place][slot] for place in held if slot in self.held[place]]
            used.append(self._new())
            self.clauses.append([-used[-1], *here])
            for literal in here:
                self.clauses.append([-literal, used[-1]])
            for one, other in combinations(here, 2):
                self.clauses.append([-one, -other])
        self._count(used, len(held), "equals")
        before, ends = used[0], []
        for now, following in pairwise(used[1:]):
            had, end = self._new(), self._new()
            for clause in ([-before, had], [-now, had], [-had, before, now]):
                self.clauses.append(clause)
            for clause in ([-end, had], [-end, -now], [-end, following]):
                self.clauses.append(clause)
            self.clauses.append([end, -had, now, -following])
            self.clauses.append([-end], weight=1)
            ends.append(end)
            before = had
        return used, ends

    def _tables(self, used: Sequence[Sequence[int]]) -> None:
        """At most so many clusters, the meetings of one participant each, and twice the people."""
        clusters, left = [], set(range(len(self.held)))
        while left:
            by_person = self._agenda.of().values()
            largest = max((left.intersection(held) for held in by_person), key=len)
            clusters.append(sorted(largest))
            left -= largest
        for slot, tables in enumerate(self._agenda.tables):
            marks = []
            for cluster in clusters:
                here = [self.held[one][slot] for one in cluster if slot in self.held[one]]
                if here:
                    marks.append(self._new())
                    for literal in here:
                        self.clauses.append([-literal, marks[-1]])
            self._count(marks, tables, "atmost")
            self._count([of[slot] for of in used], 2 * tables, "atmost")

    def _fairly(self, ends: Sequence[Sequence[int]], spread: int) -> None:
        """Either all have so many breaks, or nobody has more than the spread above that."""
        floors = [self._new() for _ in range(len(ends[0]) // 2 + 1)]
        for of in ends:
            up, down = self._sorted(of), self._sorted([-one for one in of])
            for fewest, floor in enumerate(floors, 1):
                self.clauses.append([-floor, -down[len(of) - fewest]])
                if fewest + spread <= len(of):
                    self.clauses.append([floor, -up[fewest + spread - 1]])

    def _sorted(self, literals: Sequence[int]) -> list[int]:
        with ITotalizer(list(literals), ubound=len(literals), top_id=self._top) as counter:
            self._top = max(self._top, counter.top_id)
            self.clauses.extend(counter.cnf.clauses)
            return list(counter.rhs)

    def _count(self, literals: Sequence[int], bound: int, how: str) -> None:
        if bound > len(literals) and how == "equals":
            self.clauses.append([])
        elif bound < len(literals) or how == "equals":
            counted = getattr(CardEnc, how)(
                list(literals), bound, top_id=self._top, encoding=EncType.cardnetwrk
            )
            self._top = max(self._top, counted.nv)
            self.clauses.extend(counted.clauses)
