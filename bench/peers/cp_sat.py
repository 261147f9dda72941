"""The same schedule by CP-SAT alone: a Boolean for each meeting and slot, breaks as sums."""

import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from threading import Event, Thread
from typing import Any

from ortools.sat.python import cp_model

from services.matching.domain.compact.problem import Agenda

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Solved:
    """None where no schedule was found in time."""

    first_cpu_seconds: float | None
    breaks: int | None
    bound: int


def solve(agenda: Agenda, seconds: float) -> Solved:
    """Minimise the breaks for so many seconds of the processor, with two workers.

    One alone finds no schedule of a fair in ten seconds.
    """
    began = time.process_time()
    model = cp_model.CpModel()
    held = [
        {slot: model.new_bool_var("") for slot in sorted(agenda.allowed(place))}
        for place in range(len(agenda.meetings))
    ]
    taken: list[list[Any]] = [[] for _ in agenda.tables]
    for of in held:
        model.add_exactly_one(of.values())
        for slot, literal in of.items():
            taken[slot].append(literal)
    for literals, tables in zip(taken, agenda.tables, strict=True):
        model.add(sum(literals) <= tables)
    model.minimize(
        sum(
            _breaks(model, [held[place] for place in places], len(taken))
            for places in agenda.of().values()
        )
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 2
    first, has_ended = _First(began), Event()
    watch = Thread(target=_stop, args=(solver, began + seconds, has_ended))
    watch.start()
    status = solver.solve(model, first)
    has_ended.set()
    watch.join()
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Solved(None, None, 0)
    return Solved(
        first.cpu_seconds, round(solver.objective_value), int(solver.best_objective_bound)
    )


def _breaks(model: Any, held: list[dict[int, Any]], slots: int) -> Any:
    here: defaultdict[int, list[Any]] = defaultdict(list)
    for of in held:
        for slot, literal in of.items():
            here[slot].append(literal)
    used = []
    for slot in range(slots):
        used.append(model.new_bool_var(""))
        model.add(sum(here[slot]) == used[slot])
    starts = [used[0]]
    for before, now in pairwise(used):
        starts.append(model.new_bool_var(""))
        model.add_bool_or(starts[-1], before, now.negated())
    breaks = model.new_int_var(0, slots, "")
    model.add(breaks >= sum(starts) - 1)
    return breaks


def _stop(solver: Any, until: float, has_ended: Event) -> None:
    while not has_ended.wait(POLL_SECONDS):
        if time.process_time() >= until:
            solver.stop_search()


class _First(cp_model.CpSolverSolutionCallback):
    """Notes when there was a first schedule."""

    def __init__(self, began: float) -> None:
        super().__init__()
        self._began = began
        self.cpu_seconds: float | None = None

    def on_solution_callback(self) -> None:
        """Hear of a schedule."""
        if self.cpu_seconds is None:
            self.cpu_seconds = time.process_time() - self._began
