"""An agenda as clauses, after Bofill and others, "Constraint solving for B2B scheduling" (2022).

Beside their variables a participant has a literal for each window that Hall's condition leaves.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise

from pysat.card import CardEnc, EncType, ITotalizer
from pysat.formula import CNF, WCNF, IDPool

from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.windows import windows


class Encoding:
    """The clauses, each soft one a break, and `held[meeting][slot]`, the literal that says so."""

    def __init__(self, agenda: Agenda) -> None:
        """Encode an agenda; ValueError for a spread that no participant without breaks anchors."""
        self.agenda, self.clauses, self._pool = agenda, WCNF(), IDPool()
        self.held = [
            {slot: self._new() for slot in sorted(agenda.allowed(place))}
            for place in range(len(agenda.meetings))
        ]
        for literals in self.held:
            self.clauses.append(list(literals.values()))
            self._at_most_one(list(literals.values()))
        for held in agenda.of().values():
            self._participant(held)
        self._tables()
        for first, second in agenda.precedences:
            self._before(self.held[first], self.held[second])

    def _new(self) -> int:
        return int(self._pool.id(object()))

    def _at_most_one(self, literals: Sequence[int]) -> None:
        self.clauses.extend([[-one, -other] for one, other in combinations(literals, 2)])

    def _participant(self, held: Sequence[int]) -> None:
        used = []
        for slot in range(len(self.agenda.tables)):
            here = [self.held[place][slot] for place in held if slot in self.held[place]]
            used.append(self._new())
            self.clauses.append([-used[-1], *here])
            self.clauses.extend([[-one, used[-1]] for one in here])
            self._at_most_one(here)
        self._count(used, len(held), CardEnc.equals)
        if len(held) > 1:
            self._breaks(used, held)

    def _breaks(self, used: Sequence[int], held: Sequence[int]) -> None:
        starts, whole = [used[0]], []
        for before, slot in pairwise(used):
            starts.append(self._new())
            self.clauses.append([starts[-1], before, -slot])
        counter = ITotalizer(starts, ubound=len(held), top_id=self._pool.top)
        self._pool.occupy(self._pool.top + 1, counter.top_id)
        self.clauses.extend(counter.cnf.clauses)
        more = counter.rhs[1 : len(held)]
        counter.delete()
        for first in windows(self.agenda, held):
            whole.append(self._new())
            inside = range(first, first + len(held))
            self.clauses.extend(
                [[-whole[-1], u if t in inside else -u] for t, u in enumerate(used)]
            )
        if more:
            self.clauses.append([*whole, more[0]])
        for literal in more:
            self.clauses.append([-literal], weight=1)
        if self.agenda.spread is not None:
            if not self._is_anchored():
                raise ValueError("nobody is certain to have no break")
            self.clauses.extend([[-literal] for literal in more[self.agenda.spread :]])

    def _is_anchored(self) -> bool:
        counts = [len(held) for held in self.agenda.of().values()]
        return min(counts) <= 1 or max(counts) >= len(self.agenda.tables)

    def _tables(self) -> None:
        clusters, left = [], set(range(len(self.held)))
        while left:
            by_person = self.agenda.of().values()
            cluster = max((left.intersection(held) for held in by_person), key=len)
            clusters.append(sorted(cluster))
            left -= cluster
        for slot, tables in enumerate(self.agenda.tables):
            busy = defaultdict(list)
            for place, cluster_of in enumerate(clusters):
                here = [self.held[one][slot] for one in cluster_of if slot in self.held[one]]
                if here:
                    busy[place] = here
            marks = []
            for here in busy.values():
                marks.append(self._new())
                self.clauses.extend([[-one, marks[-1]] for one in here])
            if len(marks) > tables:
                self._count(marks, tables, CardEnc.atmost)

    def _count(self, literals: Sequence[int], bound: int, how: Callable[..., CNF]) -> None:
        counted = how(list(literals), bound, vpool=self._pool, encoding=EncType.totalizer)
        self.clauses.extend(counted.clauses)

    def _before(self, first: dict[int, int], second: dict[int, int]) -> None:
        for slot, literal in second.items():
            self.clauses.append([-literal, *(one for at, one in first.items() if at < slot)])
        for slot, literal in first.items():
            self.clauses.append([-literal, *(one for at, one in second.items() if at > slot)])
