"""What a stop's schedule has to respect: stated by staff, kept by the solver and on the day."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.commands import scheduling
from services.matching.commands.stating import Stated, state
from services.matching.domain.timetable import solve
from services.matching.domain.versions import Entry
from shared.events.registration import PersonErased

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.services.matching.conftest import House

RULES = "/api/v1/scheduling-rules"
SLOT = timedelta(minutes=25)


async def put(house: "House", rule: str, status: int = 200, **body: Any) -> Any:
    body = {"stop_id": str(house.stop), **body}
    answer = await house.rule(f"/scheduling-rules/{rule}", body)
    assert answer.status_code == status, answer.text
    return answer.json()


def pair(house: "House", names: str) -> dict[str, str]:
    delegate, local = names.split()
    return {"delegate_id": str(house.people[delegate]), "local_id": str(house.people[local])}


async def order(house: "House", first: str, second: str, status: int = 201) -> Any:
    body = {
        "stop_id": str(house.stop),
        "first": pair(house, first),
        "second": pair(house, second),
    }
    answer = await house.ask("POST", f"{RULES}/precedences", body=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def stated(house: "House") -> Stated:
    async with house.database.reading() as connection:
        return await state(connection, house.stop, house.mission, 1)


async def solved(house: "House") -> "Sequence[Entry]":
    found = await stated(house)
    return scheduling.entries_of(found, solve(found.problem))


async def rules(house: "House") -> Any:
    return await house.get(f"/scheduling-rules?stop_id={house.stop}")


def hours(*times: tuple[datetime, datetime]) -> list[dict[str, str]]:
    return [{"starts_at": s.isoformat(), "ends_at": e.isoformat()} for s, e in times]


async def test_who_is_there_for_some_hours_meets_in_them_alone(house: "House") -> None:
    lin = house.people["lin"]
    there = hours((house.slot(3), house.slot(4)), (house.slot(4), house.slot(4) + timedelta(1)))
    told = await put(house, "availabilities", person_id=str(lin), times=there)
    # Times that touch are one.
    assert len(told["times"]) == 1
    assert (await rules(house))["availabilities"][0]["person_id"] == str(lin)

    found = await stated(house)
    starts = {
        found.problem.times[time].starts_at
        for one in found.problem.candidates
        if one.local_id == lin
        for time in one.times
    }
    assert starts == {house.slot(3), house.slot(4)}

    await house.published(house.entry("dora lin", 3, "T1", "ivy"))
    options = await house.get(f"/meetings/{await house.meeting('dora lin')}/options")
    assert {item["starts_at"] for item in options["items"]} <= {
        slot.isoformat().replace("+00:00", "Z") for slot in starts
    }
    assert options["items"]

    assert (await put(house, "availabilities", person_id=str(lin), times=[]))["times"] == []
    assert (await rules(house))["availabilities"] == []


async def test_an_interpreters_shift_is_kept(house: "House") -> None:
    shift = hours((house.slot(1), house.slot(2)))
    for helper in ("ivy", "ian"):
        await put(house, "availabilities", person_id=str(house.helpers[helper]), times=shift)
    entries = await solved(house)

    assert {one.starts_at for one in entries if one.interpreter_needed} == {house.slot(1)}


async def test_two_venues_are_as_far_apart_as_is_said(house: "House") -> None:
    answer = await house.add_session(
        slug="harbour",
        venue="Harbour",
        starts_at=(house.slot(4) + timedelta(minutes=30)).isoformat(),
        slots=1,
        breaks=[],
        points=[{"label": "H1", "kind": "table"}],
    )
    assert (answer.status_code, answer.json()["venue"]) == (201, "Harbour")
    await house.published(house.entry("dora lin", 4, "T1", "ivy"))
    await house.rows("UPDATE meeting SET locked = true")

    async def reached() -> bool:
        problem = (await stated(house)).problem
        (harbour,) = [n for n, one in enumerate(problem.times) if one.venue == "Harbour"]
        dora = [c for c in problem.candidates if c.delegate_id == house.people["dora"]]
        ivy = next(one for one in problem.interpreters if one.id == house.helpers["ivy"])
        assert (harbour in ivy.times) == any(harbour in one.times for one in dora)
        return harbour in ivy.times

    assert await reached()
    await put(house, "ways", ways=[{"one": "Harbour", "other": "", "minutes": 10}])
    assert not await reached()
    await put(house, "ways", ways=[{"one": "", "other": "Harbour", "minutes": 5}])
    assert await reached()
    assert (await rules(house))["ways"] == [{"one": "", "other": "Harbour", "minutes": 5}]


async def test_one_meeting_is_before_another_fixed_ones_included(house: "House") -> None:
    told = await order(house, "dora lin", "dora liu")
    assert (await order(house, "dora lin", "dora liu"))["id"] == told["id"]
    at = {entry.people: entry.starts_at for entry in await solved(house)}
    lin, liu = ((house.people["dora"], house.people[name]) for name in ("lin", "liu"))
    assert at[lin] < at[liu]

    await house.published(house.entry("dora liu", 2, "T1", "ivy"))
    await house.rows("UPDATE meeting SET locked = true")
    problem = (await stated(house)).problem
    (one,) = [c for c in problem.candidates if c.pair == lin]
    assert [problem.times[time].starts_at for time in one.times] == [house.slot(1)]

    fault = await order(house, "dora liu", "dora lin", 422)
    assert fault["errors"][0]["pointer"] == "/second"
    gone = await house.ask("DELETE", f"{RULES}/precedences/{told['id']}")
    assert gone.status_code == 204
    assert (await rules(house))["precedences"] == []
    assert (await house.ask("DELETE", f"{RULES}/precedences/{told['id']}")).status_code == 404


async def test_interpreters_rest_as_is_said(house: "House") -> None:
    told = await put(house, "rest", run_minutes_max=30, rest_minutes=20)
    assert (await rules(house))["rest"].items() <= told.items()
    entries = await solved(house)

    for helper in house.helpers.values():
        begins = [one.starts_at for one in entries if one.interpreter_id == helper]
        assert not {house.slot(1), house.slot(2)} <= {*begins}
        assert not {house.slot(3), house.slot(4)} <= {*begins}

    await put(house, "rest", run_minutes_max=None)
    assert (await rules(house))["rest"] is None


async def test_a_booth_is_its_companys_own(house: "House") -> None:
    (row,) = await house.rows(
        "SELECT organization_id FROM participant WHERE id = $1", house.people["luo"]
    )
    booth = {"label": "B1", "kind": "booth", "organization_id": str(row["organization_id"])}
    answer = await house.add_session(
        slug="late",
        starts_at=(house.slot(4) + timedelta(hours=1)).isoformat(),
        points=[booth, {"label": "T1", "kind": "table"}],
    )
    assert answer.status_code == 201, answer.text
    late, points = UUID(answer.json()["id"]), answer.json()["points"]
    assert points[0]["organization_id"] == booth["organization_id"]
    entries = [one for one in await solved(house) if one.session_id == late]

    for one in entries:
        is_luo = one.local_id == house.people["luo"]
        assert (str(one.point_id) == points[0]["id"]) == is_luo


async def test_slots_have_the_lengths_they_are_given(house: "House") -> None:
    answer = await house.add_session(
        slug="long",
        starts_at=(house.slot(4) + timedelta(hours=1)).isoformat(),
        slots=3,
        breaks=[],
        lengths=[{"slot": 2, "minutes": 45}],
        points=[{"label": "L1", "kind": "table"}],
    )
    assert answer.status_code == 201, answer.text
    times = [
        [datetime.fromisoformat(slot[end]) for end in ("starts_at", "ends_at")]
        for slot in answer.json()["slots"]
    ]
    assert [(e - s).total_seconds() / 60 for s, e in times] == [25, 45, 25]
    assert times[2][0] == times[1][1]
    problem = (await stated(house)).problem
    assert [one.ends_at for one in problem.times[-3:]] == [ends for _, ends in times]


async def test_a_must_meet_is_one_for_the_solver(house: "House") -> None:
    for one, other in (("dora", "lin"), ("lin", "dora"), ("dave", "luo")):
        body = {
            "stop_id": str(house.stop),
            "participant_id": str(house.people[one]),
            "counterpart_id": str(house.people[other]),
            "kind": "must_meet",
        }
        assert (await house.ask("PUT", "/api/v1/preferences", body=body)).status_code == 200
    musts = (await stated(house)).problem.musts

    expected = [("dora", "lin"), ("dave", "luo")]
    assert sorted(musts) == sorted(((house.people[d], house.people[n]),) for d, n in expected)


@pytest.mark.parametrize(
    ("rule", "body", "pointer"),
    [
        ("ways", {"ways": [{"one": "A", "other": "A", "minutes": 5}]}, ""),
        ("ways", {"ways": [{"one": "A", "other": "B", "minutes": 0}]}, "/ways/0/minutes"),
        (
            "ways",
            {
                "ways": [
                    {"one": "A", "other": "B", "minutes": 5},
                    {"one": "B", "other": "A", "minutes": 6},
                ]
            },
            "",
        ),
        ("availabilities", {"person_id": str(uuid4()), "times": []}, "/person_id"),
        ("rest", {"run_minutes_max": 0}, "/run_minutes_max"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    house: "House", rule: str, body: dict[str, Any], pointer: str
) -> None:
    problem = await put(house, rule, 422, **body)

    assert problem["errors"][0]["pointer"] == pointer


async def test_only_staff_of_the_mission_states_rules(house: "House") -> None:
    query = f"{RULES}?stop_id={house.stop}"
    for who in (house.person("dora"), house.someone("door_staff"), house.someone("partner_staff")):
        assert (await house.ask("GET", query, who)).status_code == 403
        body = {"stop_id": str(house.stop), "ways": []}
        sent = await house.ask("PUT", f"{RULES}/ways", who, body=body, If_Match='"0"')
        assert sent.status_code == 403


async def test_a_rule_is_changed_on_the_revision_that_was_seen(house: "House") -> None:
    lin, ivy = str(house.people["lin"]), str(house.helpers["ivy"])
    there = hours((house.slot(1), house.slot(2)))
    for path, what, other in (
        ("ways", {"ways": [{"one": "", "other": "Harbour", "minutes": 5}]}, {"ways": []}),
        ("rest", {"run_minutes_max": 90}, {"run_minutes_max": None}),
        (
            "availabilities",
            {"person_id": lin, "times": there},
            {"person_id": lin, "times": []},
        ),
    ):

        async def sent(
            seen: int | None, body: dict[str, Any], path: str = path
        ) -> tuple[int, str | None]:
            body = {"stop_id": str(house.stop)} | body
            header = {} if seen is None else {"If_Match": f'"{seen}"'}
            answer = await house.ask("PUT", f"{RULES}/{path}", None, body=body, **header)
            return answer.status_code, answer.headers.get("ETag")

        assert (await sent(None, what))[0] == 428
        status, tag = await sent(0, what)
        first = int((tag or "").strip('"'))
        assert (status, first > 0) == (200, True)
        # Who still sees that nothing is set, or what was set before, is told to look again.
        assert (await sent(0, other))[0] == 412
        again = await sent(first, what)
        assert again[0] == 200
        assert (await sent(first, other))[0] == 412
        # Nothing set is 0 again; what is set after that has a revision of its own.
        assert await sent(int((again[1] or "").strip('"')), other) == (200, '"0"')
        assert int(((await sent(0, what))[1] or "").strip('"')) > first + 1
    # The hours of one are not those of another.
    await put(house, "availabilities", person_id=ivy, times=there)
    found = await rules(house)
    revisions = [one["revision"] for one in found["availabilities"]]
    assert len({*revisions, *found["revisions"].values()}) == 4


async def test_nothing_is_left_of_who_is_erased(house: "House") -> None:
    lin = house.people["lin"]
    await put(
        house, "availabilities", person_id=str(lin), times=hours((house.slot(1), house.slot(2)))
    )
    await order(house, "dora lin", "dora liu")
    erased = PersonErased(person_id=lin, mission_id=house.mission, erased_at=house.slot(1))
    await house.hear((erased, 2))

    found = await rules(house)
    assert (found["availabilities"], found["precedences"]) == ([], [])


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_is_stated_a_schedule_keeps_it(house: "House", seed: int) -> None:
    random = Random(seed)  # noqa: S311  # the same day each time
    pairs = [f"{one} {other}" for one in ("dora", "dave") for other in ("lin", "luo", "liu")]
    locked, no, first, second = random.sample(pairs, 4)
    # Dave speaks Chinese.
    helper = "" if "dave" in locked or "luo" in locked else random.choice(("ivy", "ian"))
    entry = house.entry(locked, random.randint(1, 4), random.choice(("T1", "T2")), helper)
    await house.published(entry)
    await house.order(await house.meeting(locked), "lock", 1)
    refusal = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people[no.split()[1]]),
        "counterpart_id": str(house.people[no.split()[0]]),
        "kind": "no_thanks",
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=refusal)).status_code == 200
    await order(house, first, second)
    shy = random.choice([name for name in ("lin", "luo", "liu") if name not in locked])
    begin = random.randint(1, 3)
    there = (house.slot(begin), house.slot(begin + 1) + SLOT)
    await put(house, "availabilities", person_id=str(house.people[shy]), times=hours(there))
    entries = await solved(house)

    at = {one.people: one for one in entries}
    names = {name: name.split() for name in pairs}
    ids = {name: (house.people[d], house.people[n]) for name, (d, n) in names.items()}
    assert at[entry.people].spot == entry.spot
    assert ids[no] not in at
    if ids[first] in at and ids[second] in at:
        assert at[ids[first]].ends_at <= at[ids[second]].starts_at
    for one in entries:
        if house.people[shy] in one.people:
            assert there[0] <= one.starts_at
            assert one.ends_at <= there[1]
    held = Counter((resource, one.starts_at) for one in entries for resource in one.resources)
    assert max(held.values()) == 1
    assert len(entries) > 2
    await house.published(*entries)
