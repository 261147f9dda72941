"""Narrowing: of a large stop's pairs those that a schedule is likely to hold, and a bound for all.

Who meets whom is chosen without asking when: a relaxation of the timetable, in which people,
points and interpreters have as many meetings as they have slots. What it is worth no timetable
exceeds.
"""

from collections.abc import Iterable
from uuid import UUID

from ortools.sat.python import cp_model

from services.matching.domain.problem import Candidate, Problem
from services.matching.domain.timetable_model import FIRST_MEETING_WORTH, STAYING_WORTH, Groups
from shared.events.base import Side

CHOICES_MAX = 30_000
"""Pairs times slots that the search looks at: with more it has found nothing in half a minute."""


def choices(candidates: Iterable[Candidate]) -> int:
    """Count the ways in which pairs can meet."""
    return sum(len(one.times) for one in candidates)


def narrowed(problem: Problem, seconds_max: float) -> tuple[Problem, int]:
    """Give a problem of fewer pairs, and a bound on the value of all timetables of the whole one.

    All pairs that must meet or meet already are kept, then those that the relaxation chooses, then
    the most valuable.
    """
    chosen, bound = _relaxed(problem, seconds_max)
    musts = {pair for pairs in problem.musts for pair in pairs}

    def urgency(one: Candidate) -> tuple[bool, bool, int]:
        stays = one.now_at is not None or one.pair in musts
        return not stays, one.pair not in chosen, -one.worth

    kept, left = set(), CHOICES_MAX
    for one in sorted(problem.candidates, key=urgency):
        left -= len(one.times)
        if left < 0 and urgency(one)[0]:
            break
        kept.add(one.pair)
    few = tuple(one for one in problem.candidates if one.pair in kept)
    return problem.model_copy(update={"candidates": few}), bound


def _relaxed(problem: Problem, seconds_max: float) -> tuple[set[tuple[UUID, UUID]], int]:
    model = cp_model.CpModel()
    is_held = {one.pair: model.new_bool_var("") for one in problem.candidates if one.times}
    held = [one for one in problem.candidates if one.times]
    by_person, by_company, terms = Groups(), Groups(), []
    for one in held:
        variable = is_held[one.pair]
        by_person[one.delegate_id, "delegation"].append(one)
        by_person[one.local_id, "local"].append(one)
        for meets in one.meets:
            by_company[meets].append(variable)
        terms.append((one.worth + STAYING_WORTH * (one.now_at in one.times)) * variable)
    for variables in by_company.values():
        model.add_at_most_one(variables)
    for (person, side), own in by_person.items():
        variables = [is_held[one.pair] for one in own]
        model.add(sum(variables) <= _most(problem, person, side, own))
        if side == "local" and not problem.meetings_before.get(person, 0):
            has_one = model.new_bool_var("")
            model.add(sum(variables) >= has_one)
            terms.append(FIRST_MEETING_WORTH * has_one)
    model.add(sum(is_held.values()) <= sum(len(time.points) for time in problem.times))
    helped = [is_held[one.pair] for one in held if one.needs_interpreter]
    model.add(sum(helped) <= sum(_one_by_one(problem, h.times) for h in problem.interpreters))
    model.maximize(sum(terms))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.max_time_in_seconds = seconds_max
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        each = FIRST_MEETING_WORTH + STAYING_WORTH
        return set(), sum(one.worth + each for one in held)
    return (
        {pair for pair, variable in is_held.items() if solver.boolean_value(variable)},
        int(solver.best_objective_bound),
    )


def _most(problem: Problem, person: UUID, side: Side, own: Iterable[Candidate]) -> int:
    """Give how many meetings somebody can have at most, one after the other."""
    slots = _one_by_one(problem, {time for one in own for time in one.times})
    room = problem.room(person, side)
    return slots if room is None else min(slots, room)


def _one_by_one(problem: Problem, times: Iterable[int]) -> int:
    """Count the most of these times of which none overlaps another."""
    count, ends_at = 0, None
    for time in sorted((problem.times[n] for n in times), key=lambda time: time.ends_at):
        if ends_at is None or time.starts_at >= ends_at:
            count, ends_at = count + 1, time.ends_at
    return count
