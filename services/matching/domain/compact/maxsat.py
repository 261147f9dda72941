"""The schedule with the fewest breaks, proven, or the best that time allows with what is proven."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.matching.domain.compact.check import breaks
from services.matching.domain.compact.conflict import conflict
from services.matching.domain.compact.cores import Cores, Late, Solver
from services.matching.domain.compact.encoding import FEW_TABLES, Encoding
from services.matching.domain.compact.layout import Layout
from services.matching.domain.compact.narrowing import narrowed
from services.matching.domain.compact.packing import packed
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.sketch import sketch
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
    found = _Found(agenda, progress)
    if not _search(agenda, found, seconds):
        return Compact(None, 0, cause=conflict(agenda, CAUSE_SECONDS))
    return found.best


def _search(agenda: Agenda, found: "_Found", seconds: float | None) -> bool:
    """Search until the best is found or time is over; False if no schedule exists."""
    until = None if seconds is None else time.monotonic() + seconds
    board = narrowed(agenda)
    if not all(board.domains):
        return False
    slots, least = (None, 0) if seconds == 0 else sketch(board, agenda.spread)
    if found.take(slots, least):
        return True
    broken = packed(board) if board.table_use >= FEW_TABLES else 0
    if broken is None:
        return False
    # Who waits for want of a window is not among those who wait for want of tables.
    return found.take(None, least + broken) or _prove(agenda, board, found, broken, until)


def _prove(
    agenda: Agenda, board: Layout, found: "_Found", broken: int, until: float | None
) -> bool:
    """Search by clauses; so many are known to have a break for want of tables."""
    with uncollected():
        encoding = Encoding(agenda, board)
        solver = Solver(encoding.clauses, until)

    def hear(model: list[int] | None, bound: int) -> bool:
        return found.take(None if model is None else encoding.slots(model), bound)

    with solver:
        solver.add([literal] for literal in encoding.alike.values())
        cores = Cores(solver, encoding.wanted, encoding.top, hear)
        if broken:
            cores.know(encoding.unbroken, broken)
        try:
            return cores.search()
        except Late:
            return True


class _Found:
    """The best schedule so far."""

    def __init__(self, agenda: Agenda, progress: Callable[[Compact], None]) -> None:
        self._agenda, self._progress = agenda, progress
        self.best = Compact(None, 0, is_proven=False)

    def take(self, slots: tuple[int, ...] | None, bound: int) -> bool:
        """Take a schedule, if there is one, and a bound, and say whether they meet."""
        best = replace(self.best, bound=max(bound, self.best.bound))
        if slots is not None:
            count = sum(breaks(self._agenda, slots).values())
            if best.slots is None or count < best.breaks:
                best = replace(best, slots=slots, breaks=count)
        best = replace(best, is_proven=best.slots is not None and best.breaks == best.bound)
        if best != self.best:
            self.best = best
            self._progress(best)
        return best.is_proven
