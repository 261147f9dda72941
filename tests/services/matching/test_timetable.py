from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.domain.filling import greedy
from services.matching.domain.problem import (
    LOCAL_MEETINGS_MAX,
    Candidate,
    FreeInterpreter,
    Placed,
    Problem,
    Time,
)
from services.matching.domain.timetable import solve

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
FIRST, STAYING = 2_500, 400
DELEGATES = [UUID(int=100 + n) for n in range(3)]
LOCALS = [UUID(int=200 + n) for n in range(4)]
HELPERS = [UUID(int=300 + n) for n in range(3)]
SPOKEN = [("en",), ("zh",), ("en", "zh"), ("ja",)]
OF_HELPERS = [("en", "zh"), ("en", "ja", "zh"), ("ja",)]


def point(session: int, number: int) -> UUID:
    return UUID(int=1000 + 10 * session + number)


def time(number: int, session: int = 0, points: int = 1, shift: int = 0) -> Time:
    starts_at = START + timedelta(minutes=25 * number + shift)
    return Time(
        session_id=UUID(int=session),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=25),
        points=tuple(point(session, n) for n in range(points)),
    )


@st.composite
def problems(draw: st.DrawFn, shifts: Sequence[int] = (0, 10, 25), pairs: int = 8) -> Problem:
    """Make a stop with one session, or two beside one another: each has points of its own."""
    points = st.integers(0, 2)
    times = [time(n, points=draw(points)) for n in range(draw(st.integers(1, 3)))]
    if draw(st.booleans()):
        shift = draw(st.sampled_from(shifts))
        times += [time(n, 1, draw(points), shift) for n in range(draw(st.integers(1, 2)))]
    some = st.lists(st.sampled_from(range(len(times))), unique=True).map(lambda t: tuple(sorted(t)))
    spoken = {person: draw(st.sampled_from(SPOKEN)) for person in DELEGATES + LOCALS}
    every = list(product(DELEGATES, LOCALS))
    candidates = []
    for delegate, local in draw(
        st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=pairs)
    ):
        candidates.append(
            Candidate(
                delegate_id=delegate,
                local_id=local,
                worth=draw(st.integers(0, 8_000)),
                times=draw(some),
                languages=(spoken[delegate], spoken[local]),
                now_at=draw(st.none() | st.integers(0, len(times) - 1)),
            )
        )
    helpers = [
        FreeInterpreter(id=helper, languages=draw(st.sampled_from(OF_HELPERS)), times=draw(some))
        for helper in HELPERS[: draw(st.integers(0, 3))]
    ]
    before = draw(st.dictionaries(st.sampled_from(LOCALS), st.integers(1, 4), max_size=2))
    return Problem(
        times=tuple(times),
        candidates=tuple(candidates),
        interpreters=tuple(helpers),
        meetings_before=before,
        seconds_max=30,
    )


def faults(problem: Problem, placed: Sequence[Placed]) -> Iterator[str]:
    """Name every rule that a timetable breaks."""
    if len({(one.delegate_id, one.local_id) for one in placed}) < len(placed):
        yield "a pair meets twice"
    for one in placed:
        yield from faults_of_one(problem, one)
    for one, other in combinations(placed, 2):
        a, b = problem.times[one.time], problem.times[other.time]
        held = {one.delegate_id, one.local_id, one.point_id, one.interpreter_id} - {None}
        both = held & {other.delegate_id, other.local_id, other.point_id, other.interpreter_id}
        if both and a.starts_at < b.ends_at and b.starts_at < a.ends_at:
            yield "somebody or something is in two places"
    for local in LOCALS:
        here = sum(one.local_id == local for one in placed)
        if here and here + problem.meetings_before.get(local, 0) > LOCAL_MEETINGS_MAX:
            yield "a local participant has too many meetings"


def faults_of_one(problem: Problem, one: Placed) -> Iterator[str]:
    wanted = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    candidate = wanted[one.delegate_id, one.local_id]
    if one.time not in candidate.times:
        yield "a pair meets when it cannot"
    if one.point_id not in problem.times[one.time].points:
        yield "a meeting is at a point that the slot does not have"
    first, second = (set(languages) for languages in candidate.languages)
    if (one.interpreter_id is None) != bool(first & second):
        yield "an interpreter is missing, or not needed"
    helpers = {helper.id: helper for helper in problem.interpreters}
    if one.interpreter_id:
        spoken = set(helpers[one.interpreter_id].languages)
        if not (spoken & first and spoken & second):
            yield "an interpreter does not speak with both"
        if one.time not in helpers[one.interpreter_id].times:
            yield "an interpreter is not there"


def worth(problem: Problem, placed: Sequence[Placed]) -> int:
    wanted = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    total = sum(FIRST for local in {p.local_id for p in placed} - {*problem.meetings_before})
    for one in placed:
        candidate = wanted[one.delegate_id, one.local_id]
        total += candidate.worth + STAYING * (candidate.now_at == one.time)
    return total


def best(problem: Problem) -> int:
    """Try every timetable."""
    ways: list[list[Placed | None]] = []
    for c in problem.candidates:
        helpers = [h.id for h in problem.interpreters] if c.needs_interpreter else [None]
        ways.append([None])
        for t, helper in product(c.times, helpers):
            ways[-1] += [
                Placed(
                    delegate_id=c.delegate_id,
                    local_id=c.local_id,
                    time=t,
                    point_id=p,
                    interpreter_id=helper,
                )
                for p in problem.times[t].points
            ]
    most = 0
    for chosen in product(*ways):
        placed = [one for one in chosen if one]
        if worth(problem, placed) > most and not any(faults(problem, placed)):
            most = worth(problem, placed)
    return most


slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(problems())
def test_a_solution_obeys_every_rule_and_is_no_worse_than_the_greedy_one(problem: Problem) -> None:
    first = greedy(problem, problem.overlapping()).placed
    solution = solve(problem)

    assert list(faults(problem, first)) == []
    assert list(faults(problem, solution.placed)) == []
    assert worth(problem, first) <= solution.objective <= solution.bound
    assert solution.objective == worth(problem, solution.placed)
    assert solution.is_optimal == (solution.objective == solution.bound)


@settings(slow, max_examples=40)
@given(problems(shifts=(0, 50), pairs=3))
def test_nothing_that_can_be_tried_is_better(problem: Problem) -> None:
    solution, most = solve(problem), best(problem)

    assert solution.objective == most == solution.bound


def pair(
    delegate: int, local: int, languages: tuple[str, str] = ("en", "en"), **facts: object
) -> Candidate:
    given_ = {
        "delegate_id": DELEGATES[delegate],
        "local_id": LOCALS[local],
        "worth": 100,
        "times": (0,),
        "languages": tuple((language,) for language in languages),
    }
    return Candidate.model_validate(given_ | facts)


def problem_of(
    candidates: Sequence[Candidate],
    times: Sequence[Time] = (time(0, points=2),),
    helpers: Sequence[FreeInterpreter] = (),
    before: dict[UUID, int] | None = None,
) -> Problem:
    return Problem(
        times=tuple(times),
        candidates=tuple(candidates),
        interpreters=tuple(helpers),
        meetings_before=before or {},
        seconds_max=30,
    )


def test_who_speaks_more_languages_is_kept_for_those_who_need_them() -> None:
    helpers = [
        FreeInterpreter(id=HELPERS[0], languages=("en", "ja", "zh"), times=(0,)),
        FreeInterpreter(id=HELPERS[1], languages=("en", "zh"), times=(0,)),
    ]
    candidates = [pair(0, 0, ("en", "zh"), worth=5_000), pair(1, 1, ("en", "ja"))]
    solution = solve(problem_of(candidates, helpers=helpers))

    assert {one.local_id: one.interpreter_id for one in solution.placed} == {
        LOCALS[0]: HELPERS[1],
        LOCALS[1]: HELPERS[0],
    }


def test_sessions_beside_one_another_share_their_people() -> None:
    times = [time(0), time(0, session=1, points=2, shift=10)]
    candidates = [
        pair(0, 0, worth=3_000, times=(0,)),
        pair(0, 1, worth=2_900, times=(1,)),
        pair(1, 0, worth=2_900, times=(1,)),
    ]
    solution = solve(problem_of(candidates, times))

    # The best pair alone would keep both of its people from the two others.
    assert {one.time for one in solution.placed} == {1}
    assert solution.objective == 2 * (2_900 + FIRST)


def test_nobody_goes_home_without_a_meeting_if_another_can_do_with_one_less() -> None:
    candidates = [
        pair(0, 0, worth=2_000, times=(0, 1)),
        pair(1, 0, worth=2_000, times=(0, 1)),
        pair(1, 1, worth=100, times=(0, 1)),
    ]
    solution = solve(problem_of(candidates, [time(0), time(1)]))

    assert {one.local_id for one in solution.placed} == {LOCALS[0], LOCALS[1]}


@pytest.mark.parametrize(("before", "more"), [(0, 4), (1, 3), (4, 0), (5, 0)])
def test_a_local_participant_has_four_meetings_at_most(before: int, more: int) -> None:
    times = [time(n) for n in range(6)]
    delegates = [UUID(int=400 + n) for n in range(6)]
    candidates = [pair(0, 0, delegate_id=d, times=tuple(range(6))) for d in delegates]
    held = {LOCALS[0]: before} if before else {}

    assert len(solve(problem_of(candidates, times, before=held)).placed) == more


def test_what_was_solved_before_stays_where_it_is() -> None:
    times = [time(n, points=3) for n in range(3)]
    helpers = [FreeInterpreter(id=h, languages=("en", "zh"), times=(0, 1, 2)) for h in HELPERS[:2]]
    candidates = [
        pair(d, n, ("en", "zh") if n % 2 else ("en", "en"), times=(0, 1, 2))
        for d, n in product(range(3), range(4))
    ]
    # As the schedule in force may have it, and no search would.
    now = {(0, 0): (2, 2, None), (0, 1): (0, 2, HELPERS[1]), (1, 1): (1, 1, HELPERS[1])}

    def held(c: Candidate) -> Candidate:
        key = DELEGATES.index(c.delegate_id), LOCALS.index(c.local_id)
        if key not in now:
            return c
        t, p, h = now[key]
        change = {"now_at": t, "now_point_id": point(0, p), "now_interpreter_id": h}
        return c.model_copy(update=change)

    once = solve(problem_of([held(c) for c in candidates], times, helpers))
    places = {(p.delegate_id, p.local_id): p for p in once.placed}
    for (d, n), (t, p, h) in now.items():
        kept = places[DELEGATES[d], LOCALS[n]]
        assert (kept.time, kept.point_id, kept.interpreter_id) == (t, point(0, p), h)

    def again(c: Candidate) -> Candidate:
        p = places.get((c.delegate_id, c.local_id))
        change = {
            "now_at": p and p.time,
            "now_point_id": p and p.point_id,
            "now_interpreter_id": p and p.interpreter_id,
        }
        return c.model_copy(update=change)

    twice = solve(problem_of([again(c) for c in candidates], times, helpers))
    assert {(p.delegate_id, p.local_id): p for p in twice.placed} == places


def test_a_search_begins_with_what_stands_and_may_find_something_better() -> None:
    stands, newcomer = pair(0, 0, now_at=0), pair(1, 1, worth=5_000)
    problem = problem_of([newcomer, stands], [time(0)])

    (first,) = greedy(problem, problem.overlapping()).placed
    (found,) = solve(problem).placed
    assert (first.local_id, found.local_id) == (LOCALS[0], LOCALS[1])


def test_a_search_without_time_gives_the_greedy_timetable_and_an_honest_bound() -> None:
    candidates = [pair(0, 0, now_at=0)]
    hurried = problem_of(candidates, [time(0)]).model_copy(update={"seconds_max": 0})
    solution = solve(hurried)

    assert len(solution.placed) == 1
    assert solution.objective == 100 + FIRST + STAYING <= solution.bound


@pytest.mark.parametrize("candidates", [[], [pair(0, 0, times=())]])
def test_where_nothing_can_be_placed_nothing_is(candidates: list[Candidate]) -> None:
    solution = solve(problem_of(candidates))

    assert (solution.placed, solution.objective, solution.is_optimal) == ((), 0, True)
    assert solve(problem_of([pair(0, 0)], [])).placed == ()
