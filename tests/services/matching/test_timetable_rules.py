"""What every timetable keeps beyond people, points and quotas, counted anew from the problem."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise, product
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.domain import narrowing, timetable
from services.matching.domain.filling import greedy
from services.matching.domain.problem import (
    Candidate,
    FreeInterpreter,
    Placed,
    Problem,
    Progress,
    Rest,
    Span,
    Time,
)
from services.matching.domain.tables import changes, seated
from services.matching.domain.timetable import solve
from services.matching.domain.waits import breaks, lines

START = datetime(2023, 11, 7, 1, 0, tzinfo=UTC)
DELEGATES = [UUID(int=100 + n) for n in range(3)]
LOCALS = [UUID(int=200 + n) for n in range(4)]
HELPERS = [UUID(int=300 + n) for n in range(2)]
FIRMS = [UUID(int=400 + n) for n in range(3)]
VENUES = ["", "harbour", "tower"]


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def span(begin: int, length: int = 25) -> Span:
    return Span(starts_at=START + minutes(begin), ends_at=START + minutes(begin + length))


def slot(begin: int, length: int = 25, venue: str = "", points: int = 2) -> Time:
    number = VENUES.index(venue)
    return Time(
        session_id=UUID(int=number),
        points=tuple(UUID(int=1000 + 10 * number + n) for n in range(points)),
        venue=venue,
        **span(begin, length).model_dump(),
    )


@st.composite
def problems(draw: st.DrawFn) -> Problem:
    """Make a stop with ways, booths, unequal slots, orders, fixed meetings and rests."""
    times = []
    for venue in VENUES[: draw(st.integers(1, 3))]:
        begin = draw(st.sampled_from([0, 10, 25]))
        for length in draw(st.lists(st.sampled_from([20, 25, 40]), min_size=1, max_size=4)):
            times.append(slot(begin, length, venue, draw(st.integers(1, 2))))
            begin += length + draw(st.sampled_from([0, 0, 15]))
    held: dict[UUID, tuple[Span, ...]] = draw(
        st.dictionaries(
            st.sampled_from(DELEGATES + LOCALS + HELPERS),
            st.sampled_from([0, 25, 50, 75]).map(lambda begin: (span(begin),)),
            max_size=3,
        )
    )

    def can(person: UUID, one: Time) -> bool:
        fixed = held.get(person, ())
        return not any(f.starts_at < one.ends_at and one.starts_at < f.ends_at for f in fixed)

    spoken = {person: draw(st.sampled_from(["en", "zh"])) for person in LOCALS}
    firm = {person: draw(st.sampled_from([None, *FIRMS])) for person in DELEGATES + LOCALS}
    every = list(product(DELEGATES, LOCALS))
    chosen = draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=9))
    candidates = tuple(
        Candidate(
            delegate_id=delegate,
            local_id=local,
            worth=draw(st.integers(0, 3_000)),
            times=tuple(
                n
                for n, one in enumerate(times)
                if can(delegate, one) and can(local, one) and draw(st.integers(0, 4))
            ),
            languages=(("en",), (spoken[local],)),
            now_at=draw(st.none() | st.integers(0, len(times) - 1)),
            companies=(firm[delegate], firm[local]),
            again=True,
        )
        for delegate, local in chosen
    )
    pairs, ways = st.sampled_from(chosen), st.sampled_from([0, 15, 45])
    return Problem(
        times=tuple(times),
        candidates=candidates,
        interpreters=tuple(
            FreeInterpreter(
                id=helper,
                languages=("en", "zh"),
                times=tuple(n for n, one in enumerate(times) if can(helper, one)),
            )
            for helper in HELPERS
        ),
        meetings_before={},
        seconds_max=30,
        musts=tuple((pair,) for pair in draw(st.lists(pairs, unique=True, max_size=3))),
        precedences=tuple(
            order
            for order in draw(st.lists(st.tuples(pairs, pairs), max_size=2))
            if order[0] != order[1]
        ),
        travel_minutes={"": {venue: draw(ways) for venue in VENUES[1:]}},
        owners=draw(
            st.dictionaries(
                st.sampled_from([1000, 1001, 1010]).map(lambda n: UUID(int=n)),
                st.sampled_from(FIRMS),
            )
        ),
        held=held,
        rest=draw(
            st.none()
            | st.builds(
                Rest,
                run_minutes_max=st.sampled_from([30, 50, 60]),
                rest_minutes=st.sampled_from([5, 20]),
            )
        ),
    )


def faults(problem: Problem, placed: Sequence[Placed]) -> Iterator[str]:
    """Name every rule that a timetable breaks."""
    for one, other in combinations(placed, 2):
        shared = {*one.people, one.point_id} & {*other.people, other.point_id}
        if shared and are_near(problem, one, other):
            yield "somebody or something is in two places"
    by_pair = {c.pair: c for c in problem.candidates}
    for one in placed:
        if one.time not in by_pair[one.pair].times:
            yield "somebody is not there"
        if one.point_id not in problem.times[one.time].points:
            yield "the point is elsewhere"
        if problem.owners.get(one.point_id) not in (None, *by_pair[one.pair].companies):
            yield "a meeting is at a stranger's booth"
    yield from faults_in_time(problem, placed)


def are_near(problem: Problem, one: Placed, other: Placed) -> bool:
    a, b = problem.times[one.time], problem.times[other.time]
    ways = problem.travel_minutes
    way = max(ways.get(a.venue, {}).get(b.venue, 0), ways.get(b.venue, {}).get(a.venue, 0))
    return a.starts_at < b.ends_at + minutes(way) and b.starts_at < a.ends_at + minutes(way)


def faults_in_time(problem: Problem, placed: Sequence[Placed]) -> Iterator[str]:
    at = {one.pair: problem.times[one.time] for one in placed}
    for first, second in problem.precedences:
        if first in at and second in at and at[first].ends_at > at[second].starts_at:
            yield "a meeting is before the one it follows"
    for helper in HELPERS:
        spans = [problem.times[one.time] for one in placed if one.interpreter_id == helper]
        if spans and longest([*spans, *problem.held.get(helper, ())], problem.rest):
            yield "an interpreter has no rest"


def longest(spans: Sequence[Span], rest: Rest | None) -> bool:
    if rest is None:
        return False
    ordered = sorted(spans, key=lambda one: one.starts_at)
    begins = [ordered[0].starts_at] + [
        later.starts_at
        for one, later in pairwise(ordered)
        if later.starts_at - one.ends_at >= minutes(rest.rest_minutes)
    ]
    return any(
        one.ends_at - max(b for b in begins if b <= one.starts_at) > minutes(rest.run_minutes_max)
        for one in ordered
    )


def held_musts(problem: Problem, placed: Sequence[Placed]) -> int:
    pairs = {one.pair for one in placed}
    return sum(any(pair in pairs for pair in must) for must in problem.musts)


slow = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(problems())
def test_no_timetable_breaks_a_rule_and_none_told_is_given_up(problem: Problem) -> None:
    told: list[Progress] = []
    first = greedy(problem, problem.overlapping()).placed
    solution = solve(problem, told.append)

    assert list(faults(problem, first)) == []
    for one in told:
        assert list(faults(problem, one.solution.placed)) == []
    ranks = [(one.solution.musts, one.solution.objective) for one in told]
    assert ranks == sorted(ranks)
    assert solution.musts == held_musts(problem, solution.placed)
    assert (solution.breaks or 0) >= (solution.breaks_bound or 0)
    assert solution.objective <= solution.bound


@settings(slow, max_examples=40)
@given(problems())
def test_where_an_optimum_is_proved_no_other_order_of_candidates_finds_more(
    problem: Problem,
) -> None:
    one = solve(problem)
    mirrored = problem.model_copy(update={"candidates": problem.candidates[::-1]})
    other = solve(mirrored)

    if one.is_optimal and other.is_optimal:
        assert (one.musts, one.objective) == (other.musts, other.objective)


def pair(delegate: int, local: int, **facts: object) -> Candidate:
    given_ = {
        "delegate_id": DELEGATES[delegate],
        "local_id": LOCALS[local],
        "worth": 100,
        "times": (0,),
        "languages": (("en",), ("en",)),
    }
    return Candidate.model_validate(given_ | facts)


def problem_of(candidates: Sequence[Candidate], times: Sequence[Time], **more: object) -> Problem:
    given_ = {
        "times": tuple(times),
        "candidates": tuple(candidates),
        "interpreters": (),
        "meetings_before": {},
        "seconds_max": 30,
    }
    return Problem.model_validate(given_ | more)


def test_nobody_is_at_two_venues_within_the_time_the_way_takes() -> None:
    times = [slot(0), slot(30, venue="harbour"), slot(80, venue="harbour")]
    candidates = [pair(0, 0, times=(0,)), pair(0, 1, times=(1, 2))]
    far = problem_of(candidates, times, travel_minutes={"harbour": {"": 40}})
    near = problem_of(candidates, times, travel_minutes={"harbour": {"": 5}})

    assert {one.time for one in solve(far).placed} == {0, 2}
    assert len(solve(near).placed) == 2


def test_an_interpreter_travels_too() -> None:
    times = [slot(0), slot(30, venue="harbour")]
    candidates = [
        pair(0, 0, languages=(("en",), ("zh",))),
        pair(1, 1, times=(1,), languages=(("en",), ("zh",))),
    ]
    helper = FreeInterpreter(id=HELPERS[0], languages=("en", "zh"), times=(0, 1))

    def held(way: int) -> int:
        ways = {"": {"harbour": way}}
        problem = problem_of(candidates, times, travel_minutes=ways, interpreters=(helper,))
        return len(solve(problem).placed)

    assert (held(5), held(6)) == (2, 1)


@pytest.mark.parametrize(("fixed", "most"), [((), 3), ((span(-50), span(-25)), 2)])
def test_an_interpreter_rests_after_a_stretch_fixed_meetings_included(
    fixed: tuple[Span, ...], most: int
) -> None:
    times = [slot(25 * n) for n in range(4)]
    every = tuple(range(4))
    candidates = [pair(0, n, times=every, languages=(("en",), ("zh",))) for n in range(4)]
    helper = FreeInterpreter(id=HELPERS[0], languages=("en", "zh"), times=every)
    problem = problem_of(
        candidates,
        times,
        interpreters=(helper,),
        held={HELPERS[0]: fixed},
        rest=Rest(run_minutes_max=50, rest_minutes=20),
    )

    assert len(solve(problem).placed) == most


def test_what_must_be_comes_before_all_value() -> None:
    candidates = [pair(0, 0, worth=9_000), pair(0, 1, worth=0)]
    must = ((candidates[1].pair,),)
    (found,) = solve(problem_of(candidates, [slot(0)], musts=must)).placed

    assert found.local_id == LOCALS[1]


def test_of_equal_timetables_nobody_has_far_fewer_meetings_than_others() -> None:
    times = [slot(25 * n, points=1) for n in range(4)]
    every = tuple(range(4))
    candidates = [pair(d, n, times=every) for d in range(2) for n in range(4)]
    solution = solve(problem_of(candidates, times))

    counts = [sum(one.delegate_id == d for one in solution.placed) for d in DELEGATES[:2]]
    assert counts == [2, 2]


def test_the_same_meetings_are_held_with_the_fewest_waits() -> None:
    times = [slot(25 * n) for n in range(6)]
    candidates = [pair(0, 0, times=(0, 3)), pair(0, 1, times=(2, 5)), pair(0, 2, times=(1, 4))]
    solution = solve(problem_of(candidates, times))

    assert (len(solution.placed), solution.breaks, solution.breaks_bound) == (3, 0, 0)


def test_who_must_wait_is_counted_and_the_bound_says_that_it_cannot_be_helped() -> None:
    times = [slot(0), slot(25), slot(50)]
    candidates = [pair(0, 0, times=(0,)), pair(0, 1, times=(2,))]
    solution = solve(problem_of(candidates, times))

    assert (solution.breaks, solution.breaks_bound) == (1, 1)


@pytest.mark.parametrize(
    ("at", "waits"), [((0, 1), 0), ((0, 2), 1), ((0, 1, 2), 0), ((1, 4), 0), ((2, 3), 0)]
)
def test_a_break_of_the_session_and_a_night_are_no_waits(at: Sequence[int], waits: int) -> None:
    # A break after the first slot, and a second day.
    times = [slot(begin) for begin in (0, 60, 85, 24 * 60, 24 * 60 + 25)]
    candidates = [pair(0, n, times=(time,)) for n, time in enumerate(at)]
    problem = problem_of([*candidates, pair(0, 3, times=(0, 1, 2, 3, 4))], times)
    placed = solve(problem.model_copy(update={"candidates": tuple(candidates)})).placed

    assert len(placed) == len(at)
    assert breaks(problem, placed, lines(problem)) == waits


def test_what_the_schedule_in_force_holds_is_not_moved_for_fewer_waits() -> None:
    times = [slot(0), slot(25), slot(50)]
    candidates = [pair(0, 0, times=(0, 1), now_at=0), pair(0, 1, times=(1, 2), now_at=2)]
    solution = solve(problem_of(candidates, times))

    assert {one.time for one in solution.placed} == {0, 2}


def test_a_company_meets_at_its_booth_and_nobody_else_does() -> None:
    booth = UUID(int=1000)
    candidates = [
        pair(0, 0, companies=(None, FIRMS[0])),
        pair(1, 1, companies=(None, FIRMS[1])),
        pair(2, 2, companies=(None, FIRMS[2])),
    ]
    solution = solve(problem_of(candidates, [slot(0)], owners={booth: FIRMS[0]}))

    at = {one.local_id: one.point_id for one in solution.placed}
    assert at[LOCALS[0]] == booth
    assert len(at) == 2


def test_people_keep_their_table_where_they_can() -> None:
    times = [slot(25 * n) for n in range(3)]
    points = times[0].points
    candidates = [pair(d, n, times=(0, 1, 2)) for d in range(2) for n in range(3)]
    problem = problem_of(candidates, times)
    crossed = [
        Placed(
            delegate_id=DELEGATES[d],
            local_id=LOCALS[(n + d) % 3],
            time=n,
            point_id=points[(d + n) % 2],
            interpreter_id=None,
        )
        for n, d in product(range(3), range(2))
    ]
    found = seated(problem, crossed)

    assert changes(problem, found) < changes(problem, crossed)
    assert {(one.pair, one.time) for one in found} == {(one.pair, one.time) for one in crossed}
    assert list(faults(problem, found)) == []


@settings(slow, max_examples=40)
@given(problems())
def test_what_a_large_stop_is_narrowed_to_has_an_honest_bound(problem: Problem) -> None:
    whole = solve(problem)
    fewer, bound = narrowing.narrowed(problem, 5)

    assert whole.objective <= bound
    assert len(fewer.candidates) == len(problem.candidates)


@settings(slow, max_examples=40)
@given(problems(), st.integers(1, 12))
def test_a_narrow_search_keeps_all_rules_and_what_comes_first(problem: Problem, most: int) -> None:
    musts = {pair for must in problem.musts for pair in must}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(narrowing, "CHOICES_MAX", most)
        patch.setattr(timetable, "CHOICES_MAX", most)
        fewer, _ = narrowing.narrowed(problem, 5)
        solution = solve(problem)

    assert musts <= {one.pair for one in fewer.candidates}
    assert list(faults(problem, solution.placed)) == []
    first = greedy(problem, problem.overlapping()).placed
    assert held_musts(problem, first) <= solution.musts
    assert solution.objective <= solution.bound
    assert not solution.is_optimal or solution.objective == solve(problem).objective


@st.composite
def days(draw: st.DrawFn) -> Problem:
    """Make a day of five slots, two tables and a few meetings, all of which can be held."""
    times = [slot(25 * n) for n in range(5)]
    every = list(product(range(3), range(3)))
    chosen = draw(st.lists(st.sampled_from(every), unique=True, min_size=2, max_size=5))
    some = st.lists(st.integers(0, 4), min_size=1, unique=True).map(sorted).map(tuple)
    return problem_of([pair(d, n, times=draw(some)) for d, n in chosen], times)


@settings(slow, max_examples=50)
@given(days())
def test_no_other_times_make_fewer_wait(problem: Problem) -> None:
    solution = solve(problem)
    held = [c for c in problem.candidates if c.pair in {one.pair for one in solution.placed}]

    def is_possible(at: tuple[int, ...]) -> bool:
        met = [(person, time) for c, time in zip(held, at, strict=True) for person in c.pair]
        return len(set(met)) == len(met) and all(at.count(time) <= 2 for time in at)

    def waits(at: tuple[int, ...]) -> int:
        own: dict[UUID, list[int]] = {}
        for c, time in zip(held, at, strict=True):
            for person in c.pair:
                own.setdefault(person, []).append(time)
        return sum(b - a > 1 for used in own.values() for a, b in pairwise(sorted(used)))

    fewest = min(waits(at) for at in product(*(c.times for c in held)) if is_possible(at))
    assert solution.breaks == solution.breaks_bound == fewest
