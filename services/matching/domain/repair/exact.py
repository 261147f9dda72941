"""A bounded neighbourhood, solved by CP-SAT: for what chains alone do not find.

Free to move are the pieces that are lifted, whoever meets their people, and those who sit where
these could go. All others stay: what it finds is a repair, and no proof of another's absence.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from ortools.sat.python import cp_model

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.pieces import NOBODY, Piece, bits
from services.matching.domain.repair.search import Clock

PIECES_MAX = 160
DROPPED_WEIGHT = 1_000
SECONDS_MIN = 0.12
"""For less it is not worth building a model, which takes a part of it."""

Key = tuple[Piece, int, int]
"""A piece, a slot and an interpreter."""


def neighbourhood(board: Board, pending: Sequence[Piece]) -> list[Piece]:
    """List the pieces that are free to move, those that are lifted first."""
    found = dict.fromkeys(pending)
    for ring in range(2):
        for piece in list(found):
            for person in piece.people:
                for slot in bits(board.held[person]):
                    found.setdefault(board.holder[person * board.count + slot])
            if ring == 0:
                for slot in bits(board.reach(piece) & ~board.room):
                    found.update((one, None) for one in board.members(slot) if board.free(one))
            if len(found) >= PIECES_MAX:
                break
    return list(found)[: max(PIECES_MAX, len(pending))]


def solved(
    board: Board, pending: Sequence[Piece], least: tuple[int, int], time: tuple[Clock, float]
) -> list[tuple[Piece, int, int]] | None:
    """Give where pieces of the neighbourhood go that are not dropped; None when none was found.

    `least`: the drops and the further moves that are known to be needed. `time`: the clock, and
    when it must end.
    """
    clock, until = time
    # The model counts points and does not know whose they are, nor where.
    if board.has_booths or board.day.ways or until - clock() < SECONDS_MIN:
        return None
    free = neighbourhood(board, pending)
    model = cp_model.CpModel()
    chosen = _choices(model, board, free)
    _constrain(model, board, free, chosen)
    terms = []
    for piece in free:
        mine = [var for key, var in chosen.items() if key[0] is piece]
        model.add_at_most_one(mine)
        terms.append(DROPPED_WEIGHT * (1 - sum(mine)))
        if piece.seat:
            terms.append(sum(mine) - chosen.get((piece, piece.seat[0], piece.seat[2]), 0))
    cost = sum(terms)
    # It need not show again what is known.
    model.add(cost >= DROPPED_WEIGHT * least[0] + least[1])
    model.minimize(cost)
    seconds = until - clock()
    if seconds < SECONDS_MIN / 2:
        return None
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = 1
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return [key for key, var in chosen.items() if solver.boolean_value(var)]


def _choices(
    model: cp_model.CpModel, board: Board, free: Sequence[Piece]
) -> dict[Key, cp_model.IntVar]:
    are_free = set(free)
    chosen = {}
    for piece in free:
        for slot in bits(board.reach(piece)):
            if not _is_clear(board, piece.people, slot, are_free):
                continue
            for helper in piece.helpers if piece.helpers is not None else (NOBODY,):
                is_there = helper == NOBODY or not board.away[helper] >> slot & 1
                if is_there and (helper == NOBODY or _is_clear(board, (helper,), slot, are_free)):
                    chosen[piece, slot, helper] = model.new_bool_var("")
    return chosen


def _is_clear(board: Board, resources: Sequence[int], slot: int, free: set[Piece]) -> bool:
    return all(one in free for resource in resources for one in board.holders(resource, slot))


def _constrain(
    model: cp_model.CpModel,
    board: Board,
    free: Sequence[Piece],
    chosen: dict[Key, cp_model.IntVar],
) -> None:
    by_slot, by_resource = defaultdict(list), defaultdict(list)
    for (piece, slot, helper), var in chosen.items():
        by_slot[slot].append(var)
        for resource in filter(lambda one: one != NOBODY, (*piece.people, helper)):
            for other in bits(board.overlap[slot]):
                if board.places[slot].starts_at <= board.places[other].starts_at:
                    by_resource[resource, other].append(var)
    released = _released(board, free)
    for slot, variables in by_slot.items():
        model.add(sum(variables) <= board.free_points[slot].bit_count() + released[slot])
    for variables in by_resource.values():
        model.add_at_most_one(variables)


def _released(board: Board, free: Sequence[Piece]) -> Counter[int]:
    """Count by slot the points that pieces of the neighbourhood sit at."""
    return Counter(
        one.seat[0]
        for one in free
        if one.seat and board.open_points[one.seat[0]] >> one.seat[1] & 1
    )
