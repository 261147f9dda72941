"""The schedule with the fewest breaks, proven, or the best that time allows with what is proven."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.matching.domain.compact.check import breaks
from services.matching.domain.compact.conflict import conflict
from services.matching.domain.compact.cores import Cores, Late, Solver
from services.matching.domain.compact.encoding import FEW_TABLES, Encoding
from services.matching.domain.compact.narrowing import narrowed
from services.matching.domain.compact.packing import packed
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.uncollected import uncollected
from services.matching.domain.compact.windows import Cause, cause

CAUSE_SECONDS = 10.0
"""How long to look for a cause once it is known that there is one."""


@dataclass(frozen=True, slots=True)
class Compact:
    """A slot for each meeting, or None if no schedule is known."""

    slots: tuple[int, ...] | None
    breaks: int
    """Those of this schedule."""
    bound: int = 0
    """No schedule has fewer."""
    is_proven: bool = True
    """Whether none has fewer than this one, or none exists."""
    cause: Cause | None = None
    """Why none exists."""


def compact(
    agenda: Agenda,
    seconds: float | None = None,
    progress: Callable[[Compact], None] = lambda _: None,
) -> Compact:
    """Find a schedule with the fewest breaks; `progress` hears of each better one and of bounds.

    Without `seconds` it takes as long as the proof does. With them it gives the best schedule found
    in that time (of the clock) and the number of breaks that none can be below. To stop it at once,
    end its process: `progress` has heard of all that was found.
    """
    if (why := cause(agenda)) is not None:
        return Compact(None, 0, cause=why)
    until = None if seconds is None else time.monotonic() + seconds
    board = narrowed(agenda)
    broken = packed(board) if all(board.domains) and board.table_use >= FEW_TABLES else 0
    if not all(board.domains) or broken is None:
        return Compact(None, 0, cause=conflict(agenda, CAUSE_SECONDS))
    with uncollected():
        encoding = Encoding(agenda, board)
        solver = Solver(encoding.clauses, until)
    found = _Found(agenda, encoding, progress)
    with solver:
        solver.add([literal] for literal in encoding.alike.values())
        cores = Cores(solver, encoding.wanted, encoding.top, found.hear)
        if broken:
            cores.know(encoding.unbroken, broken)
        try:
            is_possible = cores.search()
        except Late:
            return found.best
    if not is_possible:
        return Compact(None, 0, cause=conflict(agenda, CAUSE_SECONDS))
    return found.best


class _Found:
    """The best schedule so far."""

    def __init__(
        self, agenda: Agenda, encoding: Encoding, progress: Callable[[Compact], None]
    ) -> None:
        self._agenda, self._encoding, self._progress = agenda, encoding, progress
        self.best = Compact(None, 0, is_proven=False)

    def hear(self, model: list[int] | None, bound: int) -> bool:
        """Take a solution or a bound, and say whether they meet."""
        best = replace(self.best, bound=max(bound, self.best.bound))
        if model is not None:
            slots = self._encoding.slots(model)
            count = sum(breaks(self._agenda, slots).values())
            if best.slots is None or count < best.breaks:
                best = replace(best, slots=slots, breaks=count)
        best = replace(best, is_proven=best.slots is not None and best.breaks == best.bound)
        if best != self.best:
            self.best = best
            self._progress(best)
        return best.is_proven
