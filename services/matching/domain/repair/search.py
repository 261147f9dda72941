"""The search: ejection chains and trees, deepened one move at a time, so that failing proves.

A repair moves some meetings. Put those that must move where it puts them, one after the other: who
stands in the way of one that is put must be moved by the repair too. So trying every slot, and
every set that stands in the way there, finds every repair with so many moves, or shows that there
is none. The idea of chains is that of Kempe and of ejection chains (Glover 1996); the deepening is
Korf's (1985).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.pieces import Piece, Seat

Clock = Callable[[], float]
"""Seconds, from anywhere."""

TIES_MAX = 200
"""How many steps are spent on repairs that move no fewer, for fewer people and nearer slots."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a repair puts pieces, and what it drops."""

    seats: tuple[tuple[Piece, Seat], ...]
    dropped: tuple[Piece, ...]
    cost: tuple[int, int, int, float]
    """Meetings cancelled, people touched, meetings at another time, and the seconds they shift."""


class Search:
    """Searches on a board and leaves it as it was."""

    def __init__(self, board: Board, clock: Clock) -> None:
        self._board = board
        self._clock = clock
        self._settled: list[Piece] = []
        self._lost: list[Piece] = []
        self._best: Plan | None = None
        self._until = 0.0
        self._steps = 0
        self._ties_until = 0
        self.is_whole = True
        """Whether the last search looked everywhere, so that nothing found proves nothing there."""
        self.is_best = True
        """And whether it compared all that cost no more."""

    def run(self, pending: Sequence[Piece], extra: int, drops: int, until: float) -> Plan | None:
        """Put pieces that are lifted, moving at most `extra` others and dropping at most `drops`.

        It ends at `until` of the clock, whatever it has found.
        """
        self._best, self._until, self._steps = None, until, 0
        self.is_whole = self.is_best = True
        self._deepen(list(pending), extra, drops)
        return self._best

    def _is_over(self) -> bool:
        self._steps += 1
        if self._best is not None and self._steps > self._ties_until:
            self.is_best = False
            return True
        if self._steps % 16 == 0 and self._clock() > self._until:
            self.is_whole = False
        return not self.is_whole

    def _deepen(self, pending: list[Piece], extra: int, drops: int) -> None:
        if not pending:
            self._keep()
            return
        if self._is_over():
            return
        board = self._board
        free = [board.free(piece) for piece in pending]
        stuck = sum(not mask for mask in free)
        # One that goes makes room for two by its people, and for a third by its interpreter; where
        # slots overlap it may be for more.
        if board.is_simple and stuck > drops + 3 * extra:
            return
        place = min(range(len(pending)), key=lambda n: free[n].bit_count())
        piece, rest = pending[place], pending[:place] + pending[place + 1 :]
        for slot in self._nearest(piece, free[place]):
            self._settle(piece, slot, rest, (), (extra, drops))
        if extra:
            self._push(piece, rest, extra, drops)
        if drops:
            self._lost.append(piece)
            self._deepen(rest, extra, drops - 1)
            self._lost.pop()

    def _push(self, piece: Piece, rest: list[Piece], extra: int, drops: int) -> None:
        for slot in self._nearest(piece, self._board.reach(piece)):
            for ejected in self._ejections(piece, slot, extra, drops):
                self._settle(piece, slot, rest, ejected, (extra, drops))

    def _settle(
        self,
        piece: Piece,
        slot: int,
        rest: list[Piece],
        ejected: Sequence[Piece],
        budget: tuple[int, int],
    ) -> None:
        if not self.is_whole or not self.is_best:
            return
        board = self._board
        seats = [one.seat for one in ejected]
        for one in ejected:
            board.lift(one)
        board.put(piece, board.seat_at(piece, slot))
        piece.is_settled = True
        self._settled.append(piece)
        self._deepen([*rest, *ejected], budget[0] - len(ejected), budget[1])
        self._settled.pop()
        piece.is_settled = False
        board.lift(piece)
        for one, seat in zip(ejected, seats, strict=True):
            assert seat is not None
            board.put(one, seat)

    def _nearest(self, piece: Piece, mask: int) -> Iterator[int]:
        slots = [n for n in range(self._board.count) if mask >> n & 1]
        if piece.home is not None:
            home = piece.home[0]
            slots.sort(key=lambda n: abs(n - home))
        return iter(slots)

    def _ejections(
        self, piece: Piece, slot: int, extra: int, drops: int
    ) -> Iterator[tuple[Piece, ...]]:
        """Give the sets, of at most `extra`, without which a piece can be put to a slot."""
        board = self._board
        people = [q for one in piece.people for q in board.holders(one, slot)]
        if any(one.is_settled for one in people):
            return
        for helping in self._helping(piece, slot):
            ejected = tuple(dict.fromkeys((*people, *helping)))
            allowed = board.allowed(piece, slot)
            has_point = board.free_points[slot] & allowed or any(
                one.seat and one.seat[0] == slot and self._leaves_point(one, allowed)
                for one in ejected
            )
            if has_point:
                if ejected and len(ejected) <= extra:
                    yield from self._promising([ejected], piece, slot, (extra, drops))
            elif len(ejected) < extra:
                sets = [(*ejected, one) for one in self._on_points(slot, allowed)]
                yield from self._promising(sets, piece, slot, (extra, drops))

    def _on_points(self, slot: int, allowed: int) -> list[Piece]:
        return [
            one
            for one in self._board.members(slot)
            if not one.is_settled and self._leaves_point(one, allowed)
        ]

    def _leaves_point(self, one: Piece, allowed: int) -> bool:
        """Say whether the point of one that goes is open, and one of those allowed."""
        assert one.seat is not None
        slot, point, _ = one.seat
        return bool(self._board.open_points[slot] & allowed & 1 << point)

    def _helping(self, piece: Piece, slot: int) -> list[list[Piece]]:
        """List what must go so that somebody interprets: each set frees one who can."""
        board = self._board
        if piece.helpers is None or board.helped(piece.helpers, 1 << slot):
            return [[]]
        there = [one for one in piece.helpers if not board.away[one] >> slot & 1]
        sets = [board.holders(one, slot) for one in there]
        return [held for held in sets if not any(one.is_settled for one in held)]

    def _promising(
        self,
        sets: Sequence[tuple[Piece, ...]],
        piece: Piece,
        slot: int,
        budget: tuple[int, int],
    ) -> Iterator[tuple[Piece, ...]]:
        """Leave out the last meeting that would go, when it has nowhere to go."""
        extra, drops = budget
        board = self._board
        is_last = not drops and board.is_simple and piece.helpers is None
        for ejected in sets:
            if is_last and len(ejected) == extra:
                mask = ~(1 << slot)
                if not all(one.helpers is not None or board.free(one) & mask for one in ejected):
                    continue
            yield ejected

    def _keep(self) -> None:
        board = self._board
        touched = {r for one in (*self._settled, *self._lost) for r in one.people}
        shifts = []
        for piece in self._settled:
            assert piece.seat is not None
            shifts.append(board.shift(piece, piece.seat[0]))
            touched.update(r for seat in (piece.home, piece.seat) if seat for r in seat[2:])
        cancelled = sum(one.meeting is not None for one in self._lost)
        elsewhen = sum(shift > 0 for shift in shifts)
        cost = (cancelled, len(touched - {-1}), elsewhen, sum(shifts))
        if self._best is None:
            self._ties_until = self._steps + TIES_MAX
        if self._best is None or cost < self._best.cost:
            seats = tuple((one, one.seat) for one in self._settled if one.seat)
            self._best = Plan(seats, tuple(self._lost), cost)
