"""The timetable: which pairs meet when, where, and with whose help.

An assignment over slots as in Ernst, Mills and Welgama, "Scheduling appointments at trade events"
(2003), here for CP-SAT: one Boolean for each pair, time and kind of interpreter. A greedy timetable
is the first answer and the solver's hint, so that there is always one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ortools.sat.python import cp_model

from services.matching.domain.problem import (
    LOCAL_MEETINGS_MAX,
    Candidate,
    FreeInterpreter,
    Placed,
    Problem,
    Solution,
)

FIRST_MEETING_WORTH = 2_500
"""Nobody who came should go home without a meeting, if another can do with one less."""
STAYING_WORTH = 400

Kind = frozenset[str]
"""The languages of interpreters who can stand in for one another."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to hold one meeting."""

    candidate: int
    time: int
    kind: Kind | None


@dataclass
class Room:
    """What is taken so far, while a timetable is being filled in order."""

    problem: Problem
    overlapping: Sequence[frozenset[int]]
    taken: set[tuple[UUID, int]] = field(default_factory=set)
    placed: list[Placed] = field(default_factory=list)
    counts: dict[UUID, int] = field(default_factory=dict)
    last: dict[UUID, tuple[UUID | None, UUID | None]] = field(default_factory=dict)
    """The point and the interpreter that a delegate had last."""

    def place(self, candidate: Candidate, time: int, kind: Kind | None = None) -> bool:
        """Hold a meeting then if its people, a point and an interpreter (of a kind) are free."""
        people = (candidate.delegate_id, candidate.local_id)
        if not all(self._is_free(person, time) for person in people):
            return False
        able = [
            one.id
            for one in _able(self.problem, candidate, time)
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
            interpreter = self._pick(able, time, [helper for _, helper in wanted])
        if point is None or (candidate.needs_interpreter and interpreter is None):
            return False
        self.last[candidate.delegate_id] = (point, interpreter)
        self.taken |= {(one, time) for one in (*people, point, interpreter) if one}
        self.counts[candidate.local_id] = self.count(candidate.local_id) + 1
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

    def count(self, local_id: UUID) -> int:
        """Count a local participant's meetings, fixed ones included."""
        return self.counts.get(local_id, self.problem.meetings_before.get(local_id, 0))

    def _is_free(self, resource: UUID, time: int) -> bool:
        return not any((resource, other) in self.taken for other in self.overlapping[time])

    def _pick(self, among: Iterable[UUID], time: int, wanted: Sequence[UUID | None]) -> UUID | None:
        free = [one for one in among if self._is_free(one, time)]
        return next((one for one in wanted if one in free), free[0] if free else None)


def solve(problem: Problem) -> Solution:
    """Find the most valuable timetable within the time given; never worse than the greedy one."""
    if not problem.candidates or not problem.times:
        return Solution(placed=(), objective=0, bound=0, is_optimal=True)
    overlapping = problem.overlapping()
    room = greedy(problem, overlapping)
    value = _value(problem, room.placed)
    model = _Model(problem, overlapping)
    model.hint(room.placed)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = float(problem.seconds_max)
    # One worker with the whole linear relaxation proves the optimum of a real stop in two seconds,
    # the same one each time; two workers of the default portfolio were 2 to 11 % short after five.
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.random_seed = 1
    status = solver.solve(model.model)
    bound = model.most
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        bound = int(solver.best_objective_bound)
        chosen = [choice for choice, variable in model.choices.items() if solver.value(variable)]
        found = _furnished(problem, overlapping, chosen)
        if (found_value := _value(problem, found.placed)) >= value:
            room, value = found, found_value
    bound = max(value, bound)
    return Solution(
        placed=tuple(room.placed), objective=value, bound=bound, is_optimal=value >= bound
    )


def _furnished(
    problem: Problem, overlapping: Sequence[frozenset[int]], chosen: Iterable[Choice]
) -> Room:
    """Give each meeting a point and an interpreter: in order of time, those that stay first."""

    def order(choice: Choice) -> tuple[object, ...]:
        has_moved = problem.candidates[choice.candidate].now_at != choice.time
        return problem.times[choice.time].starts_at, choice.time, has_moved, choice.candidate

    room = Room(problem, overlapping)
    for choice in sorted(chosen, key=order):
        room.place(problem.candidates[choice.candidate], choice.time, choice.kind)
    return room


class _Model:
    def __init__(self, problem: Problem, overlapping: Sequence[frozenset[int]]) -> None:
        self.model = cp_model.CpModel()
        self._problem = problem
        self.choices = {choice: self.model.new_bool_var("") for choice in _choices(problem)}
        self._constrain(overlapping)
        self._value()

    @property
    def most(self) -> int:
        """Give a bound that needs no search."""
        each = FIRST_MEETING_WORTH + STAYING_WORTH
        return sum(candidate.worth + each for candidate in self._problem.candidates)

    def hint(self, placed: Sequence[Placed]) -> None:
        """Start the search from a timetable."""
        kinds = {one.id: frozenset(one.languages) for one in self._problem.interpreters}
        held = {
            (
                one.delegate_id,
                one.local_id,
                one.time,
                one.interpreter_id and kinds[one.interpreter_id],
            )
            for one in placed
        }
        for choice, variable in self.choices.items():
            candidate = self._problem.candidates[choice.candidate]
            pair = (candidate.delegate_id, candidate.local_id)
            self.model.add_hint(variable, (*pair, choice.time, choice.kind) in held)

    def _constrain(self, overlapping: Sequence[frozenset[int]]) -> None:
        by_pair, by_time, by_resource = _Groups(), _Groups(), _Groups()
        begins = [self._begins_during(time, overlapping) for time in range(len(overlapping))]
        for choice, variable in self.choices.items():
            by_pair[choice.candidate].append(variable)
            by_time[choice.time].append(variable)
            candidate = self._problem.candidates[choice.candidate]
            for resource in filter(None, (candidate.delegate_id, candidate.local_id, choice.kind)):
                for begin in begins[choice.time]:
                    by_resource[resource, begin].append(variable)
        for variables in by_pair.values():
            self.model.add_at_most_one(variables)
        for time, variables in by_time.items():
            self.model.add(sum(variables) <= len(self._problem.times[time].points))
        for (resource, begin), variables in by_resource.items():
            if isinstance(resource, UUID):
                self.model.add_at_most_one(variables)
            else:
                self.model.add(sum(variables) <= self._count(resource, begin))

    def _begins_during(self, time: int, overlapping: Sequence[frozenset[int]]) -> list[int]:
        """Give the times that begin while this one is on: some one of them tells every overlap."""
        times, one = self._problem.times, self._problem.times[time]
        return [
            other
            for other in overlapping[time]
            if one.starts_at <= times[other].starts_at < one.ends_at
        ]

    def _count(self, kind: Kind, begin: int) -> int:
        return sum(
            frozenset(one.languages) == kind and begin in one.times
            for one in self._problem.interpreters
        )

    def _value(self) -> None:
        terms, by_local = [], _Groups()
        for choice, variable in self.choices.items():
            candidate = self._problem.candidates[choice.candidate]
            terms.append(_worth(candidate, choice.time) * variable)
            by_local[candidate.local_id].append(variable)
        for local_id, variables in by_local.items():
            before = self._problem.meetings_before.get(local_id, 0)
            self.model.add(sum(variables) <= max(0, LOCAL_MEETINGS_MAX - before))
            if not before:
                has_one = self.model.new_bool_var("")
                self.model.add(sum(variables) >= has_one)
                terms.append(FIRST_MEETING_WORTH * has_one)
        self.model.maximize(sum(terms))


class _Groups(defaultdict):  # type: ignore[type-arg]  # its keys are of three kinds
    def __init__(self) -> None:
        super().__init__(list)


def _choices(problem: Problem) -> Iterator[Choice]:
    for place, candidate in enumerate(problem.candidates):
        for time in candidate.times:
            if not candidate.needs_interpreter:
                yield Choice(place, time, None)
                continue
            kinds = {frozenset(one.languages) for one in _able(problem, candidate, time)}
            for kind in sorted(kinds, key=sorted):
                yield Choice(place, time, kind)


def _able(problem: Problem, candidate: Candidate, time: int) -> list[FreeInterpreter]:
    return [one for one in problem.interpreters if time in one.times and one.serves(candidate)]


def greedy(problem: Problem, overlapping: Sequence[frozenset[int]]) -> Room:
    """Keep what can stay, give everybody a first meeting, then fill up: the most valuable first."""
    room = Room(problem, overlapping)
    order = sorted(problem.candidates, key=lambda c: -c.worth)
    for candidate in order:
        if (
            candidate.now_at in candidate.times
            and room.count(candidate.local_id) < LOCAL_MEETINGS_MAX
        ):
            room.place(candidate, candidate.now_at)
    for limit in range(1, LOCAL_MEETINGS_MAX + 1):
        met = {(one.delegate_id, one.local_id) for one in room.placed}
        for candidate in order:
            pair = (candidate.delegate_id, candidate.local_id)
            if pair not in met and room.count(candidate.local_id) < limit:
                any(room.place(candidate, time) for time in candidate.times)
    return room


def _worth(candidate: Candidate, time: int) -> int:
    return candidate.worth + STAYING_WORTH * (time == candidate.now_at)


def _value(problem: Problem, placed: Sequence[Placed]) -> int:
    by_pair = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    first = {p.local_id for p in placed if not problem.meetings_before.get(p.local_id)}
    return FIRST_MEETING_WORTH * len(first) + sum(
        _worth(by_pair[one.delegate_id, one.local_id], one.time) for one in placed
    )
