"""The timetable as a model for CP-SAT: who meets when, at whose booth, with which interpreters.

An assignment over slots as in Ernst, Mills and Welgama, "Scheduling appointments at trade events"
(2003): one Boolean for each pair, time, owner of the point and kind of interpreter.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID

from ortools.sat.python import cp_model

from services.matching.domain.filling import Kind, Room, able, homes, points_of
from services.matching.domain.problem import Candidate, Languages, Placed, Problem, Span
from services.matching.domain.runs import shortest_too_long

FIRST_MEETING_WORTH = 2_500
"""Nobody who came should go home without a meeting, if another can do with one less."""
STAYING_WORTH = 400
SHARES_MAX = 12
FAIR_WORTH = 27_720
"""Of somebody's n-th meeting it is the n-th part: divisible by all numbers up to 12."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to hold one meeting."""

    candidate: int
    time: int
    kind: Kind | None
    owner: UUID | None


class Groups(defaultdict[Any, list[Any]]):
    """Variables by what they share."""

    def __init__(self) -> None:
        super().__init__(list)


class Model:
    """All rules as constraints, and the goals as sums of variables."""

    def __init__(self, problem: Problem, overlapping: Sequence[frozenset[int]]) -> None:
        self.model = cp_model.CpModel()
        self.problem = problem
        self.overlapping = overlapping
        self.kinds = kinds(problem, overlapping)
        self._helping_at: dict[tuple[Languages, int], list[Kind | None]] = {}
        self.choices = {choice: self.model.new_bool_var("") for choice in self._choices()}
        self.of_pair = Groups()
        for choice, variable in self.choices.items():
            self.of_pair[problem.candidates[choice.candidate].pair].append((choice, variable))
        self.kept: list[cp_model.IntVar] = []
        """For each person with a guaranteed minimum, how much of it is kept."""
        self.kept_most = 0
        self._constrain()
        self._limit()
        self._order()
        self._let_rest()
        self.musts = [self._must(pairs) for pairs in problem.musts]
        """For each wish that comes first, whether it is fulfilled."""
        self.value = self._value()

    @property
    def most(self) -> int:
        """Give a bound on the value that needs no search."""
        each = FIRST_MEETING_WORTH + STAYING_WORTH
        return sum(candidate.worth + each for candidate in self.problem.candidates)

    def found(self, solver: Any) -> Room:
        """Give the timetable that a search, or its callback, has found."""
        chosen = [choice for choice, v in self.choices.items() if solver.boolean_value(v)]
        return _furnished(self.problem, self.overlapping, chosen)

    def hint(self, placed: Sequence[Placed]) -> None:
        """Start the search from a timetable."""
        self.model.clear_hints()  # type: ignore[no-untyped-call]
        held = {(*one.pair, one.time): one for one in placed}
        for choice, variable in self.choices.items():
            pair = self.problem.candidates[choice.candidate].pair
            one = held.get((*pair, choice.time))
            self.model.add_hint(variable, one is not None and self._is(choice, one))

    def _is(self, choice: Choice, one: Placed) -> bool:
        is_kind = one.interpreter_id is None or one.interpreter_id in (choice.kind or ())
        return is_kind and self.problem.owners.get(one.point_id) == choice.owner

    def fairness(self) -> "cp_model.LinearExprT":
        """Give a sum that grows most by the meetings of whoever has the fewest."""
        by_person, terms = Groups(), []
        for pair, found in self.of_pair.items():
            for person in pair:
                by_person[person] += [variable for _, variable in found]
        for person, variables in by_person.items():
            before = self.problem.before(person)
            more = [self.model.new_bool_var("") for _ in range(min(SHARES_MAX, len(variables)))]
            self.model.add(sum(variables) >= sum(more))
            terms += [FAIR_WORTH // (before + n) * v for n, v in enumerate(more, 1)]
        return sum(terms)

    def _choices(self) -> Iterator[Choice]:
        for place, candidate in enumerate(self.problem.candidates):
            for time in candidate.times:
                owners = homes(self.problem, candidate, time)
                for kind in self._helping(candidate, time):
                    yield from (Choice(place, time, kind, owner) for owner in owners)

    def _helping(self, candidate: Candidate, time: int) -> Sequence[Kind | None]:
        if not candidate.needs_interpreter:
            return [None]
        key = (candidate.languages, time)
        if key not in self._helping_at:
            helpers = {one.id for one in able(self.problem, candidate, time)}
            self._helping_at[key] = [kind for kind in self.kinds if kind & helpers]
        return self._helping_at[key]

    def _constrain(self) -> None:
        by_point, by_resource = Groups(), Groups()
        begins = [self._begins_during(time) for time in range(len(self.overlapping))]
        for choice, variable in self.choices.items():
            by_point[choice.time, choice.owner].append(variable)
            candidate = self.problem.candidates[choice.candidate]
            for resource in filter(None, (*candidate.pair, choice.kind)):
                by_resource[resource].append((choice.time, variable))
        for found in self.of_pair.values():
            self.model.add_at_most_one(variable for _, variable in found)
        for (time, owner), variables in by_point.items():
            self.model.add(sum(variables) <= len(points_of(self.problem, time, owner)))
        for resource, found in by_resource.items():
            if isinstance(resource, UUID) or len(resource) == 1:
                self._one_place(begins, found)
            else:
                self._pooled(begins, resource, found)

    def _begins_during(self, time: int) -> list[int]:
        """Give the times that begin while this one is on: some one of them tells every overlap."""
        times, one = self.problem.times, self.problem.times[time]
        return [
            other
            for other in self.overlapping[time]
            if one.starts_at <= times[other].starts_at < one.ends_at
        ]

    def _one_place(self, begins: Sequence[Sequence[int]], found: Sequence[Any]) -> None:
        """Keep somebody at one place: where times overlap, and where the way takes too long."""
        by_begin, by_time = Groups(), Groups()
        for time, variable in found:
            by_time[time].append(variable)
            for begin in begins[time]:
                by_begin[begin].append(variable)
        for variables in by_begin.values():
            self.model.add_at_most_one(variables)
        for one, other in combinations(sorted(by_time), 2):
            if other in self.overlapping[one] and not set(begins[one]) & set(begins[other]):
                self.model.add_at_most_one(by_time[one] + by_time[other])

    def _pooled(self, begins: Sequence[Sequence[int]], kind: Kind, found: Sequence[Any]) -> None:
        by_begin = Groups()
        for time, variable in found:
            for begin in begins[time]:
                by_begin[begin].append((time, variable))
        helpers = [set(one.times) for one in self.problem.interpreters if one.id in kind]
        for here in by_begin.values():
            free = sum(not there.isdisjoint(time for time, _ in here) for there in helpers)
            self.model.add(sum(variable for _, variable in here) <= free)

    def _limit(self) -> None:
        """Let nobody have more meetings than allowed, nor meet a company twice."""
        by_person, by_company = Groups(), Groups()
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

    def _order(self) -> None:
        """Let the first of two meetings end before the second begins, where both are held."""
        times = self.problem.times
        for first, second in self.problem.precedences:
            for begin in sorted({times[c.time].starts_at for c, _ in self.of_pair.get(second, ())}):
                late = [v for c, v in self.of_pair.get(first, ()) if times[c.time].ends_at > begin]
                early = [v for c, v in self.of_pair[second] if times[c.time].starts_at <= begin]
                self.model.add_at_most_one(late + early)

    def _let_rest(self) -> None:
        if self.problem.rest is None:
            return
        speaking = Groups()
        for choice, variable in self.choices.items():
            if choice.kind is not None:
                span = self.problem.times[choice.time]
                (helper,) = choice.kind
                speaking[helper, span.starts_at, span.ends_at].append(variable)
        for helper in {helper for helper, *_ in speaking}:
            fixed = self.problem.held.get(helper, ())
            free = [key for key in speaking if key[0] == helper]
            spans = [Span(starts_at=s, ends_at=e) for _, s, e in free]
            for run in shortest_too_long([*spans, *fixed], self.problem.rest):
                chosen = [place for place in run if place < len(free)]
                if chosen:
                    held = [v for place in chosen for v in speaking[free[place]]]
                    self.model.add(sum(held) <= len(chosen) - 1)

    def _must(self, pairs: Iterable[tuple[UUID, UUID]]) -> "cp_model.LinearExprT":
        variables = [variable for pair in pairs for _, variable in self.of_pair.get(pair, ())]
        is_met = self.model.new_bool_var("")
        self.model.add(sum(variables) >= is_met)
        return is_met

    def _value(self) -> "cp_model.LinearExprT":
        terms, by_local = [], Groups()
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


def kinds(problem: Problem, overlapping: Sequence[frozenset[int]]) -> list[Kind]:
    """Put together the interpreters who can stand in for one another at each time.

    Where times overlap they must be there at the same times to do so, and where somebody has to
    travel or to rest it counts who did what.
    """
    is_line = all(len(around) == 1 for around in overlapping)
    has_ways = any(any(ways.values()) for ways in problem.travel_minutes.values())
    groups: dict[object, set[UUID]] = defaultdict(set)
    for one in problem.interpreters:
        key: object = one.id
        if problem.rest is None and not has_ways:
            key = (frozenset(one.languages), () if is_line else one.times)
        groups[key].add(one.id)
    return [frozenset(group) for group in groups.values()]


def value(problem: Problem, placed: Sequence[Placed]) -> int:
    """Give what a timetable is worth."""
    by_pair = {c.pair: c for c in problem.candidates}
    first = {p.local_id for p in placed if not problem.meetings_before.get(p.local_id)}
    return FIRST_MEETING_WORTH * len(first) + sum(
        _worth(by_pair[one.pair], one.time) for one in placed
    )


def musts(problem: Problem, placed: Sequence[Placed]) -> int:
    """Count the wishes that come first and are fulfilled."""
    held = {one.pair for one in placed}
    return sum(any(pair in held for pair in pairs) for pairs in problem.musts)


def _worth(candidate: Candidate, time: int) -> int:
    return candidate.worth + STAYING_WORTH * (time == candidate.now_at)


def _furnished(
    problem: Problem, overlapping: Sequence[frozenset[int]], chosen: Iterable[Choice]
) -> Room:
    """Give each meeting a point and an interpreter: in order of time, those that stay first."""

    def order(choice: Choice) -> tuple[object, ...]:
        has_moved = problem.candidates[choice.candidate].now_at != choice.time
        return problem.times[choice.time].starts_at, choice.time, has_moved, choice.candidate

    room = Room(problem, overlapping)
    for choice in sorted(chosen, key=order):
        candidate = problem.candidates[choice.candidate]
        room.place(candidate, choice.time, choice.kind, choice.owner)
    return room
