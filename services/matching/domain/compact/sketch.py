"""A schedule annealed for a blink: often it has no more breaks than the bound already."""

from itertools import count
from random import Random

from services.matching.domain.compact import bounds
from services.matching.domain.compact.feasible import fill
from services.matching.domain.compact.filling import NOWHERE
from services.matching.domain.compact.layout import Layout

MOVES = 400_000
"""Some hundredths of a second. What comes to the bound at all mostly does so in a tenth of that."""
ANNEALED_SLOTS_MAX = 63
"""Annealing has a bit of one machine word for each slot."""
SEED = 1


def sketch(board: Layout, spread: int | None) -> tuple[tuple[int, ...] | None, int]:
    """Give a schedule with few breaks, if one is found, and how many there are in any."""
    windows = bounds.window_starts(board)
    least = bounds.breaks_least(board, windows)
    if not board.people or board.slots > ANNEALED_SLOTS_MAX:
        return None, sum(least)
    slots = fill(board, Random(SEED), lambda: False).slots  # noqa: S311  # no secret
    if NOWHERE in slots:
        return None, sum(least)
    # Its compiler takes a second to load, which those who only ask what cannot be do not need.
    from services.matching.domain.compact.annealing import STEPS, Annealing

    annealing = Annealing(board, slots, (windows, least), spread, SEED)
    tried = count(0, STEPS)
    for _ in annealing.cool(lambda: next(tried) / MOVES):
        pass
    return None if annealing.breaks is None else annealing.best, sum(least)
