"""What cannot be kept together is named, and nothing in it is named for nothing."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.domain.conflicts import conflicts
from services.matching.domain.problem import (
    Candidate,
    Conflict,
    FreeInterpreter,
    Problem,
    Quota,
    Rest,
    Time,
)
from services.matching.domain.timetable import solve

START = datetime(2023, 11, 7, 1, 0, tzinfo=UTC)
DELEGATES = [UUID(int=100 + n) for n in range(3)]
LOCALS = [UUID(int=200 + n) for n in range(5)]
HELPER = UUID(int=300)
FIRM = UUID(int=400)


Pairs = dict[tuple[int, int], tuple[int, ...]]


def problem_of(pairs: Pairs, *, points: int = 3, **more: Any) -> Problem:
    """Make a stop where each of these pairs must meet, at one of these times."""
    chinese = more.pop("chinese", False)
    candidates = [
        Candidate(
            delegate_id=DELEGATES[d],
            local_id=LOCALS[n],
            worth=100,
            times=times,
            languages=(("en",), ("zh",) if chinese and n != 4 else ("en",)),
            companies=(None, FIRM if more.get("one_firm") else None),
        )
        for (d, n), times in pairs.items()
    ]
    more.pop("one_firm", None)
    given_ = {
        "times": [
            Time(
                session_id=UUID(int=1),
                starts_at=START + timedelta(minutes=25 * n),
                ends_at=START + timedelta(minutes=25 * n + 25),
                points=tuple(UUID(int=500 + p) for p in range(points)),
                venue="harbour" if n % 2 else "",
            )
            for n in range(3)
        ],
        "candidates": candidates,
        "interpreters": [FreeInterpreter(id=HELPER, languages=("en", "zh"), times=(0, 1, 2))],
        "meetings_before": {},
        "seconds_max": 30,
        "musts": [(c.pair,) for c in candidates],
    }
    return Problem.model_validate(given_ | more)


def found(problem: Problem) -> list[Conflict]:
    return conflicts(problem, lambda: True)


def names(conflict: Conflict) -> set[tuple[int, int]]:
    return {(DELEGATES.index(d), LOCALS.index(n)) for d, n in conflict.pairs}


def test_where_all_can_be_kept_nothing_is_named() -> None:
    assert found(problem_of({(0, 0): (0, 1), (0, 1): (0, 1), (1, 2): (2,)})) == []


def test_who_has_more_meetings_than_slots_is_named_by_those_alone() -> None:
    crowd = {(0, 0): (0, 1), (0, 1): (0, 1), (0, 2): (1,)}
    (conflict,) = found(problem_of({**crowd, (0, 3): (2,), (1, 4): (0,)}))

    assert (conflict.code, names(conflict)) == ("slots", {*crowd})
    assert "too few slots in which" in conflict.reason.en
    assert "时段不足" in conflict.reason.zh


@pytest.mark.parametrize(
    ("code", "facts", "pairs"),
    [
        ("interpreters", {"chinese": True}, {(0, 0): (0,), (1, 1): (0,)}),
        ("points", {"points": 1}, {(0, 0): (0,), (1, 1): (0,)}),
        ("ways", {"travel_minutes": {"": {"harbour": 30}}}, {(0, 0): (0,), (0, 1): (1,)}),
        (
            "rest",
            {"chinese": True, "rest": Rest(run_minutes_max=30, rest_minutes=10)},
            {(0, 0): (0,), (1, 1): (1,)},
        ),
        (
            "orders",
            {"precedences": [((DELEGATES[0], LOCALS[0]), (DELEGATES[0], LOCALS[1]))]},
            {(0, 0): (2,), (0, 1): (0, 1)},
        ),
        ("quotas", {"quotas": {DELEGATES[0]: Quota(maximum=1)}}, {(0, 0): (0,), (0, 1): (1,)}),
        ("companies", {"one_firm": True}, {(0, 0): (0,), (0, 1): (1,)}),
        ("slots", {}, {(0, 0): ()}),
    ],
)
def test_what_there_is_too_little_of_is_said(
    code: str, facts: dict[str, Any], pairs: Pairs
) -> None:
    problem = problem_of({**pairs, (2, 4): (2,)}, **facts)
    (conflict,) = found(problem)

    assert (conflict.code, names(conflict)) == (code, {*pairs})
    solution = solve(problem)
    assert (solution.musts, solution.conflicts) == (len(pairs), (conflict,))


def test_a_guaranteed_minimum_that_cannot_be_kept_is_part_of_it() -> None:
    problem = problem_of(
        {(0, 0): (0,), (1, 0): (0,)}, quotas={DELEGATES[0]: Quota(minimum=2)}
    ).model_copy(update={"musts": ()})
    (conflict,) = found(problem)

    assert (conflict.pairs, conflict.people) == ((), (DELEGATES[0],))


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    pairs = draw(
        st.dictionaries(
            st.sampled_from(list(product(range(3), range(4)))),
            st.lists(st.integers(0, 2), unique=True).map(tuple),
            min_size=1,
            max_size=7,
        )
    )
    return problem_of(
        pairs, points=draw(st.integers(1, 3)), chinese=draw(st.booleans()), one_firm=False
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(problems())
def test_a_conflict_is_one_and_each_part_of_it_is_needed(problem: Problem) -> None:
    told = found(problem)

    assert bool(told) == (solve(problem).musts < len(problem.musts))
    for conflict in told:
        own = {(pair,) for pair in conflict.pairs}
        assert held(problem, own) < len(own)
        for left_out in own:
            assert held(problem, own - {left_out}) == len(own) - 1


def held(problem: Problem, musts: set[tuple[tuple[UUID, UUID]]]) -> int:
    return solve(problem.model_copy(update={"musts": tuple(musts)})).musts
