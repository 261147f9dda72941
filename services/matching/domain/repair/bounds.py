"""Bounds: what no repair can do better, from pigeonholes and capacity."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from services.matching.domain.repair.board import Board
from services.matching.domain.repair.pieces import NOBODY, Piece, bits

SHARE_MAX = 3
"""One that moves makes room by each of its people and its interpreter."""


def matched(masks: Sequence[int], room: Mapping[int, int]) -> list[int]:
    """Put as many as possible into slots: one a slot, or `room` of it; gives the slot or -1.

    Augmenting paths (Kuhn 1955; Hopcroft and Karp's bound is not needed for so few).
    """
    inside: dict[int, list[int]] = defaultdict(list)
    found = [-1] * len(masks)

    def put(one: int, seen: list[int]) -> bool:
        for slot in bits(masks[one] & ~seen[0]):
            seen[0] |= 1 << slot
            if len(inside[slot]) < room.get(slot, 1):
                inside[slot].append(one)
                found[one] = slot
                return True
            for place, other in enumerate(inside[slot]):
                if put(other, seen):
                    inside[slot][place] = one
                    found[one] = slot
                    return True
        return False

    for one in range(len(masks)):
        put(one, [0])
    return found


def drops_forced(board: Board, pending: Sequence[Piece]) -> int:
    """Give how many of the day's meetings no repair can keep; `pending` are lifted.

    Each person needs a slot of his or her own for each meeting, where both are there (Hall). What
    people lack adds up, but where one meeting that is dropped serves two who lack a slot. All
    meetings together need as many points as there are.
    """
    held = defaultdict(list)
    for piece in pending:
        for place, person in enumerate(piece.people):
            held[place, person].append(piece)
    short: tuple[dict[int, int], dict[int, int]] = ({}, {})
    for (place, person), lifted in held.items():
        short[place][person] = lacking(board, person, lifted)
    lack = sum(short[0].values()) + sum(short[1].values())
    return max(lack - _served_twice(board, pending, short), _lack_of_points(board, pending))


def _served_twice(
    board: Board, pending: Sequence[Piece], short: tuple[Mapping[int, int], Mapping[int, int]]
) -> int:
    """Count at most how often a meeting that is dropped is of two who both lack a slot."""
    others = [person for person, count in short[1].items() for _ in range(count)]
    masks = []
    for person, count in short[0].items():
        pieces = [*(p for p in pending if person in p.people), *_on_board(board, person)]
        met = {one.people[1] for one in pieces}
        mask = sum(1 << n for n, other in enumerate(others) if other in met)
        masks += [mask] * count
    return len(masks) - matched(masks, {}).count(-1)


def lacking(board: Board, person: int, lifted: Sequence[Piece]) -> int:
    """Give how many meetings a person has too many for the slots, with those lifted."""
    return _lack(board, [*lifted, *_on_board(board, person)])


def moves_forced(board: Board, pending: Sequence[Piece]) -> int:
    """Give how many meetings besides those lifted every repair moves that drops none.

    Without moving others, only so many find room. One that moves makes room for one more, and for
    further ones only where they lack several of its people and its interpreter: those are counted.
    """
    stuck = seated(board, pending).count(-1)
    if not board.is_simple:
        return min(stuck, 1)
    return max(stuck - _shared(board, pending), -(-stuck // SHARE_MAX))


def seated(board: Board, pending: Sequence[Piece]) -> list[int]:
    """Put as many of the lifted as possible where all they need is free; gives slots or -1."""
    room = {n: board.free_points[n].bit_count() for n in range(board.count)}
    return matched([board.free(piece) for piece in pending], room)


def _shared(board: Board, pending: Sequence[Piece]) -> int:
    """Count how often one meeting that moves could make room for one more of those lifted."""
    one_side = {piece.people[0] for piece in pending}
    other_side = {piece.people[1] for piece in pending}
    kinds = {piece.helpers for piece in pending if piece.helpers is not None}
    every = (1 << board.count) - 1
    # Interpreters of whom none is free at these slots.
    lacked = [(helpers, every & ~board.helped(helpers, every)) for helpers in kinds]
    near = {
        one.number: one
        for piece in pending
        for person in piece.people
        for one in _on_board(board, person)
    }
    shared = 0
    for one in near.values():
        served = (one.people[0] in one_side) + (one.people[1] in other_side)
        shared += max(0, served + _helps(one, lacked) - 1)
    return shared


def _helps(one: Piece, lacked: Sequence[tuple[tuple[int, ...], int]]) -> bool:
    """Say whether the interpreter of one that moves is who some lifted one lacks then."""
    assert one.seat is not None
    slot, _, helper = one.seat
    return helper != NOBODY and any(
        mask >> slot & 1 and helper in helpers for helpers, mask in lacked
    )


def _lack(board: Board, pieces: Sequence[Piece]) -> int:
    # Slots that overlap are fewer than they seem: a bound still, a weaker one.
    return matched([board.reach(piece) for piece in pieces], {}).count(-1)


def _on_board(board: Board, person: int) -> Iterable[Piece]:
    return [board.holder[person * board.count + n] for n in bits(board.held[person])]


def _lack_of_points(board: Board, pending: Sequence[Piece]) -> int:
    """Compare points with meetings, over all slots in which something that is lifted may be."""
    slots = 0
    for piece in pending:
        slots |= piece.slots
    points = sum(board.free_points[n].bit_count() for n in bits(slots))
    # Whoever is on the board has a point, in these slots or elsewhere.
    return max(0, len(pending) - points) if slots else len(pending)
