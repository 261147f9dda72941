"""Quotas: set by staff, stated in the problem, kept by every timetable."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.matching.commands.stating import state
from services.matching.domain.filling import greedy
from services.matching.domain.problem import (
    DEFAULT_QUOTAS,
    Candidate,
    Placed,
    Problem,
    Quota,
    Time,
)
from services.matching.domain.quotas import effective, kept, of_person
from services.matching.domain.timetable import solve

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
SLOT = timedelta(minutes=25)
DELEGATES = [UUID(int=100 + n) for n in range(3)]
LOCALS = [UUID(int=200 + n) for n in range(4)]
FIRMS = [UUID(int=300 + n) for n in range(3)]
POINTS = [UUID(int=400 + n) for n in range(2)]


@st.composite
def problems(draw: st.DrawFn, pairs: int = 8, slots: int = 4) -> Problem:
    """Make a stop where people have quotas, companies several people, and some met before."""
    times = [
        Time(
            session_id=UUID(int=1),
            starts_at=START + n * SLOT,
            ends_at=START + (n + 1) * SLOT,
            points=tuple(POINTS[: draw(st.integers(1, 2))]),
        )
        for n in range(draw(st.integers(1, slots)))
    ]
    some = st.lists(st.sampled_from(range(len(times))), unique=True).map(lambda t: tuple(sorted(t)))
    firm = {person: draw(st.sampled_from(FIRMS)) for person in DELEGATES + LOCALS}
    every = list(product(DELEGATES, LOCALS))
    chosen = draw(st.lists(st.sampled_from(every), unique=True, min_size=1, max_size=pairs))
    quotas = {}
    for person in DELEGATES + LOCALS:
        if draw(st.booleans()):
            most = draw(st.none() | st.integers(0, 3))
            least = draw(st.integers(0, 3 if most is None else most))
            quotas[person] = Quota(minimum=least, maximum=most)
    return Problem(
        times=tuple(times),
        candidates=tuple(
            Candidate(
                delegate_id=delegate,
                local_id=local,
                worth=draw(st.integers(0, 8_000)),
                times=draw(some),
                languages=(("en",), ("en",)),
                now_at=draw(st.none() | st.integers(0, len(times) - 1)),
                companies=(firm[delegate], firm[local]),
                again=draw(st.booleans()),
            )
            for delegate, local in chosen
        ),
        interpreters=(),
        meetings_before=draw(st.dictionaries(st.sampled_from(LOCALS), st.integers(1, 3))),
        delegate_meetings_before=draw(st.dictionaries(st.sampled_from(DELEGATES), st.just(1))),
        quotas=quotas,
        seconds_max=30,
    )


def faults(problem: Problem, placed: Sequence[Placed]) -> Iterator[str]:
    """Name every rule of quotas and companies that a timetable breaks, counted anew."""
    held = Counter(person for one in placed for person in (one.delegate_id, one.local_id))
    before = {**problem.meetings_before, **problem.delegate_meetings_before}
    for person, count in held.items():
        most = problem.quotas[person].maximum if person in problem.quotas else None
        if person in LOCALS and person not in problem.quotas:
            most = 4
        if most is not None and before.get(person, 0) + count > most:
            yield "somebody has more meetings than allowed"
    pairs = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    once = [c for one in placed if not (c := pairs[one.delegate_id, one.local_id]).again]
    met = Counter((c.delegate_id, c.companies[1]) for c in once)
    met += Counter((c.local_id, c.companies[0]) for c in once)
    if any(count > 1 for count in met.values()):
        yield "somebody meets a company twice"
    for one, other in combinations(placed, 2):
        shared = {one.delegate_id, one.local_id, one.point_id}
        if one.time == other.time and shared & {other.delegate_id, other.local_id, other.point_id}:
            yield "somebody or something is in two places"


def guaranteed(problem: Problem, placed: Sequence[Placed]) -> int:
    """Count what is kept of the minima, beyond the meetings that are fixed."""
    held = Counter(person for one in placed for person in (one.delegate_id, one.local_id))
    before = {**problem.meetings_before, **problem.delegate_meetings_before}
    return sum(
        min(held[person], max(0, quota.minimum - before.get(person, 0)))
        for person, quota in problem.quotas.items()
    )


def value(problem: Problem, placed: Sequence[Placed]) -> int:
    pairs = {(c.delegate_id, c.local_id): c for c in problem.candidates}
    first = {one.local_id for one in placed} - {*problem.meetings_before}
    worth = sum(
        c.worth + 400 * (c.now_at == one.time)
        for one in placed
        for c in [pairs[one.delegate_id, one.local_id]]
    )
    return 2_500 * len(first) + worth


def best(problem: Problem) -> tuple[int, int]:
    """Try every timetable: what is kept of the minima at best, and then what it is worth."""
    ways: list[list[Placed | None]] = [
        [
            None,
            *(
                Placed(
                    delegate_id=c.delegate_id,
                    local_id=c.local_id,
                    time=time,
                    point_id=point,
                    interpreter_id=None,
                )
                for time in c.times
                for point in problem.times[time].points
            ),
        ]
        for c in problem.candidates
    ]
    most = (0, 0)
    for chosen in product(*ways):
        placed = [one for one in chosen if one]
        rank = (guaranteed(problem, placed), value(problem, placed))
        if rank > most and not any(faults(problem, placed)):
            most = rank
    return most


some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@some
@given(problems())
def test_no_timetable_breaks_a_maximum_and_none_meets_a_company_twice(problem: Problem) -> None:
    first = greedy(problem, problem.overlapping()).placed
    solution = solve(problem)

    assert list(faults(problem, first)) == []
    assert list(faults(problem, solution.placed)) == []
    assert guaranteed(problem, solution.placed) >= guaranteed(problem, first)
    assert solution.objective == value(problem, solution.placed) <= solution.bound
    assert kept(problem, solution.placed) == guaranteed(problem, solution.placed)


@settings(some, max_examples=40)
@given(problems(pairs=4, slots=3))
def test_nothing_that_can_be_tried_keeps_more_of_the_minima_or_is_worth_more(
    problem: Problem,
) -> None:
    solution = solve(problem)

    assert solution.is_optimal
    assert (guaranteed(problem, solution.placed), solution.objective) == best(problem)


def test_a_guaranteed_meeting_comes_before_any_that_is_worth_more() -> None:
    def pair(delegate: int, local: int, worth: int) -> Candidate:
        return Candidate(
            delegate_id=DELEGATES[delegate],
            local_id=LOCALS[local],
            worth=worth,
            times=(0,),
            languages=(("en",), ("en",)),
        )

    time = Time(session_id=UUID(int=1), starts_at=START, ends_at=START + SLOT, points=(POINTS[0],))
    problem = Problem(
        times=(time,),
        candidates=(pair(0, 0, 9_000), pair(1, 1, 1)),
        interpreters=(),
        meetings_before={},
        quotas={DELEGATES[1]: Quota(minimum=1)},
        seconds_max=30,
    )

    assert [one.delegate_id for one in solve(problem).placed] == [DELEGATES[1]]
    free = problem.model_copy(update={"quotas": {}})
    assert [one.delegate_id for one in solve(free).placed] == [DELEGATES[0]]


def test_a_person_s_numbers_replace_those_of_the_side_one_by_one() -> None:
    side = Quota(minimum=1, maximum=3)
    assert of_person(side, None) == side
    assert of_person(side, (2, None)) == Quota(minimum=2, maximum=3)
    assert of_person(side, (None, 5)) == Quota(minimum=1, maximum=5)
    # The side changed afterwards: the maximum is the harder one.
    assert of_person(side, (None, 0)) == Quota(minimum=0, maximum=0)
    assert effective({}, {}, {LOCALS[0]: "local", DELEGATES[0]: "delegation"}) == {}
    assert effective({"local": side}, {}, {LOCALS[0]: "local"}) == {LOCALS[0]: side}
    assert DEFAULT_QUOTAS["local"].maximum == 4


async def put(house: "House", path: str, **facts: Any) -> Any:
    body = {"stop_id": str(house.stop), **facts}
    return await house.rule(f"/quotas{path}", body)


async def test_staff_sets_quotas_and_they_are_stated_in_the_problem(house: "House") -> None:
    assert (await put(house, "", side="local", minimum=1, maximum=2)).status_code == 200
    assert (await put(house, "", side="delegation", minimum=3)).status_code == 200
    lin = str(house.people["lin"])
    said = await put(house, "/people", participant_id=lin, maximum=1)
    assert said.json()["effective"] == {"minimum": 1, "maximum": 1}
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 1)

    local, delegate = Quota(minimum=1, maximum=2), Quota(minimum=3)
    assert stated.problem.quotas == {
        house.people["dora"]: delegate,
        house.people["dave"]: delegate,
        house.people["luo"]: local,
        house.people["liu"]: local,
        house.people["lin"]: Quota(minimum=1, maximum=1),
    }
    shown = await house.get(f"/quotas?stop_id={house.stop}")
    assert {one["side"]: (one["minimum"], one["maximum"]) for one in shown["sides"]} == {
        "delegation": (3, None),
        "local": (1, 2),
    }
    (personal,) = shown["people"]
    assert (personal["participant_id"], personal["minimum"], personal["maximum"]) == (lin, None, 1)


async def test_what_was_set_for_one_person_is_taken_back(house: "House") -> None:
    lin = str(house.people["lin"])
    await put(house, "/people", participant_id=lin, minimum=2)
    taken = await put(house, "/people", participant_id=lin)

    assert taken.json()["effective"] == {"minimum": 0, "maximum": 4}
    shown = await house.get(f"/quotas?stop_id={house.stop}")
    assert shown["people"] == []
    assert {one["side"]: one["maximum"] for one in shown["sides"]} == {
        "delegation": None,
        "local": 4,
    }


@pytest.mark.parametrize(
    ("path", "facts", "pointer"),
    [
        ("", {"side": "local", "minimum": 3, "maximum": 2}, "/minimum"),
        ("", {"side": "local", "minimum": -1}, "/minimum"),
        ("", {"side": "local", "maximum": 201}, "/maximum"),
        ("", {"side": "both", "maximum": 2}, "/side"),
        ("/people", {"minimum": 5}, "/minimum"),
        ("/people", {"minimum": 2, "maximum": 1}, "/minimum"),
    ],
)
async def test_a_number_that_cannot_be_is_named(
    house: "House", path: str, facts: dict[str, Any], pointer: str
) -> None:
    if path:
        facts = facts | {"participant_id": str(house.people["lin"])}
    refused = await put(house, path, **facts)

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]


async def test_a_maximum_below_the_minimum_of_the_side_is_named(house: "House") -> None:
    await put(house, "", side="local", minimum=2, maximum=3)
    refused = await put(house, "/people", participant_id=str(house.people["lin"]), maximum=1)

    assert refused.status_code == 422
    assert [error["pointer"] for error in refused.json()["errors"]] == ["/maximum"]


async def test_quotas_are_of_people_and_stops_that_are_known(house: "House") -> None:
    assert (await put(house, "/people", participant_id=str(uuid4()))).status_code == 404
    body = {"stop_id": str(uuid4()), "side": "local"}
    unknown = await house.ask("PUT", "/api/v1/quotas", body=body, If_Match='"0"')
    assert unknown.status_code == 404


async def test_a_quota_is_changed_on_the_revision_that_was_seen(house: "House") -> None:
    lin = str(house.people["lin"])
    for path, whose in (("", {"side": "local"}), ("/people", {"participant_id": lin})):
        body = {"stop_id": str(house.stop), "maximum": 3} | whose
        answers = [
            await house.ask("PUT", f"/api/v1/quotas{path}", None, body=body, **header)
            for header in ({}, {"If_Match": '"0"'}, {"If_Match": '"0"'})
        ]
        assert [answer.status_code for answer in answers] == [428, 200, 412]
        seen = answers[1].headers["ETag"]
        for status in (200, 412):
            sent = await house.ask("PUT", f"/api/v1/quotas{path}", body=body, If_Match=seen)
            assert sent.status_code == status
    shown = await house.get(f"/quotas?stop_id={house.stop}")
    revisions = {one["side"]: one["revision"] for one in shown["sides"]}
    assert revisions["delegation"] == 0 < revisions["local"] < shown["people"][0]["revision"]


async def test_a_version_that_goes_beyond_a_maximum_set_since_is_not_published(
    house: "House",
) -> None:
    schedule = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dora liu", 2, "T1", "ivy")
    )
    await put(house, "/people", participant_id=str(house.people["dora"]), maximum=1)
    path = f"/api/v1/schedules/{schedule}/publish"
    refused = await house.ask("POST", path)
    assert (refused.status_code, refused.json()["code"]) == (409, "stale_schedule")

    await put(house, "/people", participant_id=str(house.people["dora"]), maximum=2)
    assert (await house.ask("POST", path)).status_code == 200


async def test_who_has_too_many_already_does_not_hold_up_the_others(house: "House") -> None:
    await house.day()
    await put(house, "/people", participant_id=str(house.people["dora"]), maximum=1)
    kept_ = [house.entry("dora lin", 1, "T1", "ivy"), house.entry("dora liu", 2, "T1", "ivy")]
    other = [house.entry("dave luo", 1, "T2"), house.entry("dave liu", 3, "T2")]

    assert (await house.published(*kept_, *other))["changed"] == 1
