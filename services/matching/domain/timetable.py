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
WORKERS = 2
GAP_MAX = 0.005
"""Half a percent from the bound is worth no more of anybody's waiting."""

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
    last: dict[tuple[UUID, str], UUID] = field(default_factory=dict)

    def place(self, candidate: Candidate, time: int) -> bool:
        """Hold a meeting then if its people, a point and an interpreter are free."""
        people = (candidate.delegate_id, candidate.local_id)
        if not all(self._is_free(person, time) for person in people):
            return False
        point = self._pick(candidate, "point", time, self.problem.times[time].points)
        interpreter = None
        if candidate.needs_interpreter:
            able = [one.id for one in _able(self.problem, candidate, time)]
            interpreter = self._pick(candidate, "interpreter", time, able)
            if interpreter is None:
                return False
        if point is None:
            return False
        self.taken |= {
            (one, slot) for one in (*people, point, interpreter) if one for slot in [time]
        }
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

    def _pick(
        self, candidate: Candidate, what: str, time: int, among: Iterable[UUID]
    ) -> UUID | None:
        """Take the one the delegate had last, to spare everybody the walk, or the first free."""
        free = [one for one in among if self._is_free(one, time)]
        if not free:
            return None
        last = self.last.get((candidate.delegate_id, what))
        chosen = last if last in free else free[0]
        self.last[candidate.delegate_id, what] = chosen
        return chosen


def solve(problem: Problem) -> Solution:
    """Find the most valuable timetable within the time given; never worse than the greedy one."""
    overlapping = _overlapping(problem)
    greedy = _greedy(problem, overlapping)
    if not problem.candidates or not problem.times:
        return Solution(placed=(), objective=0, bound=0, is_optimal=True)
    model = _Model(problem, overlapping)
    model.hint(greedy.placed)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = float(problem.seconds_max)
    solver.parameters.num_workers = WORKERS
    solver.parameters.relative_gap_limit = GAP_MAX
    solver.parameters.random_seed = 1
    status = solver.solve(model.model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        value = _value(problem, greedy.placed)
        return Solution(
            placed=tuple(greedy.placed), objective=value, bound=model.most, is_optimal=False
        )
    room = Room(problem, overlapping)
    chosen = [choice for choice, variable in model.choices.items() if solver.value(variable)]
    for choice in sorted(chosen, key=lambda c: (c.time, c.candidate)):
        room.place(problem.candidates[choice.candidate], choice.time)
    value = _value(problem, room.placed)
    bound = max(value, int(solver.best_objective_bound))
    return Solution(
        placed=tuple(room.placed),
        objective=value,
        bound=bound,
        is_optimal=value >= bound,
    )


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
        return sum(candidate.worth + FIRST_MEETING_WORTH for candidate in self._problem.candidates)

    def hint(self, placed: Sequence[Placed]) -> None:
        """Start the search from a timetable."""
        held = {(one.delegate_id, one.local_id): one.time for one in placed}
        for choice, variable in self.choices.items():
            candidate = self._problem.candidates[choice.candidate]
            pair = (candidate.delegate_id, candidate.local_id)
            self.model.add_hint(variable, held.get(pair) == choice.time)

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


_Variables = list[cp_model.IntVar]


class _Groups(defaultdict):  # type: ignore[type-arg]  # its keys are of three kinds
    def __init__(self) -> None:
        super().__init__(list)


def _choices(problem: Problem) -> Iterator[Choice]:
    for place, candidate in enumerate(problem.candidates):
        for time in candidate.times:
            if not candidate.needs_interpreter:
                yield Choice(place, time, None)
                continue
            for kind in {frozenset(one.languages) for one in _able(problem, candidate, time)}:
                yield Choice(place, time, kind)


def _able(problem: Problem, candidate: Candidate, time: int) -> list[FreeInterpreter]:
    return [one for one in problem.interpreters if time in one.times and one.serves(candidate)]


def _overlapping(problem: Problem) -> list[frozenset[int]]:
    """Give for each time those that overlap it, itself among them."""
    return [
        frozenset(
            place
            for place, other in enumerate(problem.times)
            if other.starts_at < one.ends_at and one.starts_at < other.ends_at
        )
        for one in problem.times
    ]


def _greedy(problem: Problem, overlapping: Sequence[frozenset[int]]) -> Room:
    """Give everybody a first meeting, then fill up: the most valuable pair first."""
    room = Room(problem, overlapping)
    order = sorted(problem.candidates, key=lambda c: -c.worth)
    for limit in range(1, LOCAL_MEETINGS_MAX + 1):
        met = {(one.delegate_id, one.local_id) for one in room.placed}
        for candidate in order:
            pair = (candidate.delegate_id, candidate.local_id)
            if pair not in met and room.count(candidate.local_id) < limit:
                wanted = sorted(candidate.times, key=lambda t: t != candidate.now_at)
                any(room.place(candidate, time) for time in wanted)
    return room


def _worth(candidate: Candidate, time: int) -> int:
    return candidate.worth + STAYING_WORTH * (time == candidate.now_at)


def _value(problem: Problem, placed: Sequence[Placed]) -> int:
    by_pair = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    first = {p.local_id for p in placed if not problem.meetings_before.get(p.local_id)}
    return FIRST_MEETING_WORTH * len(first) + sum(
        _worth(by_pair[one.delegate_id, one.local_id], one.time) for one in placed
    )
