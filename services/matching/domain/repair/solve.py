"""Solving: the search first, chains one by one where it is too much, and what is proven."""

from collections.abc import Callable, Sequence

from services.matching.domain.repair import exact
from services.matching.domain.repair.board import Board
from services.matching.domain.repair.bounds import drops_forced, moves_forced, seated
from services.matching.domain.repair.leaving import leaving
from services.matching.domain.repair.nearing import bring_nearer
from services.matching.domain.repair.pieces import Piece
from services.matching.domain.repair.placing import Outcome, Time, following, one_by_one
from services.matching.domain.repair.search import Search

LEVEL_SECONDS_MAX = 0.12
EXTRA_MAX = 4
TOGETHER_MAX = 4
"""More that must move are put one by one before anything else is tried."""


def solve(board: Board, time: Time) -> Outcome:
    """Repair a board: few dropped, then few moved, few people, few other times, near slots.

    The board is left as it was but for the pieces that are hit, which are lifted.
    """
    for piece in board.hit:
        board.lift(piece)
    outcome = _solved(board, [*board.hit, *board.wanted], time)
    cancelled = sum(piece.meeting is not None for piece in outcome.dropped)
    if board.wanted and cancelled:
        # Nobody's meeting is given up for one that is only wished.
        alone = _solved(board, board.hit, time)
        if len(alone.dropped) < cancelled or not alone.drops_proven:
            alone.dropped += board.wanted
            alone.drops_proven = alone.moves_proven = alone.is_nearest = False
            return alone
    return outcome


def _solved(board: Board, lifted: Sequence[Piece], time: Time) -> Outcome:
    # What is refused or can be nowhere is dropped whatever else is done.
    nowhere = [piece for piece in lifted if not board.reach(piece)]
    pending = [piece for piece in lifted if board.reach(piece)]
    must = drops_forced(board, pending)
    bound = max(0, moves_forced(board, pending) - must)
    outcome = None
    if len(pending) <= TOGETHER_MAX:
        outcome, bound = _deepened(board, pending, (must, bound), time)
    outcome = outcome or _many(board, pending, (must, bound), time)
    if not outcome.is_nearest:
        bring_nearer(board, outcome, time)
    outcome.dropped += nowhere
    return outcome


def _many(board: Board, pending: Sequence[Piece], least: tuple[int, int], time: Time) -> Outcome:
    """Put one by one; where the bounds do not meet that, sharpen them and look for better."""
    clock, until = time
    must, bound = least
    best = one_by_one(board, pending, seated(board, pending), time)
    _judge(best, pending, must, bound)
    if best.moves_proven:
        return best
    found = leaving(board, pending, must, until - clock())
    bound = max(bound, found.count)
    ways: Sequence[Callable[[], Outcome | None]] = (
        lambda: best,
        lambda: following(board, pending, found, time),
        lambda: _by_neighbourhood(board, pending, (must, bound), time),
    )
    for way in ways:
        outcome = way()
        if outcome is not None and outcome.cost <= best.cost:
            best = outcome
            _judge(best, pending, must, bound)
        if best.moves_proven:
            break
    return best


def _deepened(
    board: Board, pending: Sequence[Piece], least: tuple[int, int], time: Time
) -> tuple[Outcome | None, int]:
    """Search with more and more moves; gives what it found, and the moves that are shown to need.

    `least`: the drops and the further moves that the bounds force.
    """
    must, bound = least
    clock, until = time
    search = Search(board, clock)
    for extra in range(bound, EXTRA_MAX + 1):
        level = min(until, clock() + LEVEL_SECONDS_MAX)
        plan = search.run(pending, extra, must, level)
        if plan is not None:
            is_proven = extra == bound
            return Outcome(
                dict(plan.seats),
                list(plan.dropped),
                drops_proven=True,
                moves_proven=is_proven,
                is_nearest=is_proven and search.is_whole and search.is_best,
            ), bound
        if not search.is_whole:
            break
        bound = extra + 1
    return None, bound


def _by_neighbourhood(
    board: Board, pending: Sequence[Piece], least: tuple[int, int], time: Time
) -> Outcome | None:
    found = exact.solved(board, pending, least, time)
    if found is None:
        return None
    free = exact.neighbourhood(board, pending)
    was = {piece: piece.seat for piece in free if piece.seat}
    moved = [
        (piece, slot, helper)
        for piece, slot, helper in found
        if piece.seat is None or (slot, helper) != (piece.seat[0], piece.seat[2])
    ]
    placed = {piece for piece, _, _ in found}
    gone = [piece for piece in free if piece not in placed]
    outcome = Outcome(dropped=gone)
    lifted = [p for p in (*(one[0] for one in moved), *gone) if p.seat is not None]
    for piece in lifted:
        board.lift(piece)
    for piece, slot, helper in moved:
        point = board.point_at(piece, slot)
        board.put(piece, (slot, point, helper))
        outcome.seats[piece] = (slot, point, helper)
    for piece in outcome.seats:
        board.lift(piece)
    for piece in lifted:
        board.put(piece, was[piece])
    return outcome


def _judge(outcome: Outcome, pending: Sequence[Piece], must: int, bound: int) -> None:
    """Say what the bounds prove: as few dropped as forced, and then as few moved."""
    outcome.drops_proven = len(outcome.dropped) <= must
    touched = len(outcome.seats) + len(outcome.dropped)
    outcome.moves_proven = outcome.drops_proven and touched <= len(pending) + bound
