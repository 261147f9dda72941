"""Obstacles: what stands in the way of a meeting that a timetable does not hold."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from uuid import UUID

from services.matching.domain.filling import able, homes, points_of
from services.matching.domain.problem import Candidate, Problem, Solution
from services.matching.domain.runs import of_interpreter, too_long
from shared.events.base import Side


class Obstacles:
    """All that a timetable takes, read once."""

    def __init__(self, problem: Problem, solution: Solution) -> None:
        overlapping = problem.overlapping()
        self._problem, self._solution = problem, solution
        self._used: dict[UUID, set[int]] = defaultdict(set)
        self._counts: dict[UUID, int] = defaultdict(int)
        self._at = {one.pair: problem.times[one.time] for one in solution.placed}
        for one in solution.placed:
            for resource in (*one.people, one.point_id):
                self._used[resource] |= overlapping[one.time]
            for person in one.pair:
                self._counts[person] += 1

    def of(self, candidate: Candidate) -> str:
        """Give the code of the first thing that leaves a pair no time; `lower_value` without."""
        if not self._has_room(candidate.local_id, "local"):
            return "enough_meetings"
        if not self._has_room(candidate.delegate_id, "delegation"):
            return "delegate_enough_meetings"
        stages: Sequence[tuple[str, Callable[[Candidate, int], bool]]] = (
            ("no_common_time", self._are_free),
            ("other_order", self._is_in_order),
            ("no_point", self._has_point),
            ("no_interpreter", self._has_interpreter),
            ("no_rest", self._has_rested_interpreter),
        )
        times = list(candidate.times)
        for code, is_possible in stages:
            times = [time for time in times if is_possible(candidate, time)]
            if not times:
                return code
        return "lower_value"

    def _has_room(self, person_id: UUID, side: Side) -> bool:
        room = self._problem.room(person_id, side)
        return room is None or self._counts[person_id] < room

    def _are_free(self, candidate: Candidate, time: int) -> bool:
        return all(time not in self._used[person] for person in candidate.pair)

    def _is_in_order(self, candidate: Candidate, time: int) -> bool:
        slot, at = self._problem.times[time], self._at
        orders = self._problem.precedences
        before = [first for first, second in orders if second == candidate.pair and first in at]
        after = [second for first, second in orders if first == candidate.pair and second in at]
        return all(at[one].ends_at <= slot.starts_at for one in before) and all(
            slot.ends_at <= at[one].starts_at for one in after
        )

    def _has_point(self, candidate: Candidate, time: int) -> bool:
        return any(
            time not in self._used[point]
            for owner in homes(self._problem, candidate, time)
            for point in points_of(self._problem, time, owner)
        )

    def _has_interpreter(self, candidate: Candidate, time: int) -> bool:
        return not candidate.needs_interpreter or bool(self._free_interpreters(candidate, time))

    def _has_rested_interpreter(self, candidate: Candidate, time: int) -> bool:
        rest, slot = self._problem.rest, self._problem.times[time]
        if rest is None or not candidate.needs_interpreter:
            return True
        return any(
            not too_long([*of_interpreter(self._problem, self._solution.placed, one), slot], rest)
            for one in self._free_interpreters(candidate, time)
        )

    def _free_interpreters(self, candidate: Candidate, time: int) -> list[UUID]:
        helpers = able(self._problem, candidate, time)
        return [one.id for one in helpers if time not in self._used[one.id]]
