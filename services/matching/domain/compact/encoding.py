"""An agenda as clauses, after Bofill and others, "Constraint solving for B2B scheduling" (2022).

Beside their variables a participant has a literal for each window that Hall's condition leaves.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import combinations, pairwise

from pysat.card import ITotalizer

from services.matching.domain.compact.counting import at_least, at_most
from services.matching.domain.compact.layout import Layout, bits
from services.matching.domain.compact.packing import needs
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.windows import followed

FULL_DAY = 0.5
"""From this share of somebody's possible slots on, it tells that so many are used at least."""
FEW_TABLES = 0.7
"""From this share of all tables in use on, it tells how many people can be there in a slot."""


class Encoding:
    """The clauses, and a literal for each break that a schedule can do without."""

    def __init__(self, agenda: Agenda, board: Layout) -> None:
        """Encode an agenda, laid out with the slots that are left."""
        self.clauses: list[list[int]] = []
        self.wanted: list[int] = []
        """Each is true where somebody has a break less; several of one person come in order."""
        self.unbroken: list[int] = []
        """Those of them that say that somebody who can do without any break has none."""
        self.alike: dict[int, int] = {}
        """Assumed of a participant: no more breaks than the spread above those with the fewest."""
        self.top = 0
        """The highest variable."""
        self._agenda, self._board = agenda, board
        self._used: list[list[int]] = []
        self._floors: dict[int, int] = {}
        self.held = [{slot: self._new() for slot in bits(mask)} for mask in self._board.domains]
        """For each meeting the literals of the slots in which it can be."""
        for literals in self.held:
            self.clauses.append(list(literals.values()))
            self._at_most_one(list(literals.values()))
        people = dict.fromkeys(p for meeting in agenda.meetings for p in meeting.people)
        for person, held in zip(people, self._board.held, strict=True):
            self._participant(person, held)
        self._tables()
        for first, second in agenda.precedences:
            self._before(self.held[first], self.held[second])

    def slots(self, model: Iterable[int]) -> tuple[int, ...]:
        """Read a slot for each meeting from the literals that are true."""
        true = {literal for literal in model if literal > 0}
        return tuple(
            next(slot for slot, literal in of.items() if literal in true) for of in self.held
        )

    def _new(self) -> int:
        self.top += 1
        return self.top

    def _at_most_one(self, literals: Sequence[int]) -> None:
        self.clauses.extend([-one, -other] for one, other in combinations(literals, 2))

    def _participant(self, person: int, held: Sequence[int]) -> None:
        """Count somebody's slots: all day, and within what can only be early or late."""
        used = []
        for slot in range(self._board.slots):
            here = [self.held[place][slot] for place in held if slot in self.held[place]]
            used.append(self._new())
            self.clauses.append([-used[-1], *here])
            self.clauses.extend([-one, used[-1]] for one in here)
            self._at_most_one(here)
        self._used.append(used)
        domains = [self._board.domains[place] for place in held]
        possible = sum(any(mask >> slot & 1 for mask in domains) for slot in range(len(used)))
        self._at_most(used, len(held))
        if len(held) >= FULL_DAY * possible:
            self._at_least(used, len(held))
        for part, least in needs(domains, self._board.slots):
            self._at_least([used[slot] for slot in bits(part)], least)
        if len(held) > 1:
            self._breaks(person, used, held)

    def _breaks(self, person: int, used: Sequence[int], held: Sequence[int]) -> None:
        unbroken = self._windows(used, held)
        runs_max = min(len(held), self._board.slots - len(held) + 1)
        spread = self._agenda.spread
        if self._is_anchored and spread is not None:
            runs_max = min(runs_max, spread + 2)
        if runs_max <= 1:
            return
        begins = [used[0]]
        for before, slot in pairwise(used):
            begins.append(self._new())
            self.clauses.append([begins[-1], before, -slot])
        more = self._sums(begins, runs_max)[1:]
        self.clauses.append([*unbroken, more[0]])
        self.wanted.extend(-one for one in more)
        if unbroken:
            self.unbroken.append(-more[0])
        if spread is not None and len(more) > spread:
            self.alike[person] = self._new()
            self._limit(self.alike[person], more[spread:])
        if spread is not None and not self._is_anchored:
            self._lift(used, begins)

    def _windows(self, used: Sequence[int], held: Sequence[int]) -> list[int]:
        """Give a literal for each way to have all of somebody's meetings follow one another."""
        found = []
        domains = [self._board.domains[place] for place in held]
        for first in range(self._board.slots - len(held) + 1):
            narrowed = followed(domains, first)
            if not narrowed:
                continue
            found.append(self._new())
            inside = range(first, first + len(held))
            self.clauses.extend([-found[-1], u if t in inside else -u] for t, u in enumerate(used))
            for place, before, mask in zip(held, domains, narrowed, strict=True):
                if mask != before:
                    self.clauses.append([-found[-1], *(self.held[place][t] for t in bits(mask))])
        return found

    @cached_property
    def _is_anchored(self) -> bool:
        """Whether somebody is certain to have no break: then a fair spread is a limit for all."""
        counts = [len(held) for held in self._board.held]
        return min(counts) <= 1 or max(counts) >= self._board.slots

    def _limit(self, alike: int, more: Sequence[int]) -> None:
        """Forbid these breaks but for those that everybody has."""
        for breaks, literal in enumerate(more, 1):
            floor = [] if self._is_anchored else [self._floor(breaks)]
            self.clauses.append([-alike, -literal, *floor])

    def _lift(self, used: Sequence[int], begins: Sequence[int]) -> None:
        """Let somebody have at least the breaks that everybody has."""
        for (before, slot), begin in zip(pairwise(used), begins[1:], strict=True):
            self.clauses.extend([[-begin, -before], [-begin, slot]])
        without = self._sums([-begin for begin in begins], len(begins))
        for breaks in range(1, len(begins)):
            self.clauses.append([-self._floor(breaks), -without[len(begins) - breaks - 1]])

    def _floor(self, breaks: int) -> int:
        """Give the literal that everybody has so many breaks at least."""
        if breaks not in self._floors:
            self._floors[breaks] = self._new()
        return self._floors[breaks]

    def _tables(self) -> None:
        """Count in each slot who is there, and meetings, by a mark for all of one participant."""
        largest = max((len(people) for people in self._board.people), default=0)
        if self._board.table_use >= FEW_TABLES:
            for slot, tables in enumerate(self._board.tables):
                self._at_most([used[slot] for used in self._used], largest * tables)
        clusters, left = [], set(range(len(self.held)))
        while left:
            cluster = max((left.intersection(held) for held in self._board.held), key=len)
            clusters.append(cluster)
            left -= cluster
        for slot, tables in enumerate(self._board.tables):
            marks = []
            for cluster in clusters:
                here = [self.held[one][slot] for one in sorted(cluster) if slot in self.held[one]]
                if here:
                    marks.append(self._new())
                    self.clauses.extend([-one, marks[-1]] for one in here)
            self._at_most(marks, tables)

    def _before(self, first: dict[int, int], second: dict[int, int]) -> None:
        for slot, literal in second.items():
            self.clauses.append([-literal, *(one for at, one in first.items() if at < slot)])
        for slot, literal in first.items():
            self.clauses.append([-literal, *(one for at, one in second.items() if at > slot)])

    def _at_most(self, literals: Sequence[int], bound: int) -> None:
        self._add(*at_most(literals, bound, self.top))

    def _at_least(self, literals: Sequence[int], bound: int) -> None:
        self._add(*at_least(literals, bound, self.top))

    def _add(self, clauses: list[list[int]], top: int) -> None:
        self.clauses.extend(clauses)
        self.top = top

    def _sums(self, literals: Sequence[int], bound: int) -> list[int]:
        """Give literals that are true if at least 1, 2, ... `bound` of some are."""
        with ITotalizer(list(literals), ubound=bound - 1, top_id=self.top) as counter:
            self.top = max(self.top, counter.top_id)
            self.clauses.extend(counter.cnf.clauses)
            return list(counter.rhs[:bound])
