"""Tables: which point each meeting has, so that people change theirs as little as can be."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from uuid import UUID

from ortools.graph.python import linear_sum_assignment

from services.matching.domain.filling import points_of
from services.matching.domain.problem import Placed, Problem

ROUNDS_MAX = 4
STAYING = 10
"""What it costs to leave a point that the schedule in force has: more than all walks it spares."""


def changes(problem: Problem, placed: Sequence[Placed]) -> int:
    """Count how often a participant goes to another point between two meetings."""
    return sum(
        one.point_id != later.point_id
        for own in _in_turn(problem, placed).values()
        for one, later in pairwise(own)
    )


def seated(problem: Problem, placed: Sequence[Placed]) -> tuple[Placed, ...]:
    """Give the points of each slot anew until nobody can be spared a walk that way.

    Each slot is an assignment of its own; what is before and after it stays as it is.
    """
    best = {one.pair: one for one in placed}
    fewest = changes(problem, placed)
    for _ in range(ROUNDS_MAX):
        for group in _groups(problem, placed):
            _assign(problem, best, group)
        found = changes(problem, [*best.values()])
        if found >= fewest:
            break
        fewest = found
    return tuple(best[one.pair] for one in placed)


def _groups(problem: Problem, placed: Sequence[Placed]) -> Iterator[list[Placed]]:
    """Give the meetings that share points, in order of time: of one slot, at one owner's."""
    groups = defaultdict(list)
    for one in placed:
        groups[one.time, problem.owners.get(one.point_id)].append(one)
    order = sorted(groups, key=lambda key: (problem.times[key[0]].starts_at, key[0], str(key[1])))
    return (groups[key] for key in order)


def _assign(problem: Problem, best: dict[tuple[UUID, UUID], Placed], group: list[Placed]) -> None:
    time = group[0].time
    points = points_of(problem, time, problem.owners.get(group[0].point_id))
    near = _neighbours(problem, [*best.values()])
    stays = {c.pair: c.now_point_id for c in problem.candidates if c.now_at == time}
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    rows = [best[one.pair] for one in group]
    for row, one in enumerate(rows):
        for column, point in enumerate(points):
            cost = sum(point != other for other in near[one.pair])
            cost += STAYING * (stays.get(one.pair) not in (None, point))
            # Of equals the one it has: nothing is moved for nothing.
            solver.add_arc_with_cost(row, column, 2 * cost + (point != one.point_id))
    for row in range(len(rows), len(points)):
        for column in range(len(points)):
            solver.add_arc_with_cost(row, column, 0)
    if solver.solve() == solver.OPTIMAL:
        for row, one in enumerate(rows):
            point = points[solver.right_mate(row)]
            best[one.pair] = one.model_copy(update={"point_id": point})


def _neighbours(problem: Problem, placed: Sequence[Placed]) -> dict[tuple[UUID, UUID], list[UUID]]:
    """Give for each pair the points that the two have before and after it."""
    near: dict[tuple[UUID, UUID], list[UUID]] = {one.pair: [] for one in placed}
    for own in _in_turn(problem, placed).values():
        for one, later in pairwise(own):
            near[one.pair].append(later.point_id)
            near[later.pair].append(one.point_id)
    return near


def _in_turn(problem: Problem, placed: Sequence[Placed]) -> dict[UUID, list[Placed]]:
    found: dict[UUID, list[Placed]] = defaultdict(list)
    for one in sorted(placed, key=lambda one: problem.times[one.time].starts_at):
        for person in one.pair:
            found[person].append(one)
    return found
