"""The timetable: which pairs meet when, where, and with whose help.

Goals one after the other: wishes that come first, guaranteed minima, value, fairness, few waits,
few changes of the table. A greedy timetable is there at once; each stage begins with the best so
far and never gives up what a stage before it reached.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ortools.sat.python import cp_model

from services.matching.domain.agendas import Laid, laid
from services.matching.domain.compact.anytime import anytime
from services.matching.domain.compact.maxsat import Compact
from services.matching.domain.compacting import Waiting, kept_problem
from services.matching.domain.conflicts import conflicts
from services.matching.domain.filling import Room, greedy
from services.matching.domain.narrowing import CHOICES_MAX, choices, narrowed
from services.matching.domain.problem import (
    Conflict,
    Placed,
    Problem,
    Progress,
    Solution,
    Span,
    Stage,
)
from services.matching.domain.quotas import kept
from services.matching.domain.tables import changes, seated
from services.matching.domain.timetable_model import Model, musts, value
from services.matching.domain.waits import breaks, lines

Clock = Callable[[], float]
Tell = Callable[[Progress], None]

SHARES = {"first": 0.25, "value": 0.6, "waits": 0.95, "tables": 1.0}
"""Until which part of the time a stage may go on; what one leaves the next one has."""
EFFORTS: Mapping[Stage, float] = {
    "musts": 0.2,
    "minima": 0.2,
    "value": 0.5,
    "fairness": 0.1,
    "waits": 0.6,
}
"""What part of the time's work a stage may do, counted by CP-SAT and not by the clock.

Where the machine has time for it the same problem has the same timetable each time.
"""
EXPLAINING_SHARE = 0.2
NARROWING_SHARE = 0.15
GAP_MIN = 0.001
"""A large stop's time is not spent on less: on what others gain by fewer waits."""
PROVABLE_MAX = 5_000
"""Pairs times slots of which CP-SAT mostly proves in seconds that nobody waits for nothing."""
TELL_SECONDS = 0.5
TELL_SHARE = 0.1
"""At most this part of the time goes into telling: the more there is to tell, the more rarely."""


@dataclass(frozen=True, slots=True)
class _Found:
    bound: float
    is_proved: bool


def solve(problem: Problem, tell: Tell = lambda _: None, clock: Clock = time.monotonic) -> Solution:
    """Find the best timetable within the time given; never worse than the greedy one.

    `tell` hears of each stage, and of what is better than before twice a second at most.
    """
    if not problem.candidates or not problem.times:
        return Solution(placed=(), objective=0, bound=0, is_optimal=True, breaks=0, breaks_bound=0)
    return _Search(problem, tell, clock).run()


class _Search:
    def __init__(self, problem: Problem, tell: Tell, clock: Clock) -> None:
        self._problem = problem
        self._tell, self._clock = tell, clock
        self._began = self._next = clock()
        self._days = lines(problem)
        self._line = tuple(
            Span(starts_at=one.starts_at, ends_at=one.ends_at)
            for one in sorted(problem.times, key=lambda one: one.starts_at)
        )
        self._overlapping = problem.overlapping()
        self._placed: Sequence[Placed] = ()
        self._bound: int | None = None
        """None until some search has told one."""
        self._is_narrow = False
        self._breaks_bound = 0
        self._is_first_proved = True
        self._conflicts: tuple[Conflict, ...] = ()

    def run(self) -> Solution:
        self._take(greedy(self._problem, self._overlapping))
        self._say("filling")
        model = Model(self._narrowed(), self._overlapping)
        self._keep_most(model, "musts", model.musts, len(model.musts), musts)
        self._keep_most(model, "minima", model.kept, model.kept_most, kept)
        self._explain(len(model.musts), model.kept_most)
        self._most_valuable(model)
        if not self._is_narrow:
            self._fairest(model)
        self._fewest_waits()
        self._placed = seated(self._problem, self._placed, lambda: self._left("tables") > 0)
        return self._say("tables")

    def _narrowed(self) -> Problem:
        """Give what is searched: of a large stop the pairs that are likely to meet."""
        problem = self._problem
        if choices(problem.candidates) <= CHOICES_MAX:
            return problem
        fewer, self._bound = narrowed(problem, NARROWING_SHARE * problem.seconds_max)
        self._is_narrow = True
        return fewer

    def _keep_most(
        self,
        model: Model,
        stage: Stage,
        terms: Sequence[Any],
        most: int,
        count: Callable[[Problem, Sequence[Placed]], int],
    ) -> None:
        """Keep most of what comes before all value, and bind the model to keep as much."""
        if not terms:
            return
        if count(self._problem, self._placed) < most:
            model.model.maximize(sum(terms))
            found = self._searched(model, stage, self._left("first"))
            self._is_first_proved &= found is not None and found.is_proved
        model.model.add(sum(terms) >= count(self._problem, self._placed))

    def _explain(self, musts_most: int, kept_most: int) -> None:
        """Say what stands against what comes first, where not all of it is kept."""
        problem, placed = self._problem, self._placed
        if musts(problem, placed) < musts_most or kept(problem, placed) < kept_most:
            ends = self._clock() + EXPLAINING_SHARE * problem.seconds_max
            self._conflicts = tuple(conflicts(problem, lambda: self._clock() < ends))

    def _most_valuable(self, model: Model) -> None:
        model.model.maximize(model.value)
        if self._is_narrow and self._gap() < GAP_MIN:
            return
        if found := self._searched(model, "value", self._left("value")):
            self._bounded(found.bound)
        elif self._bound is None:
            self._bound = model.most

    def _gap(self) -> float:
        bound = self._bound or 0
        return (bound - value(self._problem, self._placed)) / bound if bound else 1.0

    def _bounded(self, bound: float) -> None:
        # Of fewer pairs it says nothing about all.
        if not self._is_narrow:
            self._bound = int(bound)

    def _fairest(self, model: Model) -> None:
        """Of equal timetables the one in which the fewest have far fewer meetings than others."""
        model.model.add(model.value >= value(self._problem, self._placed))
        model.model.maximize(model.fairness())
        # It is rarely proved, and rarely much is found.
        self._searched(model, "fairness", self._left("value") / 2)

    def _fewest_waits(self) -> None:
        """Keep who meets whom, and let as few as can be wait."""
        problem = kept_problem(self._problem, self._placed)
        if not problem.candidates or not breaks(self._problem, self._placed, self._days):
            return
        if choices(problem.candidates) > PROVABLE_MAX and (
            agenda := laid(problem, self._overlapping, self._placed)
        ):
            self._anneal(agenda)
            return
        model = Model(problem, self._overlapping)
        model.model.minimize(Waiting(model, self._problem).sum)
        if found := self._searched(model, "waits", self._left("waits"), relaxed=False):
            self._breaks_bound = max(0, round(found.bound))

    def _anneal(self, agenda: Laid) -> None:
        """Let fewer wait by the engine that takes many people, and few rules."""

        def hear(found: Compact) -> None:
            if found.slots is not None:
                self._take_calmer(agenda.room(found.slots, self._overlapping))
                if self._clock() >= self._next:
                    self._say("waits")

        self._say("waits")
        found = anytime(agenda.agenda, self._left("waits"), hear, self._clock)
        hear(found)
        # Where somebody may be in some sessions alone, fewer slots go by than on this line.
        if agenda.helpers is None and all(days == [self._line] for days in self._days.values()):
            self._breaks_bound = found.bound

    def _take_calmer(self, room: Room) -> None:
        """Take a timetable of the same meetings in which fewer wait."""
        count = breaks(self._problem, room.placed, self._days)
        if count < breaks(self._problem, self._placed, self._days):
            self._take(room)

    def _left(self, part: str) -> float:
        ends = self._began + SHARES[part] * self._problem.seconds_max
        return max(0.0, ends - self._clock())

    def _searched(
        self, model: Model, stage: Stage, seconds: float, *, relaxed: bool = True
    ) -> "_Found | None":
        """Search from the best so far; None where nothing was found, not even that."""
        model.hint(self._placed)
        solver = _solver(seconds, relaxed=relaxed)
        solver.parameters.max_deterministic_time = EFFORTS[stage] * self._problem.seconds_max
        watch = _Watch(lambda found: self._hear(model, stage, found))
        solver.best_bound_callback = lambda bound: self._hear_bound(stage, bound)
        self._say(stage)
        status = solver.solve(model.model, watch)
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            return None
        self._take(model.found(solver))
        return _Found(solver.best_objective_bound, status == cp_model.OPTIMAL)

    def _hear(self, model: Model, stage: Stage, found: Any) -> None:
        if self._clock() >= self._next:
            self._take(model.found(found))
            self._hear_bound(stage, found.best_objective_bound)

    def _hear_bound(self, stage: Stage, bound: float) -> None:
        if stage == "value":
            self._bounded(bound)
        elif stage == "waits":
            self._breaks_bound = max(0, round(bound))
        if self._clock() >= self._next:
            self._say(stage)

    def _take(self, room: Room) -> None:
        if self._rank(room.placed) >= self._rank(self._placed):
            self._placed = tuple(room.placed)

    def _rank(self, placed: Sequence[Placed]) -> tuple[int, ...]:
        problem = self._problem
        return (
            musts(problem, placed),
            kept(problem, placed),
            value(problem, placed),
        )

    def _say(self, stage: Stage) -> Solution:
        began = self._clock()
        problem, placed = self._problem, self._placed
        worth = value(problem, placed)
        bound = None if self._bound is None else max(worth, self._bound)
        solution = Solution(
            placed=tuple(placed),
            objective=worth,
            bound=bound if bound is not None else worth,
            is_optimal=self._is_first_proved and bound is not None and worth >= bound,
            musts=musts(problem, placed),
            breaks=breaks(problem, placed, self._days),
            breaks_bound=self._breaks_bound,
            table_changes=changes(problem, placed),
            conflicts=self._conflicts,
        )
        self._tell(
            Progress(
                stage=stage,
                seconds=began - self._began,
                solution=solution,
                is_bounded=bound is not None,
            )
        )
        now = self._clock()
        self._next = now + max(TELL_SECONDS, (now - began) / TELL_SHARE)
        return solution


class _Watch(cp_model.CpSolverSolutionCallback):
    def __init__(self, hear: Callable[[Any], None]) -> None:
        super().__init__()
        self._hear = hear

    def on_solution_callback(self) -> None:
        self._hear(self)


def _solver(seconds_max: float, *, relaxed: bool) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds_max
    # One worker with the whole linear relaxation proves the optimum of a real stop in two seconds,
    # the same one each time; two workers of the default portfolio were 2 to 11 % short after five.
    # Waits are clauses, which the relaxation says nothing about.
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2 if relaxed else 0
    solver.parameters.random_seed = 1
    return solver
