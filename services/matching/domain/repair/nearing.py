"""Nearing: what a repair moves goes back to its own time, or nearer, where nobody else is moved.

The many are put where they fit. This moves no further meeting and drops none: each that the repair
touches tries the slots that are free now, and then to change with another that it touches.
"""

from collections.abc import Sequence

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.pieces import NOBODY, Piece, Seat, bits
from services.matching.domain.repair.placing import Outcome, Time

Cost = tuple[int, int, float]
"""Interpreters touched, meetings that change their time, and the seconds by which they do."""


def bring_nearer(board: Board, outcome: Outcome, time: Time) -> None:
    """Better the seats of an outcome that is not on the board yet; the board is left as it was."""
    pieces = list(outcome.seats)
    was = {piece: piece.seat for piece in pieces if piece.seat}
    for piece in was:
        board.lift(piece)
    for piece, seat in outcome.seats.items():
        board.put(piece, seat)
    while _better_some(board, pieces, time):
        pass
    for piece in pieces:
        assert piece.seat is not None
        outcome.seats[piece] = piece.seat
        board.lift(piece)
    for piece, seat in was.items():
        board.put(piece, seat)


def _better_some(board: Board, pieces: Sequence[Piece], time: Time) -> bool:
    clock, until = time
    is_better = False
    for piece in pieces:
        if clock() <= until and _cost(board, [piece]) > (0, 0, 0.0):
            is_better |= _alone(board, piece) or _changing(board, piece, pieces)
    return is_better


def _alone(board: Board, piece: Piece) -> bool:
    """Put a piece where it costs less, if it can be there while all others stay."""
    before, seat = _cost(board, [piece]), piece.seat
    assert seat is not None
    board.lift(piece)
    _put_nearest(board, piece)
    return _keep_if_less(board, {piece: seat}, before)


def _changing(board: Board, piece: Piece, pieces: Sequence[Piece]) -> bool:
    """Put a piece to its own time in place of another, where both together cost less then."""
    if piece.home is None or piece.seat is None or piece.seat[0] == piece.home[0]:
        return False
    home = piece.home[0]
    for other in pieces:
        is_there = other.seat is not None and board.overlap[home] >> other.seat[0] & 1
        if other is piece or not is_there:
            continue
        seats = {one: one.seat for one in (piece, other) if one.seat}
        before = _cost(board, [*seats])
        board.lift(piece)
        board.lift(other)
        if board.free(piece) >> home & 1:
            board.put(piece, board.seat_at(piece, home))
            _put_nearest(board, other)
        if _keep_if_less(board, seats, before):
            return True
    return False


def _put_nearest(board: Board, piece: Piece) -> None:
    """Put a piece that is lifted where it costs least, if it can be anywhere."""
    seats = [board.seat_at(piece, slot) for slot in bits(board.free(piece))]
    if seats:
        board.put(piece, min(seats, key=lambda seat: _cost_at(board, piece, seat)))


def _keep_if_less(board: Board, seats: dict[Piece, Seat], before: Cost) -> bool:
    """Say whether pieces cost less where they are now than at `seats`; put them back if not."""
    if all(piece.seat for piece in seats) and _cost(board, list(seats)) < before:
        return True
    for piece in seats:
        if piece.seat is not None:
            board.lift(piece)
    for piece, seat in seats.items():
        board.put(piece, seat)
    return False


def _cost(board: Board, pieces: Sequence[Piece]) -> Cost:
    costs = [_cost_at(board, piece, piece.seat) for piece in pieces if piece.seat]
    return sum(c[0] for c in costs), sum(c[1] for c in costs), sum(c[2] for c in costs)


def _cost_at(board: Board, piece: Piece, seat: Seat) -> Cost:
    if piece.home is None:
        return 0, 0, 0.0
    others = {seat[2]} - {piece.home[2], NOBODY}
    shift = board.shift(piece, seat[0])
    return len(others), int(shift > 0), shift
