"""Compacting: the same meetings at other times, so that fewer people wait.

The clauses are those of Bofill and others (2022) with windows, as in `compact`, here beside all
other rules of the timetable, for CP-SAT.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from services.matching.domain.compact.layout import mask_of
from services.matching.domain.compact.windows import crowded
from services.matching.domain.problem import Placed, Problem, Span
from services.matching.domain.timetable_model import Groups, Model
from services.matching.domain.waits import Line, is_straight, lines


def kept_problem(problem: Problem, placed: Sequence[Placed]) -> Problem:
    """Give the problem of the same meetings: what stands where it stood before stays there."""
    at = {one.pair: one.time for one in placed}
    return problem.model_copy(
        update={
            "candidates": tuple(
                one.model_copy(update={"times": (one.now_at,)})
                if at[one.pair] == one.now_at
                else one
                for one in problem.candidates
                if one.pair in at
            )
        }
    )


class Waiting:
    """The waits of everybody as a sum of variables of a model whose pairs all meet."""

    def __init__(self, model: Model, problem: Problem) -> None:
        """Add what counts the waits; `problem` is the whole one, which knows all slots."""
        self._model = model.model
        self._times = model.problem.times
        for found in model.of_pair.values():
            self._model.add_exactly_one(variable for _, variable in found)
        self._own: dict[UUID, dict[object, list[Any]]] = {}
        """The choices of each person by when they are."""
        self._held = problem.held
        for pair, found in model.of_pair.items():
            for person in pair:
                own = self._own.setdefault(person, Groups())
                for choice, variable in found:
                    own[_key(self._times[choice.time])].append((pair, variable))
        terms = []
        for person, days in lines(problem).items():
            # Where slots overlap, what goes by between two meetings is not one slot after another.
            if person in self._own and all(is_straight(day) for day in days):
                terms += [self._waits(person, day, is_only=len(days) == 1) for day in days]
        self.sum = sum(terms)

    def _waits(self, person: UUID, day: Line, *, is_only: bool) -> Any:
        own, held = self._own[person], {_key(one) for one in self._held.get(person, ())}
        used = [
            1 if _key(slot) in held else sum(v for _, v in own.get(_key(slot), ())) for slot in day
        ]
        starts: list[Any] = [used[0]]
        for before, now in pairwise(used):
            starts.append(self._model.new_bool_var(""))
            self._model.add(starts[-1] >= now - before)
        waits = self._model.new_int_var(0, len(day), "")
        if is_only:
            self._model.add(waits >= sum(starts) - 1)
            self._windows(person, day, used, waits)
        else:
            is_there = self._model.new_bool_var("")
            self._model.add(is_there <= sum(used))
            self._model.add(waits >= sum(starts) - is_there)
        return waits

    def _windows(self, person: UUID, day: Line, used: Sequence[Any], waits: Any) -> None:
        """Say of who does not wait from which slot on the meetings follow one another."""
        domains: dict[object, set[int]] = {}
        held = {_key(one) for one in self._held.get(person, ())}
        for place, slot in enumerate(day):
            if _key(slot) in held:
                domains[place] = {place}
            for pair, _ in self._own[person].get(_key(slot), ()):
                domains.setdefault(pair, set()).add(place)
        windows = []
        for first in range(len(day) - len(domains) + 1):
            inside = frozenset(range(first, first + len(domains)))
            if crowded([mask_of(places & inside) for places in domains.values()]) is None:
                windows.append(self._model.new_bool_var(""))
                for place in inside:
                    self._model.add(used[place] == 1).only_enforce_if(windows[-1])
        self._model.add(waits >= 1 - sum(windows))


def _key(span: Span) -> tuple[object, object]:
    return span.starts_at, span.ends_at
