"""A schedule at once, then better ones, and a bound that tells how good they can become at all.

A few dozen participants are for the exact engine too; more of them are only annealed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random

from services.matching.domain.compact import bounds
from services.matching.domain.compact.check import breaks
from services.matching.domain.compact.conflict import conflict
from services.matching.domain.compact.deciding import decide
from services.matching.domain.compact.feasible import fill
from services.matching.domain.compact.filling import NOWHERE
from services.matching.domain.compact.layout import layout
from services.matching.domain.compact.maxsat import CAUSE_SECONDS, Compact, compact
from services.matching.domain.compact.problem import Agenda
from services.matching.domain.compact.sketch import ANNEALED_SLOTS_MAX
from services.matching.domain.compact.windows import cause

SMALL = 80
"""So many participants the exact engine mostly proves in seconds."""
EXACT_SHARE = 2 / 3
"""How much of the time is the exact engine's; what it has not proven by then is annealed."""
TELLING_SHARE = 0.05
"""How much of the time may go into telling of better schedules."""


def anytime(
    agenda: Agenda,
    seconds: float,
    progress: Callable[[Compact], None],
    clock: Callable[[], float],
    *,
    seed: int = 1,
    is_stopped: Callable[[], bool] = lambda: False,
) -> Compact:
    """Find a schedule with few breaks in so many seconds of a clock, or until it is stopped.

    `progress` hears of the first one at once, and then of those that are better. The same seed and
    the same readings of the clock give the same schedule. The clock and `is_stopped` are looked at
    every few milliseconds, but for the exact engine and CP-SAT, which have a limit of their own.
    """
    return Search(agenda, Watch(seconds, clock, is_stopped), progress, seed).run()


class Watch:
    """How much time is left."""

    def __init__(
        self, seconds: float, clock: Callable[[], float], is_stopped: Callable[[], bool]
    ) -> None:
        self.clock, self._is_stopped, self._until = clock, is_stopped, clock() + seconds

    def left(self) -> float:
        """Give the seconds left, 0 if it has been stopped."""
        return 0.0 if self._is_stopped() else max(self._until - self.clock(), 0.0)


class Search:
    """The best so far."""

    def __init__(
        self, agenda: Agenda, watch: Watch, progress: Callable[[Compact], None], seed: int
    ) -> None:
        self.agenda, self.watch, self.progress, self.seed = agenda, watch, progress, seed
        self.board = layout(agenda)
        self.best = Compact(None, 0, is_proven=False)

    def run(self) -> Compact:
        """Fill, then prove or anneal."""
        slots = self._first()
        if slots is None:
            return self.best
        windows = bounds.window_starts(self.board)
        least = bounds.breaks_least(self.board, windows)
        self.best = replace(self.best, bound=sum(least))
        self._hear(slots)
        if len(self.board.held) <= SMALL:
            self._prove()
        self._anneal(slots, (windows, least))
        return self.best

    def _goes_on(self) -> bool:
        return not self.best.is_proven and self.watch.left() > 0

    def _first(self) -> Sequence[int] | None:
        """Find any schedule; without one `best` says why, as far as that is known."""
        random = Random(self.seed)  # noqa: S311  # no secret
        slots = fill(self.board, random, lambda: not self.watch.left()).slots
        if NOWHERE not in slots:
            return slots
        if (why := cause(self.agenda)) is not None:
            self.best = Compact(None, 0, cause=why)
            return None
        found, is_impossible = decide(self.board, slots, self.watch.left(), self.seed)
        if is_impossible:
            self.best = Compact(None, 0, cause=conflict(self.agenda, CAUSE_SECONDS))
        return found

    def _hear(self, slots: Sequence[int], bound: int = 0) -> None:
        """Take a schedule if it is better, and a bound if it is higher."""
        best = replace(self.best, bound=max(bound, self.best.bound))
        found = breaks(self.agenda, slots)
        is_fair = self.agenda.spread is None or _spread(found) <= self.agenda.spread
        count = sum(found.values())
        if is_fair and (best.slots is None or count < best.breaks):
            best = replace(best, slots=tuple(slots), breaks=count)
        best = replace(best, is_proven=best.slots is not None and best.breaks <= best.bound)
        if best != self.best:
            self.best = best
            self.progress(best)

    def _prove(self) -> None:
        if not self._goes_on():
            return
        found = compact(self.agenda, self.watch.left() * EXACT_SHARE, self._hear_exact)
        if found.is_proven and found.slots is None:
            self.best = found
        else:
            self._hear_exact(found)

    def _hear_exact(self, found: Compact) -> None:
        if (slots := found.slots or self.best.slots) is not None:
            self._hear(slots, found.bound)

    def _anneal(self, first: Sequence[int], bounds: tuple[list[int], list[int]]) -> None:
        """Anneal for the time that is left."""
        if not self._goes_on() or len(self.board.tables) > ANNEALED_SLOTS_MAX:
            return
        # Its compiler takes a second to load, which the first schedule does not wait for.
        from services.matching.domain.compact.annealing import Annealing

        slots = first if self.best.slots is None else self.best.slots
        annealing = Annealing(self.board, slots, bounds, self.agenda.spread, self.seed)
        clock, began, again = self.watch.clock, self.watch.left() or 1.0, 0.0
        for _ in annealing.cool(lambda: 1 - self.watch.left() / began):
            if (now := clock()) >= again:
                self._hear(annealing.best)
                again = clock() + (clock() - now) / TELLING_SHARE
        if annealing.breaks is not None:
            self._hear(annealing.best)


def _spread(found: dict[int, int]) -> int:
    return max(found.values(), default=0) - min(found.values(), default=0)
