import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.matching.commands import scheduling
from services.matching.commands.stating import state
from services.matching.domain.timetable import solve
from services.matching.store import schedules
from shared.process import cancelling

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

SOLVED_SECONDS_MAX = 120


async def asked(house: "House", **more: Any) -> str:
    body = {"stop_id": str(house.stop), "seconds_max": 30, **more}
    answer = await house.ask("POST", "/api/v1/schedules", body=body)
    assert answer.status_code == 202, answer.text
    assert answer.json().items() >= {"state": "draft", "progress": "queued", "number": None}.items()
    schedule_id: str = answer.json()["id"]
    return schedule_id


async def wish(house: "House", pair: str, kind: str) -> None:
    one, other = (house.people[name] for name in pair.split())
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(one),
        "counterpart_id": str(other),
        "kind": kind,
    }
    answer = await house.ask("PUT", "/api/v1/preferences", body=body)
    assert answer.status_code == 200, answer.text


async def ended(house: "House", schedule_id: str) -> Any:
    """Run the solver's loop until the schedule is done or has failed."""
    loop = scheduling.solve_for_ever(house.database, house.resources.asked)
    async with cancelling(loop), asyncio.timeout(SOLVED_SECONDS_MAX):
        while True:
            found = await house.get(f"/schedules/{schedule_id}")
            if found["progress"] in ("done", "failed", "cancelled"):
                return found
            await asyncio.sleep(0.1)


async def test_a_schedule_is_solved_in_a_process_and_published_as_it_is(house: "House") -> None:
    await wish(house, "dora luo", "must_meet")
    await wish(house, "liu dave", "no_thanks")
    await wish(house, "dave liu", "must_meet")
    schedule_id = await asked(house)
    found = await ended(house, schedule_id)

    assert (found["progress"], found["state"], found["number"]) == ("done", "provisional", None)
    assert 0 < found["objective"] <= found["bound"]
    ids = {str(person): name for name, person in house.people.items()}
    pairs = {(ids[e["delegate_id"]], ids[e["local_id"]]) for e in found["entries"]}
    assert ("dora", "luo") in pairs
    assert ("dave", "liu") not in pairs
    assert {local for _, local in pairs} == {"lin", "luo", "liu"}
    assert found["meetings"] == len(pairs)
    (unmet,) = found["unmet"]
    assert (ids[unmet["participant_id"]], unmet["reason"]["code"]) == ("dave", "refused")
    assert {entry["point"] for entry in found["entries"]} <= {"T1", "T2"}

    published = await house.ask("POST", f"/api/v1/schedules/{schedule_id}/publish")
    assert published.json()["changed"] == len(pairs)
    shown = (await house.get(f"/meetings?stop_id={house.stop}"))["items"]
    assert placed(shown) == placed(found["entries"])


def placed(meetings: Any) -> list[list[str]]:
    names = ("starts_at", "ends_at", "point_id", "interpreter_id")
    return sorted([str(meeting[name]) for name in names] for meeting in meetings)


async def test_what_a_crash_left_half_done_is_solved_again(house: "House") -> None:
    schedule_id = await asked(house)
    async with house.database.transaction() as connection:
        claimed = await schedules.claim(connection)
    assert claimed is not None
    assert (await house.get(f"/schedules/{schedule_id}"))["progress"] == "running"

    assert (await ended(house, schedule_id))["progress"] == "done"


async def test_a_solver_that_fails_says_why_and_the_next_one_is_solved(house: "House") -> None:
    failing = await asked(house)
    # No process ends before it was begun.
    await house.rows("UPDATE schedule SET seconds_max = -1000")
    following = await asked(house)

    failed = await ended(house, failing)
    assert (failed["state"], failed["progress"]) == ("draft", "failed")
    assert failed["reason"]
    answer = await house.ask("POST", f"/api/v1/schedules/{failing}/publish")
    assert answer.status_code == 409
    assert (await ended(house, following))["progress"] == "done"


async def test_one_request_sent_twice_asks_for_one_schedule(house: "House") -> None:
    boss, body = house.boss, {"stop_id": str(house.stop)}
    answers = [
        await house.ask("POST", "/api/v1/schedules", boss, body=body, Idempotency_Key="k")
        for _ in range(2)
    ]

    assert answers[0].json() == answers[1].json()
    assert len((await house.get(f"/schedules?stop_id={house.stop}"))["items"]) == 1


async def test_schedules_are_listed_newest_first_without_their_meetings(house: "House") -> None:
    made = [await asked(house) for _ in range(3)]
    found = (await house.get(f"/schedules?stop_id={house.stop}"))["items"]

    assert [item["id"] for item in found] == made[::-1]
    assert not any({"entries", "unmet"} & set(item) for item in found)


async def test_each_claim_takes_another_job_the_oldest_first(house: "House") -> None:
    made = [await asked(house) for _ in range(3)]
    async with (
        house.database.transaction() as one,
        house.database.transaction() as other,
    ):
        first, second = await schedules.claim(one), await schedules.claim(other)

    assert first is not None
    assert second is not None
    assert [str(first["id"]), str(second["id"])] == made[:2]


async def solved(house: "House") -> Any:
    """Solve here what the solver's process would be given."""
    async with house.database.reading() as connection:
        stated = await state(connection, house.stop, house.mission, 30)
    return stated, scheduling.entries_of(stated, solve(stated.problem))


async def test_solving_again_without_a_change_changes_nothing(house: "House") -> None:
    _, entries = await solved(house)
    first = await house.published(*entries)
    _, again = await solved(house)

    assert first["changed"] > 2
    assert (await house.published(*again))["changed"] == 0


async def test_what_is_fixed_stays_and_what_it_holds_is_not_given_twice(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    body = {"starts_at": house.slot(4).isoformat(), "point_id": str(house.points["T2"])}
    moved = (await house.order(meeting, "move", 1, body)).json()
    stated, entries = await solved(house)

    (kept,) = [entry for entry in entries if entry.meeting_id == meeting]
    assert (kept.starts_at, str(kept.point_id)) == (house.slot(4), moved["point_id"])
    assert [one.id for one in stated.fixed] == [meeting]
    assert stated.problem.meetings_before == {house.people["lin"]: 1}
    assert house.points["T2"] not in stated.problem.times[3].points
    await house.published(*entries)


async def test_closed_points_and_people_without_a_place_are_no_part_of_the_problem(
    house: "House",
) -> None:
    path = f"/api/v1/meeting-sessions/{house.session}/points/{house.points['T2']}/close"
    await house.ask("POST", path, body={"from_slot": 2})
    stated, _ = await solved(house)

    assert [len(time.points) for time in stated.problem.times] == [2, 1, 1, 1]
    assert {c.local_id for c in stated.problem.candidates} == {
        house.people[name] for name in ("lin", "luo", "liu")
    }


async def test_who_lists_nothing_is_matched_where_somebody_wishes_it_alone(
    house: "House",
) -> None:
    await house.hear((house.confirmed("luo", listings=()), 2))
    luo = house.people["luo"]
    stated, _ = await solved(house)
    assert luo not in {c.local_id for c in stated.problem.candidates}

    await wish(house, "luo dora", "meet")
    stated, entries = await solved(house)
    assert {c.delegate_id for c in stated.problem.candidates if c.local_id == luo} == {
        house.people["dora"]
    }
    assert luo in {entry.local_id for entry in entries}


async def test_who_meets_at_another_stop_does_not_meet_again(
    house: "House", away: Callable[["House", str], Awaitable[UUID]]
) -> None:
    await wish(house, "dave luo", "must_meet")
    await away(house, "dave luo")
    stated, _ = await solved(house)

    pair = (house.people["dave"], house.people["luo"])
    assert pair not in {(c.delegate_id, c.local_id) for c in stated.problem.candidates}
    assert frozenset(pair) in stated.met
