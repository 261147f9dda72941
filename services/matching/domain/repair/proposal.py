"""The proposal: what a repair changes, what it cannot keep and why, and what is proven of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.repair.board import Board
from services.matching.domain.repair.bounds import lacking
from services.matching.domain.repair.chart import Chart
from services.matching.domain.repair.day import Day, Disturbance, Pair
from services.matching.domain.repair.pieces import NOBODY, Piece, bits
from services.matching.domain.repair.placing import Outcome
from services.matching.domain.repair.search import Clock
from services.matching.domain.repair.solve import solve
from shared.events.base import Bilingual

SECONDS_MAX = 0.4
"""For the search; the rest of half a second is for the proposal."""
OFFERS_MAX = 10
WAITING_MAX = 200
"""How many wishes are looked at for what becomes free, the strongest first."""

REASONS = {
    "refused": Bilingual(
        en="One of the two does not want this meeting.", zh="其中一方不希望安排此洽谈。"
    ),
    "no_common_time": Bilingual(
        en="There is no slot left at which both are there.", zh="双方已没有同时在场的时段。"
    ),
    "too_many_meetings": Bilingual(
        en="One of the two has more meetings than slots left.",
        zh="其中一方的洽谈数超过了剩余时段数。",
    ),
    "no_free_time": Bilingual(
        en="No slot was found that is free for both.", zh="未找到双方都空闲的时段。"
    ),
    "no_point": Bilingual(en="No table is free when both are.", zh="双方共同空闲的时段没有空桌。"),
    "no_interpreter": Bilingual(
        en="No interpreter for their languages is free when both are.",
        zh="双方共同空闲的时段没有可用的翻译。",
    ),
    "locked": Bilingual(
        en="Staff has fixed it where it is: move or cancel it by hand.",
        zh="该洽谈已被工作人员锁定：请手动调整或取消。",
    ),
    "called": Bilingual(
        en="It has been called: delay or cancel it by hand.", zh="该洽谈已叫号：请手动推迟或取消。"
    ),
    "too_soon": Bilingual(
        en="It is about to begin: delay or cancel it by hand.",
        zh="该洽谈即将开始：请手动推迟或取消。",
    ),
    "elsewhere": Bilingual(
        en="It is at no slot of its session: move or cancel it by hand.",
        zh="该洽谈不在其场次的时段内：请手动调整或取消。",
    ),
}


@dataclass(frozen=True, slots=True)
class Move:
    """A meeting goes elsewhere."""

    meeting: Meeting
    to: Spot


@dataclass(frozen=True, slots=True)
class Drop:
    """A meeting cannot be kept, or is left as it is for staff to decide."""

    meeting: Meeting
    code: str


@dataclass(frozen=True, slots=True)
class Addition:
    """Two who have no meeting get one, or could."""

    pair: Pair
    session_id: UUID
    spot: Spot
    interpreter_needed: bool


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be done, and what is known of it."""

    moves: tuple[Move, ...]
    drops: tuple[Drop, ...]
    left: tuple[Drop, ...]
    """What is disturbed and may not be touched."""
    additions: tuple[Addition, ...]
    unfitted: tuple[tuple[Pair, str], ...]
    offers: tuple[Addition, ...]
    """What has become free for wishes that wait; all of it can be had together."""
    people: frozenset[UUID]
    """Who is touched, interpreters among them."""
    drops_proven: bool
    moves_proven: bool
    is_nearest: bool


def repair(
    day: Day, disturbance: Disturbance, clock: Clock, chart: Chart | None = None
) -> Proposal:
    """Propose the least change after which nothing is disturbed that can be helped.

    In this order: the fewest meetings dropped, the fewest moved, the fewest people touched, the
    fewest that change their time, the least shift. It takes half a second by `clock` at most, and
    says what it has proven.
    `chart`: the day's meetings and absences as they are kept; without one it is made of the day.
    """
    until = clock() + SECONDS_MAX
    board = Board(day, disturbance, chart)
    outcome = solve(board, (clock, until))
    return _proposal(board, outcome)


def _proposal(board: Board, outcome: Outcome) -> Proposal:
    touched = {*outcome.moved, *(piece for piece in outcome.dropped if piece.meeting)}
    was = [piece.home for piece in touched if piece.home]
    _apply(board, outcome)
    moves = [Move(p.meeting, board.spot(p)) for p in outcome.seats if p.meeting and p in touched]
    drops = [Drop(p.meeting, reason(board, p)) for p in outcome.dropped if p.meeting]
    additions = [_addition(board, p) for p in outcome.seats if p.pair]
    unfitted = [(p.pair, reason(board, p)) for p in outcome.dropped if p.pair]
    resources = {person for piece in (*touched, *outcome.seats) for person in piece.people}
    return Proposal(
        moves=tuple(sorted(moves, key=lambda m: (m.meeting.spot.starts_at, m.meeting.id))),
        drops=tuple(sorted(drops, key=lambda d: (d.meeting.spot.starts_at, d.meeting.id))),
        left=tuple(Drop(meeting, code) for meeting, code in board.left),
        additions=tuple(additions),
        unfitted=tuple(unfitted),
        offers=tuple(_offers(board, {slot for slot, _, _ in was})),
        people=frozenset(board.ids[r] for r in resources | _helpers(outcome)),
        drops_proven=outcome.drops_proven,
        moves_proven=outcome.moves_proven,
        is_nearest=outcome.is_nearest,
    )


def reason(board: Board, piece: Piece) -> str:
    """Say what stands in the way of a piece that found no place."""
    people = piece.pair.people if piece.pair else piece.meeting.people if piece.meeting else ()
    if people in board.day.refused:
        return "refused"
    reach = board.reach(piece)
    if not reach:
        return "no_common_time"
    if any(lacking(board, person, [piece]) for person in piece.people):
        return "too_many_meetings"
    one, other = piece.people
    free = reach & ~board.taken(one) & ~board.taken(other)
    if not free:
        return "no_free_time"
    return "no_interpreter" if free & board.room else "no_point"


def _apply(board: Board, outcome: Outcome) -> None:
    for piece in (*outcome.seats, *outcome.dropped):
        if piece.seat is not None:
            board.lift(piece)
    for piece, seat in outcome.seats.items():
        board.put(piece, seat)


def _helpers(outcome: Outcome) -> set[int]:
    seats = [seat for piece in outcome.seats for seat in (piece.home, piece.seat)]
    seats += [piece.home for piece in outcome.dropped]
    return {seat[2] for seat in seats if seat} - {NOBODY}


def _addition(board: Board, piece: Piece) -> Addition:
    assert piece.pair is not None
    return Addition(
        piece.pair, board.session_id(piece), board.spot(piece), piece.helpers is not None
    )


def _offers(board: Board, freed: set[int]) -> Sequence[Addition]:
    """Look for wishes that wait for what has become free, the strongest first."""
    mask = sum(1 << slot for slot in freed)
    found: list[Addition] = []
    for pair in board.day.waiting[:WAITING_MAX] if mask else ():
        piece = board.wanting(pair)
        slots = board.free(piece) & mask
        if slots:
            board.put(piece, board.seat_at(piece, next(bits(slots))))
            found.append(_addition(board, piece))
        if len(found) == OFFERS_MAX:
            break
    return found
