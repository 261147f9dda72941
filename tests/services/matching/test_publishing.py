import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import pytest

from services.matching.commands import publishing
from services.matching.store import facts, meetings
from shared.errors import Conflict
from shared.events import registration as r
from shared.http import now

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Opening

ANSWERS_SECONDS_MAX = 60


async def publish(house: "House", schedule_id: UUID) -> Any:
    return await house.ask("POST", f"/api/v1/schedules/{schedule_id}/publish")


async def everything(house: "House") -> dict[str, list[str]]:
    """Read every row that publishing may write."""
    tables = ("schedule", "meeting", "booking", "outbox")
    return {
        table: sorted(map(repr, await house.rows(f"SELECT * FROM {table}")))  # noqa: S608
        for table in tables
    }


async def refused(house: "House", schedule_id: UUID, code: str = "stale_schedule") -> None:
    """Publish in vain, and see that nothing was written."""
    before = await everything(house)
    answer = await publish(house, schedule_id)
    assert (answer.status_code, answer.json()["code"]) == (409, code)
    assert await everything(house) == before


async def test_the_first_version_schedules_every_meeting(house: "House") -> None:
    schedule_id = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 1, "T2")
    )
    answer = await publish(house, schedule_id)

    assert (answer.status_code, answer.json()) == (
        200,
        {
            "id": str(schedule_id),
            "stop_id": str(house.stop),
            "number": 1,
            "state": "published",
            "revision": 1,
            "meetings": 2,
            "changed": 2,
        },
    )
    assert sorted(await house.told()) == ["meeting.scheduled"] * 2 + ["schedule.published"]
    found = (await house.get(f"/meetings?stop_id={house.stop}"))["items"]
    assert {(m["state"], m["revision"], m["schedule_number"]) for m in found} == {
        ("scheduled", 1, 1)
    }
    assert len(await house.rows("SELECT FROM booking")) == 4 + 3


async def test_the_next_version_tells_the_differences_alone(house: "House") -> None:
    await house.day()
    before = len(await house.told())
    answer = await house.published(
        house.entry("dora lin", 1, "T1", "ivy"),
        house.entry("dave luo", 2, "T2"),
        house.entry("dave liu", 3, "T2"),
    )

    assert (answer["number"], answer["changed"], answer["meetings"]) == (2, 3, 3)
    assert (await house.told())[before:] == [
        "meeting.cancelled",
        "meeting.moved",
        "meeting.scheduled",
        "schedule.published",
    ]
    stays, moved = await house.meeting("dora lin"), await house.meeting("dave luo")
    revisions = {row["id"]: row["revision"] for row in await house.rows("SELECT * FROM meeting")}
    assert (revisions[stays], revisions[moved]) == (1, 2)
    states = [row["state"] for row in await house.rows("SELECT state FROM schedule")]
    assert sorted(states) == ["published", "superseded"]


async def test_two_meetings_may_change_places_in_one_version(house: "House") -> None:
    await house.published(house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 1, "T2"))
    answer = await house.published(
        house.entry("dora lin", 1, "T2", "ivy"), house.entry("dave luo", 1, "T1")
    )

    assert answer["changed"] == 2


async def test_a_repeat_answers_the_same_and_tells_nothing(house: "House") -> None:
    schedule_id = await house.proposed(house.entry("dave luo", 1))
    first = await publish(house, schedule_id)
    before = await everything(house)

    assert (await publish(house, schedule_id)).json() == first.json()
    assert await everything(house) == before
    await house.published(house.entry("dave luo", 1))
    await refused(house, schedule_id, "conflict")


async def test_what_is_not_solved_is_not_published(house: "House") -> None:
    asked = await house.ask("POST", "/api/v1/schedules", body={"stop_id": str(house.stop)})

    await refused(house, UUID(asked.json()["id"]), "conflict")
    assert (await publish(house, house.stop)).status_code == 404


async def test_a_moved_meeting_is_moved_whole(house: "House") -> None:
    afternoon = await house.add_session(slug="afternoon", starts_at=house.slot(6).isoformat())
    await house.day()
    meeting = await house.meeting("dave luo")
    await house.order(meeting, "delay", 1, {"minutes": 5})
    entry = house.entry("dave luo", 6, "T2", "ivy").model_copy(
        update={"session_id": UUID(afternoon.json()["id"])}
    )
    await house.published(entry)

    (row,) = await house.rows("SELECT * FROM meeting WHERE id = $1", meeting)
    assert row["session_id"] == entry.session_id
    assert (row["delay_minutes"], row["interpreter_needed"]) == (0, True)
    assert (await house.get(f"/meetings/{meeting}/options"))["items"][0]["starts_at"] == row[
        "starts_at"
    ].isoformat().replace("+00:00", "Z")


async def moved_by_hand(house: "House") -> None:
    meeting, to = await house.meeting("dora lin"), house.slot(3)
    body = {"starts_at": to.isoformat(), "point_id": str(house.points["T2"])}
    assert (await house.order(meeting, "move", 1, body)).status_code == 200


async def begun(house: "House") -> None:
    assert (await house.order(await house.meeting("dora lin"), "start", 1)).status_code == 200


async def called_off(house: "House") -> None:
    assert (await house.order(await house.meeting("dora lin"), "cancel", 1)).status_code == 200


async def left(house: "House") -> None:
    await house.hear((r.ParticipantCancelled(**house.about("liu")), 2))


async def left_the_talks_alone(house: "House") -> None:
    dinner = house.confirmed("liu", programme_item_id=house.partner, item_kind="reception")
    await house.hear((dinner, 2), (r.ParticipantCancelled(**house.about("liu")), 3))


async def closed(house: "House") -> None:
    path = f"/api/v1/meeting-sessions/{house.session}/points/{house.points['T2']}/close"
    assert (await house.ask("POST", path, body={"from_slot": 3})).status_code == 200


async def refused_by_one(house: "House") -> None:
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people["liu"]),
        "counterpart_id": str(house.people["dave"]),
        "kind": "no_thanks",
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=body)).status_code == 200


@pytest.mark.parametrize(
    "happens",
    [
        moved_by_hand,
        begun,
        called_off,
        left,
        left_the_talks_alone,
        closed,
        refused_by_one,
    ],
)
async def test_a_version_that_something_overtook_is_refused_whole(
    house: "House", happens: Callable[["House"], Awaitable[None]]
) -> None:
    await house.day()
    kept = house.entry("dora lin", 2, "T1", "ivy").model_copy(
        update={"meeting_id": await house.meeting("dora lin")}
    )
    schedule_id = await house.proposed(house.entry("dave liu", 4, "T2"), kept)
    await happens(house)

    await refused(house, schedule_id)


@pytest.mark.parametrize("happens", [moved_by_hand, begun])
async def test_a_version_made_after_it_leaves_a_fixed_meeting_alone(
    house: "House", happens: Callable[["House"], Awaitable[None]]
) -> None:
    await house.day()
    await happens(house)
    await house.published(house.entry("dave luo", 1, "T2"))

    assert await house.states() == {
        "dora lin": "in_progress" if happens is begun else "scheduled",
        "dora liu": "cancelled",
        "dave luo": "scheduled",
    }


async def test_a_version_with_somebody_in_two_places_meets_the_wall(house: "House") -> None:
    for twice in (
        house.entry("dora luo", 1, "T2"),
        house.entry("dave lin", 1, "T1"),
        house.entry("dave liu", 1, "T2", "ivy"),
    ):
        schedule_id = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"), twice)
        await refused(house, schedule_id)


async def test_a_booking_put_in_by_hand_is_refused_by_the_wall(house: "House") -> None:
    await house.day()
    with pytest.raises(asyncpg.ExclusionViolationError):
        await double_booked(house)


async def double_booked(house: "House") -> None:
    async with house.database.transaction() as connection:
        meeting = await meetings.one(connection, await house.meeting("dave luo"))
        assert meeting is not None
        await connection.execute(
            "INSERT INTO booking VALUES ($1, $2, tstzrange($3, $4))",
            meeting.id,
            house.points["T1"],
            meeting.spot.starts_at,
            meeting.spot.ends_at,
        )


async def test_the_same_two_meet_once_in_a_mission(house: "House") -> None:
    await house.day()
    with pytest.raises(asyncpg.UniqueViolationError):
        await house.rows(
            "INSERT INTO meeting SELECT (json_populate_record(meeting, "
            "json_build_object('id', gen_random_uuid()))).* FROM meeting "
            "WHERE id = $1",
            await house.meeting("dave luo"),
        )


async def at_once(house: "House", *schedules: UUID) -> list[Any]:
    """Publish at once; a refusal is given back."""
    async with asyncio.timeout(ANSWERS_SECONDS_MAX):
        return await asyncio.gather(
            *(publishing.publish(house.database, one, now) for one in schedules),
            return_exceptions=True,
        )


async def test_one_version_published_many_times_at_once_is_published_once(house: "House") -> None:
    schedule_id = await house.proposed(house.entry("dave luo", 1))
    answers = await at_once(house, *[schedule_id] * 6)

    assert answers == [answers[0]] * 6
    assert answers[0]["number"] == 1
    assert sorted(await house.told()) == ["meeting.scheduled", "schedule.published"]


async def test_two_versions_published_at_once_come_one_after_the_other(house: "House") -> None:
    one = await house.proposed(house.entry("dave luo", 1, "T1"))
    other = await house.proposed(house.entry("dora luo", 1, "T1"))
    answers = await at_once(house, one, other)

    assert sorted(answer["number"] for answer in answers) == [1, 2]
    in_force = await house.rows("SELECT FROM schedule WHERE state = 'published'")
    assert len(in_force) == 1
    assert sorted((await house.states()).values()) == ["cancelled", "scheduled"]


async def test_a_cancellation_and_a_version_at_once_leave_no_meeting_without_a_place(
    house: "House",
) -> None:
    for number in range(4):
        await house.hear((house.confirmed("luo"), 10 + 2 * number))
        schedule_id = await house.proposed(house.entry("dave luo", 1))
        leaves = house.hear((r.ParticipantCancelled(**house.about("luo")), 11 + 2 * number))
        answers, _ = await asyncio.gather(at_once(house, schedule_id), leaves)

        assert isinstance(answers[0], dict | Conflict)
        assert set((await house.states()).values()) <= {"cancelled"}


async def test_a_refusal_names_both_meetings_and_what_they_need(house: "House") -> None:
    schedule_id = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave liu", 1, "T1")
    )
    refusal = (await publish(house, schedule_id)).json()

    said = "Sample Dora Co. – Sample Lin Co. (10:00, T1)"
    other = "Sample Dave Co. – Sample Liu Co. (10:00, T1)"
    assert refusal["errors"] == [
        {"pointer": "/entries/0", "detail": f"{said}: T1 is taken then by {other}."}
    ]
    assert refusal["errors"][0]["detail"] in refusal["detail"]


async def test_a_refusal_says_who_cancelled_and_which_meeting_was_moved(house: "House") -> None:
    await house.day()
    schedule_id = await house.proposed(
        house.entry("dora lin", 2, "T1", "ivy"), house.entry("dave liu", 4, "T2")
    )
    await moved_by_hand(house)
    await left(house)
    told = [fault["detail"] for fault in (await publish(house, schedule_id)).json()["errors"]]

    gone = "Sample Liu Co. has no place at this session."
    assert told == [
        "Sample Dora Co. – Sample Lin Co. (10:25, T1): it was moved or begun since.",
        f"Sample Dave Co. – Sample Liu Co. (11:30, T2): {gone}",
    ]


async def test_what_is_taken_at_another_stop_in_the_same_moment_is_named(
    house: "House", away: Callable[["House", str], Awaitable[UUID]]
) -> None:
    elsewhere = await away(house, "dora liu")
    schedule_id = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    waiting = (
        "SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(ANSWERS_SECONDS_MAX):
        async with house.database.transaction() as connection:
            await connection.execute(
                "UPDATE booking SET during = tstzrange($2, $3) FROM meeting "
                "WHERE meeting_id = meeting.id AND stop_id = $1",
                elsewhere,
                house.slot(1),
                house.slot(2),
            )
            await meetings.check_walls(connection)
            publishing_ = asyncio.ensure_future(publish(house, schedule_id))
            while not await house.rows(waiting):
                assert not publishing_.done(), "it did not meet the wall"
                await asyncio.sleep(0.02)
        refusal = (await publishing_).json()

    assert refusal["code"] == "stale_schedule"
    assert refusal["errors"][0]["detail"].endswith("Sample Dora Co. is not free then.")


async def test_what_was_placed_by_hand_is_locked_once_in_force(house: "House") -> None:
    await house.day()
    stays = house.entry("dora lin", 1, "T1", "ivy").model_copy(update={"locked": True})
    new = house.entry("dave liu", 3, "T2").model_copy(update={"locked": True})
    answer = await house.published(stays, new, house.entry("dave luo", 2, "T2"))

    assert answer["changed"] == 3
    locked = {row["id"] for row in await house.rows("SELECT id FROM meeting WHERE locked")}
    assert locked == {await house.meeting("dora lin"), await house.meeting("dave liu")}


async def version_again(house: "House") -> None:
    await house.published(house.entry("dave luo", 3, "T2"))


@pytest.mark.parametrize("change", [moved_by_hand, left, closed, version_again])
async def test_what_takes_or_gives_places_waits_for_the_version_being_published(
    house: "House", change: Callable[["House"], Awaitable[None]]
) -> None:
    await house.day()
    waiting = (
        "SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(ANSWERS_SECONDS_MAX):
        async with house.database.transaction() as connection:
            await facts.stop(connection, house.stop, lock=True)
            changing = asyncio.ensure_future(change(house))
            while not await house.rows(waiting):
                assert not changing.done(), "it did not wait"
                await asyncio.sleep(0.02)
        await changing


async def test_without_the_wall_the_double_booking_gets_through(
    fresh_database: str, opening: "Opening", furnished: Callable[["House"], Awaitable[None]]
) -> None:
    async with opening(fresh_database) as house:
        await furnished(house)
        await house.rows("ALTER TABLE booking DROP CONSTRAINT nobody_in_two_places")
        await house.rows(
            "ALTER TABLE booking ADD CONSTRAINT nobody_in_two_places "
            "EXCLUDE USING gist (resource_id WITH =, meeting_id WITH =, during WITH &&) "
            "DEFERRABLE INITIALLY DEFERRED"
        )
        await house.day()
        await double_booked(house)
        held = await house.rows(
            "SELECT FROM booking AS one JOIN booking AS other ON one.resource_id = "
            "other.resource_id AND one.meeting_id < other.meeting_id AND one.during && other.during"
        )
        assert len(held) == 1
