"""What staff did to a version by hand is there in the next one."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.matching.commands import publishing, scheduling
from services.matching.commands.stating import Stated, state
from services.matching.domain.versions import Entry
from services.matching.store import schedules
from shared.http import now

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

LOCKED = {"locked": True}


async def stated(house: "House") -> Stated:
    async with house.database.reading() as connection:
        return await state(connection, house.stop, house.mission, 1)


async def solved(house: "House") -> tuple[UUID, list[Entry]]:
    """Have the next version made."""
    body = {"stop_id": str(house.stop), "seconds_max": 30}
    asked = await house.ask("POST", "/api/v1/schedules", body=body)
    assert await scheduling.solve_next(house.database)
    async with house.database.reading() as connection:
        row = await schedules.one(connection, UUID(asked.json()["id"]))
    assert row is not None
    assert row["progress"] == "done", row["reason"]
    return row["id"], [Entry.model_validate(entry) for entry in row["entries"]]


async def remove(house: "House", schedule: UUID, pair: str, revision: int = 1) -> Any:
    delegate, local = pair.split()
    body = {"delegate_id": str(house.people[delegate]), "local_id": str(house.people[local])}
    path = f"/api/v1/schedules/{schedule}/remove"
    answer = await house.ask("POST", path, body=body, If_Match=f'"{revision}"')
    assert answer.status_code == 200, answer.text


async def test_the_next_version_fills_around_what_was_placed_and_leaves_out_what_was_removed(
    house: "House",
) -> None:
    placed = house.entry("dora lin", 4, "T2", "ian").model_copy(update=LOCKED)
    schedule = await house.proposed(placed, house.entry("dave luo", 1, "T1"))
    await remove(house, schedule, "dave luo")
    again, entries = await solved(house)

    assert placed in entries
    pairs = {entry.people for entry in entries}
    assert (house.people["dave"], house.people["luo"]) not in pairs
    assert len(pairs) > 1, "it filled around"
    # And so does the one after that, and the one after publishing.
    third, entries = await solved(house)
    assert placed in entries
    assert (house.people["dave"], house.people["luo"]) not in {e.people for e in entries}
    await publishing.publish(house.database, third, now)
    left_out = await house.rows(
        "SELECT left_out FROM schedule WHERE id = ANY($1::uuid[])", [again, third]
    )
    assert [len(row["left_out"]) for row in left_out] == [1, 1]
    (locked,) = await house.rows("SELECT id FROM meeting WHERE locked")
    assert locked["id"] == await house.meeting("dora lin")
    found = await stated(house)
    assert (house.people["dave"], house.people["luo"]) not in {
        (one.delegate_id, one.local_id) for one in found.problem.candidates
    }


async def test_what_is_placed_by_hand_takes_its_slot_its_point_and_its_people(
    house: "House",
) -> None:
    await house.day()
    # In force it is elsewhere: that place is free again.
    moved = house.entry("dora lin", 4, "T2", "ian").model_copy(update=LOCKED)
    await house.proposed(moved)
    found = await stated(house)
    problem = found.problem

    at = {(time.starts_at): time for time in problem.times}
    assert house.points["T2"] not in at[house.slot(4)].points
    assert house.points["T1"] in at[house.slot(1)].points
    fourth = [n for n, time in enumerate(problem.times) if time.starts_at == house.slot(4)]
    dora = [one for one in problem.candidates if one.delegate_id == house.people["dora"]]
    assert dora
    assert all(not set(fourth) & set(one.times) for one in dora)
    (ian,) = (one for one in problem.interpreters if one.id == house.helpers["ian"])
    assert not set(fourth) & set(ian.times)
    assert [meeting.people for meeting in found.fixed] == [moved.people]


async def test_what_is_not_possible_any_more_is_placed_anew(house: "House") -> None:
    await house.day()
    placed = house.entry("dave liu", 1, "T2").model_copy(update=LOCKED)
    await house.proposed(placed)
    assert [one.people for one in (await stated(house)).fixed] == [placed.people]

    await house.order(await house.meeting("dave luo"), "start", 1)
    assert [one.state for one in (await stated(house)).fixed] == ["in_progress"]


async def test_who_was_left_out_reads_why_and_participants_do_not(house: "House") -> None:
    wish = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people["dave"]),
        "counterpart_id": str(house.people["luo"]),
        "kind": "must_meet",
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=wish)).status_code == 200
    schedule = await house.proposed(house.entry("dave luo", 1, "T1"))
    await remove(house, schedule, "dave luo")
    again, _ = await solved(house)

    (unmet,) = (await house.get(f"/schedules/{again}"))["unmet"]
    assert unmet["reason"]["code"] == "left_out"
    await publishing.publish(house.database, again, now)
    query = f"stop_id={house.stop}&participant_id={house.people['dave']}"
    (told,) = (await house.get(f"/unmet-wishes?{query}", house.person("dave")))["items"]
    assert told["reason"]["code"] == "not_scheduled"
