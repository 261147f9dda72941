"""Placing: one piece after the other where it moves the fewest, by chains."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.leaving import Leaving
from services.matching.domain.repair.pieces import Piece, Seat
from services.matching.domain.repair.search import Clock, Plan, Search

CHAIN_SECONDS_MAX = 0.03
CHAIN_EXTRA_MAX = 2
TOGETHER_SECONDS_MAX = 0.1

Time = tuple[Clock, float]
"""A clock, and when it must end."""


@dataclass(slots=True)
class Outcome:
    """Where everything is to go, and what is proven of it."""

    seats: dict[Piece, Seat] = field(default_factory=dict)
    dropped: list[Piece] = field(default_factory=list)
    drops_proven: bool = False
    moves_proven: bool = False
    is_nearest: bool = False
    """Whether nothing that moves no more touches fewer people, or is nearer in time."""

    @property
    def moved(self) -> list[Piece]:
        """List the meetings that go elsewhere."""
        return [p for p, seat in self.seats.items() if p.meeting and seat != p.home]

    @property
    def cost(self) -> tuple[int, int]:
        """Count what is dropped and what is moved."""
        return len(self.dropped), len(self.moved)


def one_by_one(board: Board, pending: Sequence[Piece], slots: Sequence[int], time: Time) -> Outcome:
    """Put each at its slot, or, for -1, where it moves the fewest, given those before.

    Who finds no room is dropped. The board is left as it was.
    """
    placing = _Placing(board, time)
    for piece, slot in zip(pending, slots, strict=True):
        placing.try_at(piece, slot)
    placing.chain(pending)
    return placing.undone()


def following(board: Board, pending: Sequence[Piece], way: Leaving, time: Time) -> Outcome:
    """Put those that are lifted where a program's answer has them, and search for the rest.

    Who finds no room with as few moves as the answer has is put where it moves the fewest. The
    board is left as it was.
    """
    placing = _Placing(board, time)
    for piece in pending:
        placing.try_at(piece, way.slots.get(piece, -1))
    placing.together(pending, way.count)
    placing.chain(pending)
    return placing.undone()


class _Placing:
    """Moves pieces on a board, and puts them back in the end."""

    def __init__(self, board: Board, time: Time) -> None:
        self._board = board
        self._clock, self._until = time
        self._search = Search(board, self._clock)
        self._was: dict[Piece, Seat] = {}
        """Where the pieces sat that were moved, but for those that were lifted before."""
        self._outcome = Outcome()

    def try_at(self, piece: Piece, slot: int) -> bool:
        """Put a piece that is lifted at a slot, if all it needs is free there."""
        is_open = slot >= 0 and piece not in self._outcome.seats
        if not is_open or not self._board.free(piece) >> slot & 1:
            return False
        self._apply([(piece, self._board.seat_at(piece, slot))])
        return True

    def together(self, pieces: Sequence[Piece], extra: int) -> None:
        """Put those that are left so that so many others move, if that is found in time."""
        stuck = [piece for piece in pieces if piece not in self._outcome.seats]
        until = min(self._until, self._clock() + TOGETHER_SECONDS_MAX)
        plan = self._search.run(stuck, extra, 0, until)
        if plan is not None:
            self._apply(plan.seats)

    def chain(self, pieces: Sequence[Piece]) -> None:
        """Put those that are left where they move the fewest; drop who finds no room."""
        stuck = [piece for piece in pieces if piece not in self._outcome.seats]
        for piece in sorted(stuck, key=lambda p: self._board.free(p).bit_count()):
            plan = self._chain(piece)
            if plan is None:
                self._outcome.dropped.append(piece)
            else:
                self._apply(plan.seats)

    def undone(self) -> Outcome:
        """Put everything back, and say what would be done."""
        board, seats = self._board, self._outcome.seats
        for piece in list(seats):
            piece.is_settled = False
            board.lift(piece)
        for piece in seats:
            seat = self._was.get(piece)
            if seat is not None:
                board.put(piece, seat)
        return self._outcome

    def _chain(self, piece: Piece) -> Plan | None:
        for extra in range(CHAIN_EXTRA_MAX + 1):
            until = min(self._until, self._clock() + CHAIN_SECONDS_MAX)
            plan = self._search.run([piece], extra, 0, until)
            if plan is not None:
                return plan
        return None

    def _apply(self, seats: Sequence[tuple[Piece, Seat]]) -> None:
        for piece, _ in seats:
            if piece.seat is not None:
                if piece not in self._outcome.seats:
                    self._was[piece] = piece.seat
                self._board.lift(piece)
        for piece, seat in seats:
            self._board.put(piece, seat)
            piece.is_settled = True
            self._outcome.seats[piece] = seat
