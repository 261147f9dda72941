"""Annealing of a first schedule: colder and colder by the clock, until the bound is met."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from services.matching.domain.compact import kernel
from services.matching.domain.compact.layout import Layout

HOT = 0.45
"""At this temperature a fair's schedules are still in disorder; they set around 0.4."""
COLD = 0.18
"""At this one nearly nothing moves."""
SHARE = 0.9
"""How many moves are for those who wait more than they have to."""
STEPS = 20_000
"""Moves between two looks at the clock: a few milliseconds."""


class Annealing:
    """A search from a schedule that is whole."""

    def __init__(
        self,
        board: Layout,
        slots: Sequence[int],
        bounds: tuple[Sequence[int], Sequence[int]],
        spread: int | None,
        seed: int,
    ) -> None:
        """Begin with slots; `bounds` has the windows' starts and least breaks of everybody."""
        self.board = _board(board, bounds, spread)
        self.state = _state(self.board, slots, seed)
        self.bound = sum(bounds[1])
        # What is compiled now does not count as time to cool.
        kernel.anneal(self.board, self.state, 0, COLD, SHARE)

    @property
    def breaks(self) -> int | None:
        """Give the breaks of the best schedule found; None if none was good."""
        best = int(self.state.counts[kernel.BEST])
        return None if best == NOT_YET else best

    @property
    def best(self) -> tuple[int, ...]:
        """Give the best schedule found."""
        return tuple(int(slot) for slot in self.state.best)

    def cool(self, elapsed: Callable[[], float]) -> Iterator[int]:
        """Anneal from hot to cold while `elapsed` goes from 0 to 1; yield breaks that are fewer."""
        before = self.breaks
        while (share := elapsed()) < 1 and before != self.bound:
            temperature = HOT * (COLD / HOT) ** share
            kernel.anneal(self.board, self.state, STEPS, temperature, SHARE)
            if (found := self.breaks) is not None and found != before:
                before = found
                yield found


NOT_YET = np.iinfo(np.int64).max


def _board(
    board: Layout, bounds: tuple[Sequence[int], Sequence[int]], spread: int | None
) -> kernel.Board:
    width = max(map(len, board.people))
    number = _number(len(board.people), 2 * len(board.held))
    people = np.full((len(board.people), width), kernel.NOBODY, number)
    for meeting, of in enumerate(board.people):
        people[meeting, : len(of)] = of
    orders, others, signs = [0], [], []
    for meeting in range(len(people)):
        later, earlier = board.later.get(meeting, []), board.earlier.get(meeting, [])
        others += [*later, *earlier]
        signs += [1] * len(later) + [-1] * len(earlier)
        orders.append(len(others))
    return kernel.Board(
        people,
        np.array(board.domains, np.uint64),
        np.array(bounds[0], np.uint64),
        np.array([len(held) for held in board.held], np.int8),
        np.array(bounds[1], np.int8),
        np.array(board.tables, np.int64),
        np.array(orders, np.int64),
        np.array(others, np.int64),
        np.array(signs, np.int64),
        len(board.tables) if spread is None else spread,
        people.sum(axis=1, dtype=number),
        not others and all(len(of) == kernel.PAIR for of in board.people),
    )


def _number(*most: int) -> type[np.int16] | type[np.int32]:
    """Give the narrower type where numbers allow: what the processor's cache holds decides."""
    return np.int16 if max(most) < 2**15 else np.int32


def _state(board: kernel.Board, slots: Sequence[int], seed: int) -> kernel.State:
    meetings, people = len(board.people), len(board.held)
    at = np.full((people, len(board.tables)), kernel.NOBODY, board.people.dtype)
    used = np.zeros(people, np.uint64)
    for meeting, slot in enumerate(slots):
        of = board.people[meeting][board.people[meeting] != kernel.NOBODY]
        at[of, slot] = meeting
        used[of] |= np.uint64(1 << slot)
    held = np.array(slots, np.int8)
    ends = board.people.size
    state = kernel.State(
        held,
        at,
        used,
        np.zeros(people, np.float32),
        np.bincount(held, minlength=len(board.tables)).astype(np.int64),
        np.zeros(people, np.int32),
        np.full(people, kernel.NOBODY, np.int32),
        np.zeros(kernel.GAIN + 1, np.int64),
        held.copy(),
        np.zeros(meetings, np.int64),
        np.zeros(kernel.CHAIN_MAX, np.int64),
        np.zeros(ends, np.int64),
        np.zeros(ends, np.uint64),
        np.random.default_rng(seed).integers(1, 2**63, 1, np.uint64),
    )
    kernel.count(board, state)
    return state
