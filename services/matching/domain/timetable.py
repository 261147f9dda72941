"""The timetable: which pairs meet when, where, and with whose help.

An assignment over slots as in Ernst, Mills and Welgama, "Scheduling appointments at trade events"
(2003), here for CP-SAT: one Boolean for each pair, time and kind of interpreter. A greedy timetable
is the first answer and the solver's hint, so that there is always one.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from ortools.sat.python import cp_model

from services.matching.domain.filling import Kind, Room, able, greedy
from services.matching.domain.problem import Candidate, Placed, Problem, Solution
from services.matching.domain.quotas import kept

FIRST_MEETING_WORTH = 2_500
"""Nobody who came should go home without a meeting, if another can do with one less."""
STAYING_WORTH = 400


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to hold one meeting."""

    candidate: int
    time: int
    kind: Kind | None


def solve(problem: Problem) -> Solution:
    """Find the most valuable timetable within the time given; never worse than the greedy one.

    Guaranteed meetings come first: of two timetables the one that keeps more of them is the better.
    """
    if not problem.candidates or not problem.times:
        return Solution(placed=(), objective=0, bound=0, is_optimal=True)
    overlapping = problem.overlapping()
    room = greedy(problem, overlapping)
    model = _Model(problem, overlapping)
    model.hint(room.placed)
    room, is_guaranteed = _guaranteed(model, room)
    value = _value(problem, room.placed)
    solver = _solver(float(problem.seconds_max))
    model.model.maximize(model.value)
    status = solver.solve(model.model)
    bound = model.most
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        bound = int(solver.best_objective_bound)
        found = model.found(solver)
        found_value = _value(problem, found.placed)
        if (kept(problem, found.placed), found_value) >= (kept(problem, room.placed), value):
            room, value = found, found_value
    bound = max(value, bound)
    return Solution(
        placed=tuple(room.placed),
        objective=value,
        bound=bound,
        is_optimal=is_guaranteed and value >= bound,
    )


def _guaranteed(model: "_Model", room: Room) -> tuple[Room, bool]:
    """Find a timetable that keeps most of what is guaranteed, and say whether none keeps more.

    The model is bound to keep as much.
    """
    problem, is_proved = model.problem, True
    if (held := kept(problem, room.placed)) < model.kept_most:
        solver = _solver(problem.seconds_max / 2)
        model.model.maximize(sum(model.kept))
        status = solver.solve(model.model)
        is_proved = status == cp_model.OPTIMAL
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            found = model.found(solver)
            if (more := kept(problem, found.placed)) > held:
                room, held = found, more
                model.hint(room.placed)
    if model.kept:
        model.model.add(sum(model.kept) >= held)
    return room, is_proved


def _solver(seconds_max: float) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds_max
    # One worker with the whole linear relaxation proves the optimum of a real stop in two seconds,
    # the same one each time; two workers of the default portfolio were 2 to 11 % short after five.
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.random_seed = 1
    return solver


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
        self.problem = problem
        self.kept: list[cp_model.IntVar] = []
        """For each person with a guaranteed minimum, how much of it is kept."""
        self.kept_most = 0
        self._overlapping = overlapping
        self.choices = {choice: self.model.new_bool_var("") for choice in _choices(problem)}
        self._constrain(overlapping)
        self._limit()
        self.value = self._value()

    @property
    def most(self) -> int:
        """Give a bound that needs no search."""
        each = FIRST_MEETING_WORTH + STAYING_WORTH
        return sum(candidate.worth + each for candidate in self.problem.candidates)

    def found(self, solver: cp_model.CpSolver) -> Room:
        """Give the timetable that a search has found."""
        chosen = [choice for choice, variable in self.choices.items() if solver.value(variable)]
        return _furnished(self.problem, self._overlapping, chosen)

    def hint(self, placed: Sequence[Placed]) -> None:
        """Start the search from a timetable."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        kinds = {one.id: frozenset(one.languages) for one in self.problem.interpreters}
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
            candidate = self.problem.candidates[choice.candidate]
            pair = (candidate.delegate_id, candidate.local_id)
            self.model.add_hint(variable, (*pair, choice.time, choice.kind) in held)

    def _constrain(self, overlapping: Sequence[frozenset[int]]) -> None:
        by_pair, by_time, by_resource = _Groups(), _Groups(), _Groups()
        begins = [self._begins_during(time, overlapping) for time in range(len(overlapping))]
        for choice, variable in self.choices.items():
            by_pair[choice.candidate].append(variable)
            by_time[choice.time].append(variable)
            candidate = self.problem.candidates[choice.candidate]
            for resource in filter(None, (candidate.delegate_id, candidate.local_id, choice.kind)):
                for begin in begins[choice.time]:
                    by_resource[resource, begin].append(variable)
        for variables in by_pair.values():
            self.model.add_at_most_one(variables)
        for time, variables in by_time.items():
            self.model.add(sum(variables) <= len(self.problem.times[time].points))
        for (resource, begin), variables in by_resource.items():
            if isinstance(resource, UUID):
                self.model.add_at_most_one(variables)
            else:
                self.model.add(sum(variables) <= self._count(resource, begin))

    def _begins_during(self, time: int, overlapping: Sequence[frozenset[int]]) -> list[int]:
        """Give the times that begin while this one is on: some one of them tells every overlap."""
        times, one = self.problem.times, self.problem.times[time]
        return [
            other
            for other in overlapping[time]
            if one.starts_at <= times[other].starts_at < one.ends_at
        ]

    def _count(self, kind: Kind, begin: int) -> int:
        return sum(
            frozenset(one.languages) == kind and begin in one.times
            for one in self.problem.interpreters
        )

    def _limit(self) -> None:
        """Let nobody have more meetings than allowed, nor meet a company twice."""
        by_person, by_company = _Groups(), _Groups()
        for choice, variable in self.choices.items():
            candidate = self.problem.candidates[choice.candidate]
            by_person[candidate.delegate_id, "delegation"].append(variable)
            by_person[candidate.local_id, "local"].append(variable)
            for meets in candidate.meets:
                by_company[meets].append((choice.candidate, variable))
        for found in by_company.values():
            # One pair alone meets once anyway.
            if len({candidate for candidate, _ in found}) > 1:
                self.model.add_at_most_one(variable for _, variable in found)
        for (person, side), variables in by_person.items():
            room = self.problem.room(person, side)
            if room is not None:
                self.model.add(sum(variables) <= room)
            if owed := min(self.problem.owed(person), len(variables)):
                self.kept.append(self.model.new_int_var(0, owed, ""))
                self.model.add(self.kept[-1] <= sum(variables))
                self.kept_most += owed

    def _value(self) -> cp_model.LinearExprT:
        terms, by_local = [], _Groups()
        for choice, variable in self.choices.items():
            candidate = self.problem.candidates[choice.candidate]
            terms.append(_worth(candidate, choice.time) * variable)
            by_local[candidate.local_id].append(variable)
        for local_id, variables in by_local.items():
            if not self.problem.meetings_before.get(local_id, 0):
                has_one = self.model.new_bool_var("")
                self.model.add(sum(variables) >= has_one)
                terms.append(FIRST_MEETING_WORTH * has_one)
        return sum(terms)


class _Groups(defaultdict):  # type: ignore[type-arg]  # its keys are of three kinds
    def __init__(self) -> None:
        super().__init__(list)


def _choices(problem: Problem) -> Iterator[Choice]:
    for place, candidate in enumerate(problem.candidates):
        for time in candidate.times:
            if not candidate.needs_interpreter:
                yield Choice(place, time, None)
                continue
            kinds = {frozenset(one.languages) for one in able(problem, candidate, time)}
            for kind in sorted(kinds, key=sorted):
                yield Choice(place, time, kind)


def _worth(candidate: Candidate, time: int) -> int:
    return candidate.worth + STAYING_WORTH * (time == candidate.now_at)


def _value(problem: Problem, placed: Sequence[Placed]) -> int:
    by_pair = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    first = {p.local_id for p in placed if not problem.meetings_before.get(p.local_id)}
    return FIRST_MEETING_WORTH * len(first) + sum(
        _worth(by_pair[one.delegate_id, one.local_id], one.time) for one in placed
    )
