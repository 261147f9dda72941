"""Solving: the search first, chains one by one where it is too much, and what is proven."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from services.matching.domain.repair import exact
from services.matching.domain.repair.board import Board, Piece, Seat
from services.matching.domain.repair.bounds import drops_forced, moves_forced, seated
from services.matching.domain.repair.search import Clock, Plan, Search

SECONDS_MAX = 0.42
"""All of it; the rest of half a second is for the proposal."""
LEVEL_SECONDS_MAX = 0.12
CHAIN_SECONDS_MAX = 0.03
EXTRA_MAX = 4
CHAIN_EXTRA_MAX = 2
TOGETHER_MAX = 4
"""More that must move are put one by one before anything else is tried."""


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


def solve(board: Board, clock: Clock) -> Outcome:
    """Repair a board: few dropped, then few moved, few people, near slots; in half a second.

    The board is left as it was but for the pieces that are hit, which are lifted.
    """
    until = clock() + SECONDS_MAX
    for piece in board.hit:
        board.lift(piece)
    outcome = _solved(board, [*board.hit, *board.wanted], (clock, until))
    cancelled = sum(piece.meeting is not None for piece in outcome.dropped)
    if board.wanted and cancelled:
        # Nobody's meeting is given up for one that is only wished.
        alone = _solved(board, board.hit, (clock, until))
        if len(alone.dropped) < cancelled or not alone.drops_proven:
            alone.dropped += board.wanted
            alone.drops_proven = alone.moves_proven = alone.is_nearest = False
            return alone
    return outcome


def _solved(board: Board, lifted: Sequence[Piece], time: tuple[Clock, float]) -> Outcome:
    # What is refused or can be nowhere is dropped whatever else is done.
    nowhere = [piece for piece in lifted if not board.reach(piece)]
    pending = [piece for piece in lifted if board.reach(piece)]
    must = drops_forced(board, pending)
    bound = max(0, moves_forced(board, pending) - must)
    outcome = None
    if len(pending) <= TOGETHER_MAX:
        outcome, bound = _deepened(board, pending, (must, bound), time)
    outcome = outcome or _many(board, pending, (must, bound), time)
    outcome.dropped += nowhere
    return outcome


def _many(
    board: Board, pending: Sequence[Piece], least: tuple[int, int], time: tuple[Clock, float]
) -> Outcome:
    """Put one by one; look for better in a neighbourhood, where the bounds do not meet that."""
    clock, until = time
    outcome = _one_by_one(board, pending, clock, until)
    _judge(outcome, pending, *least)
    if not outcome.moves_proven:
        found = _by_neighbourhood(board, pending, until - clock())
        if found is not None and found.cost < outcome.cost:
            outcome = found
            _judge(outcome, pending, *least)
    return outcome


def _deepened(
    board: Board, pending: Sequence[Piece], least: tuple[int, int], time: tuple[Clock, float]
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


def _one_by_one(board: Board, pending: Sequence[Piece], clock: Clock, until: float) -> Outcome:
    """Put each where it moves the fewest, given those before; who finds no room is dropped."""
    outcome = Outcome()
    search = Search(board, clock)
    was = {piece.number: piece.seat for piece in board.pieces if piece.seat}
    for piece, slot in zip(pending, seated(board, pending), strict=True):
        if slot >= 0 and board.free(piece) >> slot & 1:
            _apply(board, Plan(((piece, board.seat_at(piece, slot)),), (), (0, 0, 0)), outcome)
    stuck = [piece for piece in pending if piece not in outcome.seats]
    for piece in sorted(stuck, key=lambda p: board.free(p).bit_count()):
        plan = _chain(search, piece, clock, until)
        if plan is None:
            outcome.dropped.append(piece)
        else:
            _apply(board, plan, outcome)
    for piece in list(outcome.seats):
        piece.is_settled = False
        board.lift(piece)
    for piece in outcome.seats:
        seat = was.get(piece.number)
        if seat is not None:
            board.put(piece, seat)
    return outcome


def _chain(search: Search, piece: Piece, clock: Clock, until: float) -> Plan | None:
    for extra in range(CHAIN_EXTRA_MAX + 1):
        plan = search.run([piece], extra, 0, min(until, clock() + CHAIN_SECONDS_MAX))
        if plan is not None:
            return plan
    return None


def _apply(board: Board, plan: Plan, outcome: Outcome) -> None:
    for piece, _ in plan.seats:
        if piece.seat is not None:
            board.lift(piece)
    for piece, seat in plan.seats:
        board.put(piece, seat)
        piece.is_settled = True
        outcome.seats[piece] = seat


def _by_neighbourhood(board: Board, pending: Sequence[Piece], seconds: float) -> Outcome | None:
    found = exact.solved(board, pending, seconds)
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
