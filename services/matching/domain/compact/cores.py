"""Least cost by unsatisfiable cores: OLL (Morgado, Dodaro and Marques-Silva 2014), unit weights.

Over CaDiCaL (MIT licence). Cores that share nothing are all found before any is relaxed, as in RC2
(Ignatiev, Morgado and Marques-Silva 2019).
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Self

from pysat.card import ITotalizer
from pysat.solvers import Cadical195

SEARCH = {"phase": 0, "target": 2}
"""Try false first, as most meetings are not in most slots, and go back to what went far."""
CONFLICTS_FIRST = 20_000
"""Looking at the time starts the solver's search anew, which cost five times as many of them."""
CONFLICTS_PER_SECOND = 500
"""Fewer than are mostly had, so that a short time is not overrun by much."""


class Late(Exception):
    """Time was over before the search ended."""


class Solver:
    """A SAT solver that can be asked until a time is over."""

    def __init__(self, clauses: Iterable[Sequence[int]], until: float | None = None) -> None:
        """Take the clauses; `until` is in seconds of `time.monotonic`."""
        self._until, self._solver = until, Cadical195()
        self._solver.configure(SEARCH)
        self.add(clauses)

    def __enter__(self) -> Self:
        """Give the solver."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Free its memory."""
        self._solver.delete()

    def add(self, clauses: Iterable[Sequence[int]]) -> None:
        """Add clauses."""
        deque(map(self._solver.add_clause, clauses), maxlen=0)

    def ask(self, assumed: Sequence[int]) -> bool:
        """Say whether all that is assumed can be; Late if time is over first."""
        if self._until is None:
            return bool(self._solver.solve(list(assumed)))
        left = self._until - time.monotonic()
        budget = _conflicts(left)
        while (left := self._until - time.monotonic()) > 0:
            start = time.monotonic()
            if (answer := self._try(assumed, budget)) is not None:
                return answer
            # As many as the time left seems to allow, half of it at most: later ones are slower.
            budget = int(budget * min(4.0, max(0.1, left / 2 / (time.monotonic() - start))))
        raise Late

    def ask_shortly(self, assumed: Sequence[int]) -> bool | None:
        """As `ask`, but None if it takes more than a few seconds, or than the time left allows."""
        left = math.inf if self._until is None else self._until - time.monotonic()
        return self._try(assumed, _conflicts(left)) if left > 0 else None

    def _try(self, assumed: Sequence[int], conflicts: int) -> bool | None:
        """As `ask`, but None if so many conflicts do not tell."""
        self._solver.conf_budget(max(conflicts, 1))
        answer: bool | None = self._solver.solve_limited(list(assumed))
        return answer

    def core(self) -> list[int]:
        """Give some of what was assumed that cannot be together."""
        return list(self._solver.get_core() or ())

    def model(self) -> list[int]:
        """Give the literals that are true in the last solution."""
        return list(self._solver.get_model())


def _conflicts(left: float) -> int:
    """Give how many conflicts to begin with where so many seconds are left."""
    return int(min(CONFLICTS_FIRST, left * CONFLICTS_PER_SECOND))


class Cores:
    """A search for the solution in which the most of `wanted` is true."""

    def __init__(
        self,
        solver: Solver,
        wanted: Sequence[int],
        top: int,
        hear: Callable[[list[int] | None, int], bool],
    ) -> None:
        """Search above the variable `top`.

        `hear` is told of a solution, if there is a new one, and of how many of what is wanted are
        false in any; it says whether that is good enough.
        """
        self._solver, self._top, self._hear = solver, top, hear
        self._counters: dict[int, tuple[list[int], int]] = {}
        """For what is assumed of an earlier core: its sums, and which of them this is."""
        self._assumed = dict.fromkeys(wanted)
        self._bound = 0

    def know(self, core: Sequence[int], false: int) -> None:
        """Take as known that so many of these are false; `wanted` has them all."""
        self._bound += false
        self._hear(None, self._bound)
        for one in core:
            del self._assumed[one]
        if len(core) == false:
            self._solver.add([-one] for one in core)
            return
        sums = self._sums(core)
        self._solver.add([[sums[false - 1]]])
        self._count(sums, false)

    def search(self) -> bool:
        """Search until the best is known, False if there is none; Late if time is over first."""
        # All that is wanted comes first: mostly it can be, or none exists.
        at_once = self._solver.ask_shortly(list(self._assumed))
        if at_once is False and not self._solver.core():
            return False
        # Any solution is had before the best, for time may be over soon.
        if not at_once and not self._solver.ask([]):
            return False
        is_over = self._hear(self._solver.model(), self._bound)
        while not is_over:
            is_over = self._round()
        return True

    def _round(self) -> bool:
        """Find cores that share nothing, relax them, and say whether the best is known."""
        cores: list[list[int]] = []
        assumed = list(self._assumed)
        while not self._solver.ask(assumed):
            cores.append(self._solver.core())
            self._bound += 1
            if self._hear(None, self._bound):
                return True
            assumed = [one for one in assumed if one not in cores[-1]]
        is_over = self._hear(self._solver.model(), self._bound) or not cores
        for core in cores:
            self._relax(core)
        return is_over

    def _relax(self, core: Sequence[int]) -> None:
        for one in core:
            del self._assumed[one]
            if one in self._counters:
                sums, at = self._counters.pop(one)
                self._count(sums, at + 1)
        if len(core) == 1:
            self._solver.add([[-core[0]]])
            return
        self._count(self._sums(core), 1)

    def _sums(self, core: Sequence[int]) -> list[int]:
        """Give literals that are true if at least 1, 2, ... of a core are false."""
        with ITotalizer([-one for one in core], ubound=len(core) - 1, top_id=self._top) as counter:
            self._top = max(self._top, counter.top_id)
            self._solver.add(counter.cnf.clauses)
            return list(counter.rhs)

    def _count(self, sums: list[int], at: int) -> None:
        """Assume that no more than `at` of a core are false."""
        if at < len(sums):
            self._assumed[-sums[at]] = None
            self._counters[-sums[at]] = sums, at
