"""Random small days, repaired and compared with every possible repair."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point
from services.matching.domain.repair.board import Board
from services.matching.domain.repair.bounds import drops_forced
from services.matching.domain.repair.day import Absence, Day, Disturbance, Pair, Place
from services.matching.domain.repair.leaving import leaving
from services.matching.domain.repair.proposal import Proposal, repair

START = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
SLOT = timedelta(minutes=25)
SLOTS = 3
DELEGATES = [UUID(int=n) for n in (1, 2, 3)]
LOCALS = [UUID(int=n) for n in (11, 12, 13)]
POINTS = [UUID(int=n) for n in (21, 22)]
SESSION = UUID(int=31)
COMPANY = UUID(int=51)
HELPERS = [UUID(int=n) for n in (41, 42)]
BOTH = frozenset({"en", "zh"})
ALL_ENGLISH = dict.fromkeys(DELEGATES + LOCALS, frozenset({"en"}))
MIXED = ALL_ENGLISH | {LOCALS[0]: frozenset({"zh"}), LOCALS[1]: BOTH, LOCALS[2]: frozenset({"zh"})}
"""What each speaks: two of the locals need an interpreter."""

Languages = Mapping[UUID, frozenset[str]]
Held = tuple[tuple[UUID, UUID], Spot]
"""Two who meet, and where."""


WAYS = {"": {"hall": 10}}
"""The second point is in the hall, where there is a hall: nobody reaches it from slot to slot."""


def are_too_near(day: Day, one: Spot, other: Spot) -> bool:
    """Say whether nobody can be at both: at one time, or with too little time for the way."""
    pause = max(one.starts_at - other.ends_at, other.starts_at - one.ends_at)
    is_far = bool(day.ways) and one.point_id != other.point_id
    return pause < (timedelta(minutes=10) if is_far else timedelta(0))


def places(*, has_hall: bool) -> list[Place]:
    points = [Point(point, None) for point in POINTS]
    rooms = [("", points[:1]), ("hall", points[1:])] if has_hall else [("", points)]
    return [
        Place(SESSION, START + n * SLOT, START + (n + 1) * SLOT, tuple(there), venue)
        for n in range(SLOTS)
        for venue, there in rooms
    ]


def needs_helper(languages: Languages, people: tuple[UUID, UUID]) -> bool:
    return not languages[people[0]] & languages[people[1]]


def meeting(
    pair: tuple[UUID, UUID], slot: int, point: UUID, helper: UUID | None, *, locked: bool
) -> Meeting:
    at = START + slot * SLOT
    return Meeting(
        id=UUID(int=pair[0].int * 1000 + pair[1].int),
        stop_id=SESSION,
        mission_id=SESSION,
        session_id=SESSION,
        delegate_id=pair[0],
        local_id=pair[1],
        spot=Spot(at, at + SLOT, point, helper),
        interpreter_needed=helper is not None,
        locked=locked,
        schedule_number=1,
    )


@st.composite
def days(draw: st.DrawFn) -> tuple[Day, Disturbance]:
    """Plant meetings where nobody is twice, then let somebody be away, or a point be lost."""
    has_hall = draw(st.booleans())
    meetings: list[Meeting] = []
    met: set[tuple[UUID, UUID]] = set()
    languages = draw(st.sampled_from([ALL_ENGLISH, MIXED]))
    for slot in range(SLOTS):
        helpers = list(draw(st.permutations(HELPERS)))
        left, right = draw(st.permutations(DELEGATES)), draw(st.permutations(LOCALS))
        for point, pair in zip(
            POINTS[: draw(st.integers(0, 2))], zip(left, right, strict=True), strict=False
        ):
            helper = helpers[-1] if needs_helper(languages, pair) else None
            one = meeting(pair, slot, point, helper, locked=draw(st.integers(0, 5)) == 0)
            if pair not in met and not (has_hall and _leaves_no_time(one, meetings)):
                met.add(pair)
                helpers = helpers[:-1] if helper else helpers
                meetings.append(one)
    somebody = draw(st.sampled_from(DELEGATES + LOCALS + HELPERS))
    first = draw(st.integers(0, SLOTS - 1))
    if draw(st.booleans()):
        happened = Disturbance(
            (Absence(somebody, START + first * SLOT, START + (first + 1) * SLOT),)
        )
    else:
        happened = Disturbance(closings=((draw(st.sampled_from(POINTS)), START + first * SLOT),))
    if draw(st.booleans()):
        pair = (draw(st.sampled_from(DELEGATES)), draw(st.sampled_from(LOCALS)))
        if pair not in met:
            happened = replace(happened, wanted=(Pair(*pair, frozenset({SESSION})),))
    every = [(one, other) for one in DELEGATES for other in LOCALS]
    day = Day(
        places=places(has_hall=has_hall),
        meetings=meetings,
        away={},
        interpreters=dict.fromkeys(HELPERS, BOTH),
        languages=languages,
        refused={pair for pair in every if draw(st.integers(0, 8)) == 0},
        waiting=[
            Pair(*pair, frozenset({SESSION}))
            for pair in every
            if pair not in met | _wanted(happened)
        ],
        movable_from=START + draw(st.integers(0, 1)) * SLOT,
        owners=draw(st.sampled_from([{}, {POINTS[0]: COMPANY}])),
        companies={DELEGATES[0]: COMPANY},
        ways=WAYS if has_hall else {},
    )
    return day, happened


def _leaves_no_time(one: Meeting, others: Sequence[Meeting]) -> bool:
    """Say whether somebody would go to the other point from one slot to the next."""
    return any(
        other.spot.point_id != one.spot.point_id
        and other.spot.ends_at == one.spot.starts_at
        and set(_travellers(one.people, one.spot)) & set(_travellers(other.people, other.spot))
        for other in others
    )


def _travellers(people: tuple[UUID, UUID], spot: Spot) -> tuple[UUID, ...]:
    return (*people, *filter(None, [spot.interpreter_id]))


def _wanted(happened: Disturbance) -> set[tuple[UUID, UUID]]:
    return {pair.people for pair in happened.wanted}


def fits(happened: Disturbance, people: tuple[UUID, UUID], spot: Spot) -> bool:
    """Say whether a spot is possible after what happened."""
    is_away = any(
        one.resource_id in (*people, spot.interpreter_id)
        and one.starts_at < spot.ends_at
        and spot.starts_at < one.ends_at
        for one in happened.absences
    )
    return not is_away and not any(
        point == spot.point_id and spot.ends_at > at for point, at in happened.closings
    )


def is_open_to(day: Day, people: tuple[UUID, UUID], point: UUID) -> bool:
    """Say whether a point is for everybody, or the booth of a company of the two."""
    owner = day.owners.get(point)
    return owner is None or owner in map(day.companies.get, people)


def may_move(day: Day, one: Meeting) -> bool:
    return not one.locked and one.spot.starts_at >= day.movable_from


def after(
    day: Day, proposal: Proposal, *, with_offers: bool
) -> list[tuple[tuple[UUID, UUID], Spot]]:
    spots = {one.id: (one.people, one.spot) for one in day.meetings}
    for drop in proposal.drops:
        del spots[drop.meeting.id]
    for move in proposal.moves:
        spots[move.meeting.id] = (move.meeting.people, move.to)
    added = [*proposal.additions, *(proposal.offers if with_offers else ())]
    return [*spots.values(), *((one.pair.people, one.spot) for one in added)]


def least(day: Day, happened: Disturbance) -> tuple[int, int, int]:
    """Try every repair: the fewest cancelled, then the fewest not fitted in, then moved."""
    fixed = [one for one in day.meetings if not may_move(day, one)]
    free: list[tuple[tuple[UUID, UUID], Spot | None]] = [
        (one.people, one.spot) for one in day.meetings if may_move(day, one)
    ]
    free += [(pair.people, None) for pair in happened.wanted]
    best = (len(free) + 1, 0, 0)
    held = [(one.people, one.spot) for one in fixed]

    def place(number: int, used: list[Held], lost: tuple[int, int], moved: int) -> None:
        nonlocal best
        if (*lost, moved) >= best:
            return
        if number == len(free):
            best = (*lost, moved)
            return
        people, home = free[number]
        helpers = HELPERS if needs_helper(day.languages, people) else [None]
        for at, point, helper in itertools.product(range(SLOTS), POINTS, helpers):
            spot = Spot(START + at * SLOT, START + (at + 1) * SLOT, point, helper)
            is_allowed = spot == home or (
                people not in day.refused
                and spot.starts_at >= day.movable_from
                and is_open_to(day, people, point)
            )
            has_room = not any(in_the_way(day, (people, spot), one) for one in used)
            if is_allowed and fits(happened, people, spot) and has_room:
                is_moved = home is not None and spot != home
                place(number + 1, [*used, (people, spot)], lost, moved + is_moved)
        lost = (lost[0] + 1, lost[1]) if home is not None else (lost[0], lost[1] + 1)
        place(number + 1, used, lost, moved)

    place(0, held, (0, 0), 0)
    return best


def in_the_way(day: Day, one: Held, other: Held) -> bool:
    """Say whether two meetings want a point at one time, or somebody at two places."""
    if one[1].point_id == other[1].point_id and one[1].starts_at == other[1].starts_at:
        return True
    return bool(set(_travellers(*one)) & set(_travellers(*other))) and are_too_near(
        day, one[1], other[1]
    )


def nobody_twice(day: Day, held: Sequence[Held]) -> bool:
    return not any(in_the_way(day, *two) for two in itertools.combinations(held, 2))


@settings(max_examples=150, deadline=None)
@given(days())
def test_a_repair_breaks_nothing_and_keeps_what_it_does_not_touch(
    case: tuple[Day, Disturbance],
) -> None:
    day, happened = case
    proposal = repair(day, happened, lambda: 0.0)

    assert nobody_twice(day, after(day, proposal, with_offers=True))
    left = {one.meeting.id for one in proposal.left}
    changed = {one.meeting.id for one in proposal.moves}
    changed |= {one.meeting.id for one in proposal.drops}
    for one in day.meetings:
        if not may_move(day, one):
            assert one.id not in changed
            assert (one.id in left) == (not fits(happened, one.people, one.spot))
        elif one.id not in changed:
            assert fits(happened, one.people, one.spot)
    news = [(one.meeting.people, one.to) for one in proposal.moves]
    news += [(one.pair.people, one.spot) for one in (*proposal.additions, *proposal.offers)]
    for people, spot in news:
        assert people not in day.refused
        assert is_open_to(day, people, spot.point_id)
        assert (spot.interpreter_id is not None) == needs_helper(day.languages, people)
        assert fits(happened, people, spot)
        assert spot.starts_at >= day.movable_from


@settings(max_examples=150, deadline=None)
@given(days())
def test_what_is_proven_is_what_trying_everything_finds(case: tuple[Day, Disturbance]) -> None:
    day, happened = case
    proposal = repair(day, happened, lambda: 0.0)

    best = least(day, happened)
    found = (len(proposal.drops), len(proposal.unfitted), len(proposal.moves))
    assert found >= best
    if proposal.drops_proven:
        assert found[:2] == best[:2]
    if proposal.moves_proven:
        assert found == best


@settings(max_examples=150, deadline=None)
@given(days())
def test_no_repair_does_with_fewer_than_the_bounds_say(case: tuple[Day, Disturbance]) -> None:
    day, happened = case
    cancelled, unfitted, moved = least(day, happened)
    board = Board(day, happened)
    for piece in board.hit:
        board.lift(piece)
    lifted = [*board.hit, *board.wanted]
    pending = [piece for piece in lifted if board.reach(piece)]
    drops = cancelled + unfitted - (len(lifted) - len(pending))
    found = leaving(board, pending, drops, 10.0)

    assert drops_forced(board, pending) <= drops
    touched = cancelled + moved + len(board.wanted)
    assert found.count <= touched - len(lifted)


@settings(max_examples=50, deadline=None)
@given(days())
def test_an_absence_of_a_point_closes_it_for_that_time_alone(
    case: tuple[Day, Disturbance],
) -> None:
    day, _ = case
    point, at = POINTS[0], day.movable_from
    absence = Absence(point, at, at + SLOT)
    proposal = repair(day, Disturbance((absence,)), lambda: 0.0)

    held = after(day, proposal, with_offers=True)
    movable = {one.people for one in day.meetings if may_move(day, one)}
    assert not any(
        spot.point_id == point and spot.starts_at == at and people in movable
        for people, spot in held
    )
    assert nobody_twice(day, held)


def hall(meetings: Sequence[Meeting], *, slots: int, points: Sequence[UUID]) -> Day:
    """Make a day of one hall, at which everybody speaks English."""
    people = [person for one in meetings for person in one.people]
    there = tuple(Point(point, None) for point in points)
    return Day(
        places=[
            Place(SESSION, START + n * SLOT, START + (n + 1) * SLOT, there) for n in range(slots)
        ],
        meetings=meetings,
        away={},
        interpreters={},
        languages=dict.fromkeys(people, frozenset({"en"})),
        refused=set(),
        waiting=[],
        movable_from=START,
    )


def pair_at(number: int, slot: int, point: UUID) -> Meeting:
    people = (UUID(int=100 + number), UUID(int=200 + number))
    return meeting(people, slot, point, None, locked=False)


@pytest.mark.parametrize("number", [3, 8])
def test_who_loses_a_table_keeps_the_time_where_another_is_free(number: int) -> None:
    meetings = [pair_at(n, n, POINTS[0]) for n in range(number)]
    day = hall(meetings, slots=8, points=POINTS)
    proposal = repair(day, Disturbance(closings=((POINTS[0], START),)), lambda: 0.0)

    assert [one.to.starts_at for one in proposal.moves] == [m.spot.starts_at for m in meetings]
    assert {one.to.point_id for one in proposal.moves} == {POINTS[1]}


@pytest.mark.parametrize("further", [0, 5])
def test_one_goes_a_longer_way_where_two_would_change_their_time(further: int) -> None:
    # The first has no table left at its own time; whoever comes next need not make room.
    lost, other, third = (*POINTS, UUID(int=23))
    meetings = [pair_at(n, n, lost) for n in range(2)]
    meetings += [pair_at(2, 0, other), pair_at(3, 0, third), pair_at(4, 1, other)]
    meetings += [pair_at(5 + n, 3 + n, lost) for n in range(further)]
    meetings += [pair_at(20 + n, 3 + n, other) for n in range(further)]
    day = hall(meetings, slots=3 + further, points=(lost, other, third))
    proposal = repair(day, Disturbance(closings=((lost, START),)), lambda: 0.0)

    moved = [one for one in proposal.moves if one.to.starts_at != one.meeting.spot.starts_at]
    assert [one.meeting.id for one in moved] == [meetings[0].id]
    assert len(proposal.moves) == 2 + further
