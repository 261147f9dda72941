"""Whether any schedule exists where pushing out leads nowhere: CP-SAT, breaks left aside."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from ortools.sat.python import cp_model

from services.matching.domain.compact.filling import NOWHERE
from services.matching.domain.compact.layout import Layout, bits


def decide(
    board: Layout, hint: Sequence[int], seconds: float, seed: int
) -> tuple[list[int] | None, bool]:
    """Give a schedule near a hint, if one is found in time, and whether there surely is none."""
    model = cp_model.CpModel()
    held = [{slot: model.new_bool_var("") for slot in bits(domain)} for domain in board.domains]
    _rules(model, board, held)
    for of, near in zip(held, hint, strict=True):
        if near != NOWHERE:
            for slot, literal in of.items():
                model.add_hint(literal, slot == near)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = max(seconds, 0.0)
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None, status == cp_model.INFEASIBLE
    return [
        next(slot for slot, literal in of.items() if solver.boolean_value(literal)) for of in held
    ], False


def _rules(model: Any, board: Layout, held: Sequence[dict[int, Any]]) -> None:
    busy: defaultdict[tuple[int, int], list[Any]] = defaultdict(list)
    taken: list[list[Any]] = [[] for _ in board.tables]
    for people, of in zip(board.people, held, strict=True):
        model.add_exactly_one(of.values())
        for slot, literal in of.items():
            taken[slot].append(literal)
            for person in people:
                busy[person, slot].append(literal)
    for literals in busy.values():
        model.add_at_most_one(literals)
    for literals, tables in zip(taken, board.tables, strict=True):
        model.add(sum(literals) <= tables)
    for second, before in board.earlier.items():
        for first in before:
            model.add(_when(held[first]) < _when(held[second]))


def _when(of: dict[int, Any]) -> Any:
    return sum(slot * literal for slot, literal in of.items())
