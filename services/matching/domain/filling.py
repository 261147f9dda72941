"""Filling: a timetable made in order, which is there at once.

It is the first answer, the hint of the search, and the way in which points are given.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from services.matching.domain.problem import (
    Candidate,
    FreeInterpreter,
    Languages,
    Pair,
    Placed,
    Problem,
    Span,
)
from services.matching.domain.runs import too_long

Kind = frozenset[UUID]
"""Interpreters who can stand in for one another."""


@dataclass
class Room:
    """What is taken so far, while a timetable is being filled in order."""

    problem: Problem
    overlapping: Sequence[frozenset[int]]
    taken: set[tuple[UUID, int]] = field(default_factory=set)
    placed: list[Placed] = field(default_factory=list)
    counts: dict[UUID, int] = field(default_factory=dict)
    met: set[tuple[UUID, UUID]] = field(default_factory=set)
    """Who meets which company."""
    last: dict[UUID, tuple[UUID | None, UUID | None]] = field(default_factory=dict)
    """The point and the interpreter that a delegate had last."""

    def __post_init__(self) -> None:
        self._at: dict[Pair, int] = {}
        self._able_at: dict[tuple[Languages, int], list[UUID]] = {}
        self._spoken: dict[UUID, list[Span]] = defaultdict(list)
        self._before: dict[Pair, list[Pair]] = defaultdict(list)
        self._after: dict[Pair, list[Pair]] = defaultdict(list)
        for first, second in self.problem.precedences:
            self._before[second].append(first)
            self._after[first].append(second)

    def place(
        self,
        candidate: Candidate,
        time: int,
        kind: Kind | None = None,
        owner: UUID | None = None,
    ) -> bool:
        """Hold a meeting then, if all it needs is free: an interpreter of a kind, a booth's point.

        Without a kind and an owner any will do.
        """
        people = candidate.pair
        if not self.may_meet(candidate) or not all(self._is_free(one, time) for one in people):
            return False
        if not self._is_in_order(candidate.pair, time):
            return False
        helpers = (
            one
            for one in self._able(candidate, time)
            if (kind is None or one in kind) and self._is_rested(one, time)
        )
        now = (candidate.now_point_id, candidate.now_interpreter_id)
        # Where it was, then what the delegate had last: both spare everybody the walk.
        wanted = [now] if time == candidate.now_at else []
        wanted.append(self.last.get(candidate.delegate_id, (None, None)))
        owners = homes(self.problem, candidate, time) if owner is None else (owner,)
        point = self._pick(
            (one for home in owners for one in points_of(self.problem, time, home)),
            time,
            [point for point, _ in wanted],
        )
        interpreter = None
        if candidate.needs_interpreter:
            interpreter = self._pick(helpers, time, [helper for _, helper in wanted])
        if point is None or (candidate.needs_interpreter and interpreter is None):
            return False
        self._hold(candidate, time, point, interpreter)
        return True

    def _able(self, candidate: Candidate, time: int) -> list[UUID]:
        key = (candidate.languages, time)
        if key not in self._able_at:
            self._able_at[key] = [one.id for one in able(self.problem, candidate, time)]
        return self._able_at[key]

    def _hold(self, candidate: Candidate, time: int, point: UUID, interpreter: UUID | None) -> None:
        self.last[candidate.delegate_id] = (point, interpreter)
        self.taken |= {(one, time) for one in (*candidate.pair, point, interpreter) if one}
        self._at[candidate.pair] = time
        if interpreter:
            self._spoken[interpreter].append(self.problem.times[time])
        for person in candidate.pair:
            self.counts[person] = self.counts.get(person, 0) + 1
        self.met |= {*candidate.meets}
        self.placed.append(
            Placed(
                delegate_id=candidate.delegate_id,
                local_id=candidate.local_id,
                time=time,
                point_id=point,
                interpreter_id=interpreter,
            )
        )

    def count(self, person_id: UUID) -> int:
        """Count somebody's meetings, fixed ones included."""
        return self.problem.before(person_id) + self.counts.get(person_id, 0)

    def owes(self, person_id: UUID) -> bool:
        """Say whether somebody is still without all the meetings that are guaranteed."""
        return self.counts.get(person_id, 0) < self.problem.owed(person_id)

    def may_meet(self, candidate: Candidate) -> bool:
        """Say whether neither has all the meetings allowed, nor meets the other's company."""
        rooms = (
            (candidate.delegate_id, self.problem.room(candidate.delegate_id, "delegation")),
            (candidate.local_id, self.problem.room(candidate.local_id, "local")),
        )
        has_room = all(room is None or self.counts.get(one, 0) < room for one, room in rooms)
        return has_room and not self.met & {*candidate.meets}

    def _is_free(self, resource: UUID, time: int) -> bool:
        return not any((resource, other) in self.taken for other in self.overlapping[time])

    def _is_in_order(self, pair: Pair, time: int) -> bool:
        times, at = self.problem.times, self._at
        return all(
            times[at[one]].ends_at <= times[time].starts_at
            for one in self._before.get(pair, ())
            if one in at
        ) and all(
            times[time].ends_at <= times[at[one]].starts_at
            for one in self._after.get(pair, ())
            if one in at
        )

    def _is_rested(self, helper: UUID, time: int) -> bool:
        if self.problem.rest is None:
            return True
        spans = [*self.problem.held.get(helper, ()), *self._spoken.get(helper, ())]
        return not too_long([*spans, self.problem.times[time]], self.problem.rest)

    def _pick(self, among: Iterable[UUID], time: int, wanted: Sequence[UUID | None]) -> UUID | None:
        found = [*among]
        first = (one for one in wanted if one in found and self._is_free(one, time))
        return next(first, None) or next((one for one in found if self._is_free(one, time)), None)


def greedy(problem: Problem, overlapping: Sequence[frozenset[int]]) -> Room:
    """Keep what can stay, give what comes first and is owed, then everybody one, and so on."""
    room = Room(problem, overlapping)
    order = sorted(problem.candidates, key=lambda c: -c.worth)
    for candidate in order:
        if candidate.now_at in candidate.times:
            room.place(candidate, candidate.now_at)
    musts = {pair for must in problem.musts for pair in must}
    # Who has the fewest times chooses first.
    urgent = sorted((c for c in order if c.pair in musts), key=lambda c: len(c.times))
    _fill(room, urgent, lambda _: True)
    _fill(room, order, partial(_is_owed, room))
    for limit in range(1, _most(problem) + 1):
        _fill(room, order, partial(_has_less, room, limit))
    return room


def _fill(room: Room, order: Sequence[Candidate], is_wanted: Callable[[Candidate], bool]) -> None:
    """Place what is wanted and can be placed, in this order, each at its first free time."""
    held = {one.pair for one in room.placed}
    for candidate in order:
        if candidate.pair not in held and is_wanted(candidate) and room.may_meet(candidate):
            any(room.place(candidate, time) for time in candidate.times)


def _is_owed(room: Room, candidate: Candidate) -> bool:
    return room.owes(candidate.delegate_id) or room.owes(candidate.local_id)


def _has_less(room: Room, limit: int, candidate: Candidate) -> bool:
    return room.count(candidate.local_id) < limit


def _most(problem: Problem) -> int:
    """Give the most meetings that a local participant may have."""
    most = 0
    for candidate in problem.candidates:
        room = problem.room(candidate.local_id, "local")
        more = len(problem.times) if room is None else room
        most = max(most, problem.before(candidate.local_id) + more)
    return most


def able(problem: Problem, candidate: Candidate, time: int) -> list[FreeInterpreter]:
    """List the interpreters who can help a pair at a time."""
    return [one for one in problem.interpreters if time in one.times and one.serves(candidate)]


def homes(problem: Problem, candidate: Candidate, time: int) -> tuple[UUID | None, ...]:
    """Say at whose booths a pair may meet at a time; None stands for what is nobody's.

    Whoever has a booth there meets at it.
    """
    if not problem.owners:
        return (None,)
    own = tuple(
        company
        for company in dict.fromkeys(candidate.companies)
        if company and points_of(problem, time, company)
    )
    return own or (None,)


def points_of(problem: Problem, time: int, owner: UUID | None) -> list[UUID]:
    """List the points of a time that are one company's, or nobody's."""
    return [one for one in problem.times[time].points if problem.owners.get(one) == owner]
