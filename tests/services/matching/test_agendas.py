"""Timetables of many people, which the engine for few breaks takes: with all rules kept."""

import time
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest

from services.matching.domain import timetable
from services.matching.domain.agendas import laid
from services.matching.domain.compact.check import faults as faults_of
from services.matching.domain.compacting import kept_problem
from services.matching.domain.filling import greedy
from services.matching.domain.problem import (
    Candidate,
    FreeInterpreter,
    Problem,
    Progress,
    Rest,
    Span,
    Time,
)
from services.matching.domain.timetable import solve
from services.matching.domain.waits import breaks, lines
from tests.services.matching.test_timetable_rules import START, faults

DELEGATES, LOCALS, SLOTS = 12, 90, 8


def stop(helpers: int, points: int = 12, **facts: Any) -> Problem:
    """Make a stop with many people and a break at noon; `helpers` serve half of the meetings."""
    random = Random(7)  # noqa: S311  # the same stop each time
    times = []
    for n in range(SLOTS):
        starts_at = START + timedelta(minutes=25 * n + (60 if n >= SLOTS // 2 else 0))
        times.append(
            Time(
                session_id=UUID(int=1),
                starts_at=starts_at,
                ends_at=starts_at + timedelta(minutes=25),
                points=tuple(UUID(int=1000 + p) for p in range(points)),
            )
        )
    candidates = [
        Candidate(
            delegate_id=UUID(int=100 + d),
            local_id=UUID(int=5000 + n),
            worth=random.randrange(1000),
            times=tuple(t for t in range(SLOTS) if random.random() > 0.1),
            languages=(("en",), ("zh",) if n % 2 else ("en",)),
        )
        for d in range(DELEGATES)
        for n in random.sample(range(LOCALS), 16)
    ]
    given = {
        "times": times,
        "candidates": candidates,
        "interpreters": [
            FreeInterpreter(id=UUID(int=300 + n), languages=("en", "zh"), times=tuple(range(SLOTS)))
            for n in range(helpers)
        ],
        "meetings_before": {},
        "seconds_max": 4,
    }
    return Problem.model_validate(given | facts)


@pytest.mark.parametrize("helpers", [12, 3])
def test_many_people_wait_less_and_every_rule_is_kept(
    helpers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timetable, "PROVABLE_MAX", 0)
    problem = stop(helpers)
    told: list[Progress] = []
    # By processor time: on a busy machine the search would not come as far.
    solution = solve(problem, told.append, time.process_time)

    for one in told:
        assert list(faults(problem, one.solution.placed)) == []
    assert solution.breaks == breaks(problem, solution.placed, lines(problem))
    before = next(one.solution.breaks for one in told if one.stage == "waits")
    assert before is not None
    assert (solution.breaks or 0) < before
    assert (solution.breaks_bound or 0) <= (solution.breaks or 0)
    pairs = [{p.pair for p in one.solution.placed} for one in told if one.stage == "waits"]
    assert pairs[0] == pairs[-1] == {p.pair for p in solution.placed}


@pytest.mark.parametrize("helpers", [12, 3])
def test_a_timetable_is_a_schedule_of_its_agenda(helpers: int) -> None:
    problem = stop(helpers)
    overlapping = problem.overlapping()
    placed = greedy(problem, overlapping).placed
    kept = kept_problem(problem, placed)
    found = laid(kept, overlapping, placed)
    assert found is not None

    at = {one.pair: found.times.index(one.time) for one in placed}
    slots = [at[one.pair] for one in kept.candidates]
    assert faults_of(found.agenda, slots) == []
    assert (found.helpers is None) == (helpers == 12)
    again = found.room(slots, overlapping).placed
    assert {(one.pair, one.time) for one in again} == {(one.pair, one.time) for one in placed}


def test_fixed_meetings_keep_their_slot_and_their_table() -> None:
    first = stop(12).times[0]
    delegate = UUID(int=100)
    held = {delegate: (Span(starts_at=first.starts_at, ends_at=first.ends_at),)}
    candidates = [
        c.model_copy(update={"times": tuple(t for t in c.times if t)})
        for c in stop(12).candidates
        if c.delegate_id == delegate
    ]
    problem = stop(12, held=held, candidates=candidates)
    overlapping = problem.overlapping()
    placed = greedy(problem, overlapping).placed
    found = laid(kept_problem(problem, placed), overlapping, placed)

    assert found is not None
    assert len(found.agenda.meetings) == len(placed) + 1
    assert found.agenda.tables[0] == len(first.points) + 1
    assert found.agenda.meetings[-1].slots == {0}


@pytest.mark.parametrize(
    "facts",
    [
        {"owners": {UUID(int=1000): UUID(int=9)}},
        {"rest": Rest(run_minutes_max=100, rest_minutes=20)},
        {"held": {UUID(int=100): (Span(starts_at=START - timedelta(hours=1), ends_at=START),)}},
    ],
)
def test_what_the_engine_does_not_know_is_left_to_the_other(facts: dict[str, Any]) -> None:
    problem = stop(12, **facts)
    overlapping = problem.overlapping()
    placed = greedy(problem, overlapping).placed

    assert laid(kept_problem(problem, placed), overlapping, placed) is None
