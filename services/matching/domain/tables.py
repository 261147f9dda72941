"""Tables: which point each meeting has, so that people change theirs as little as can be."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from uuid import UUID

from ortools.graph.python import linear_sum_assignment

from services.matching.domain.filling import points_of
from services.matching.domain.problem import Pair, Placed, Problem

ROUNDS_MAX = 4
STAYING = 10
"""What it costs to leave a point that the schedule in force has: more than all walks it spares."""


def changes(problem: Problem, placed: Sequence[Placed]) -> int:
    """Count how often a participant goes to another point between two meetings."""
    return sum(one.point_id != later.point_id for one, later in _walks(problem, placed))


def seated(
    problem: Problem, placed: Sequence[Placed], is_in_time: Callable[[], bool] = lambda: True
) -> tuple[Placed, ...]:
    """Give the points of each slot anew until nobody can be spared a walk that way, or time is up.

    Each slot is an assignment of its own; what is before and after it stays as it is.
    """
    best = {one.pair: one for one in placed}
    near: dict[Pair, list[Pair]] = defaultdict(list)
    for one, later in _walks(problem, placed):
        near[one.pair].append(later.pair)
        near[later.pair].append(one.pair)
    stays = {c.pair: (c.now_at, c.now_point_id) for c in problem.candidates if c.now_point_id}
    fewest = changes(problem, placed)
    for _ in range(ROUNDS_MAX):
        for group in _groups(problem, placed):
            if not is_in_time():
                break
            points = points_of(problem, group[0].time, problem.owners.get(group[0].point_id))
            costs = [_costs(best, near[one.pair], stays, one.pair, points) for one in group]
            for one, point in zip(group, _assigned(costs, points), strict=True):
                best[one.pair] = one.model_copy(update={"point_id": point})
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


def _costs(
    best: Mapping[Pair, Placed],
    near: Sequence[Pair],
    stays: Mapping[Pair, tuple[int | None, UUID | None]],
    pair: Pair,
    points: Sequence[UUID],
) -> list[int]:
    """Say what each point would cost a meeting: walks, and what it leaves."""
    own = best[pair]
    around = [best[other].point_id for other in near]
    now_at, now_point = stays.get(pair, (None, None))
    costs = []
    for point in points:
        cost = sum(point != other for other in around)
        cost += STAYING * (now_at == own.time and point != now_point)
        # Of equals the one it has: nothing is moved for nothing.
        costs.append(2 * cost + (point != own.point_id))
    return costs


def _assigned(costs: Sequence[Sequence[int]], points: Sequence[UUID]) -> list[UUID]:
    """Give each meeting a point of its own, at the least cost of all together."""
    solver = linear_sum_assignment.SimpleLinearSumAssignment()
    for row in range(len(points)):
        for column in range(len(points)):
            # Rows beyond the meetings stand for points that stay free.
            solver.add_arc_with_cost(row, column, costs[row][column] if row < len(costs) else 0)
    status = solver.solve()
    assert status == solver.OPTIMAL, "each meeting has a point of these already"
    return [points[solver.right_mate(row)] for row in range(len(costs))]


def _walks(problem: Problem, placed: Sequence[Placed]) -> Iterator[tuple[Placed, Placed]]:
    """Give each participant's meetings with the ones that follow them."""
    found: dict[UUID, list[Placed]] = defaultdict(list)
    for one in sorted(placed, key=lambda one: problem.times[one.time].starts_at):
        for person in one.pair:
            found[person].append(one)
    for own in found.values():
        yield from pairwise(own)
