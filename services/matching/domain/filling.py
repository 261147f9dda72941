"""Filling: a timetable made in order, which is there at once.

It is the first answer, the hint of the search, and the way in which points are given.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from services.matching.domain.problem import Candidate, FreeInterpreter, Placed, Problem

Kind = frozenset[str]
"""The languages of interpreters who can stand in for one another."""


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

    def place(self, candidate: Candidate, time: int, kind: Kind | None = None) -> bool:
        """Hold a meeting then if its people, a point and an interpreter (of a kind) are free."""
        people = (candidate.delegate_id, candidate.local_id)
        if not self.may_meet(candidate) or not all(self._is_free(one, time) for one in people):
            return False
        helpers = [
            one.id
            for one in able(self.problem, candidate, time)
            if kind is None or kind == frozenset(one.languages)
        ]
        now = (candidate.now_point_id, candidate.now_interpreter_id)
        # Where it was, then what the delegate had last: both spare everybody the walk.
        wanted = [now] if time == candidate.now_at else []
        wanted.append(self.last.get(candidate.delegate_id, (None, None)))
        points = [point for point, _ in wanted]
        point = self._pick(self.problem.times[time].points, time, points)
        interpreter = None
        if candidate.needs_interpreter:
            interpreter = self._pick(helpers, time, [helper for _, helper in wanted])
        if point is None or (candidate.needs_interpreter and interpreter is None):
            return False
        self.last[candidate.delegate_id] = (point, interpreter)
        self.taken |= {(one, time) for one in (*people, point, interpreter) if one}
        for person in people:
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
        return True

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

    def _pick(self, among: Iterable[UUID], time: int, wanted: Sequence[UUID | None]) -> UUID | None:
        free = [one for one in among if self._is_free(one, time)]
        return next((one for one in wanted if one in free), free[0] if free else None)


def greedy(problem: Problem, overlapping: Sequence[frozenset[int]]) -> Room:
    """Keep what can stay, give what is guaranteed, then everybody a first meeting, and so on."""
    room = Room(problem, overlapping)
    order = sorted(problem.candidates, key=lambda c: -c.worth)
    for candidate in order:
        if candidate.now_at in candidate.times:
            room.place(candidate, candidate.now_at)
    _fill(room, order, partial(_is_owed, room))
    for limit in range(1, _most(problem) + 1):
        _fill(room, order, partial(_has_less, room, limit))
    return room


def _fill(room: Room, order: Sequence[Candidate], is_wanted: Callable[[Candidate], bool]) -> None:
    """Place what is wanted and can be placed, in this order, each at its first free time."""
    held = {(one.delegate_id, one.local_id) for one in room.placed}
    for candidate in order:
        pair = (candidate.delegate_id, candidate.local_id)
        if pair not in held and is_wanted(candidate) and room.may_meet(candidate):
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
