"""Repairs as staff gets them: proposed, looked at, accepted whole or not at all."""

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest

from services.matching.commands import limiting, repairing, stating
from services.matching.commands.erasing import DISTURBANCES_KEPT, TRAIL_KEPT, sweep
from services.matching.commands.repairing import Decision
from services.matching.domain.versions import Entry
from shared.access import Principal
from shared.errors import Conflict
from shared.events import registration as r

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

AHEAD = datetime(2030, 11, 7, 2, 0, tzinfo=UTC) - datetime(2023, 11, 7, 2, 0, tzinfo=UTC)


@dataclass
class Tomorrow:
    """The same small stop, with a session of four slots and two points that is still to come."""

    house: "House"
    session: UUID

    def slot(self, number: int) -> datetime:
        return self.house.slot(number) + AHEAD

    def entry(self, pair: str, slot: int, point: str = "T1", helper: str = "") -> Entry:
        entry = self.house.entry(pair, slot, point, helper)
        times = {"starts_at": entry.starts_at + AHEAD, "ends_at": entry.ends_at + AHEAD}
        return entry.model_copy(update={"session_id": self.session, **times})

    async def publish(self, *entries: Entry) -> None:
        await self.house.published(*entries)

    async def report(self, who: Principal | None = None, **happened: Any) -> httpx2.Response:
        body = {"stop_id": str(self.house.stop), "happened": _written(happened)}
        return await self.house.ask("POST", "/api/v1/repairs", who, body=body)

    async def repair(self, **happened: Any) -> dict[str, Any]:
        answer = await self.report(**happened)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def late(self, name: str, slot: int) -> dict[str, Any]:
        """Let somebody come in the middle of a slot."""
        until = self.slot(slot) + timedelta(minutes=5)
        return await self.repair(kind="late", person_id=self.house.people[name], until=until)

    async def decide(self, repair: dict[str, Any], how: str) -> httpx2.Response:
        return await self.house.ask("POST", f"/api/v1/repairs/{repair['id']}/{how}")

    async def accept(self, repair: dict[str, Any]) -> dict[str, Any]:
        answer = await self.decide(repair, "accept")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def plan(self) -> dict[str, tuple[int, str]]:
        """Say at which slot and point each pair meets."""
        names = {person: name for name, person in self.house.people.items()}
        points = {point: label for label, point in self.house.points.items()}
        slots = {self.slot(n): n for n in range(1, 5)}
        rows = await self.house.rows("SELECT * FROM meeting WHERE state <> 'cancelled'")
        return {
            f"{names[row['delegate_id']]} {names[row['local_id']]}": (
                slots[row["starts_at"]],
                points[row["point_id"]],
            )
            for row in rows
        }

    async def everything(self) -> list[list[Any]]:
        """Read all that a repair could change."""
        return [
            [tuple(row) for row in await self.house.rows(f"SELECT * FROM {table} ORDER BY 1, 2")]  # noqa: S608
            for table in ("meeting", "booking", "absence", "meeting_point", "outbox")
        ]


def _written(happened: dict[str, Any]) -> dict[str, Any]:
    def write(value: Any) -> Any:
        if isinstance(value, list):
            return [write(one) for one in value]
        if isinstance(value, datetime):
            return value.isoformat()
        return str(value) if isinstance(value, UUID) else value

    return {name: write(value) for name, value in happened.items()}


@pytest.fixture
async def day(house: "House") -> Tomorrow:
    starts_at = house.slot(1) + AHEAD
    answer = await house.add_session(slug="tomorrow", starts_at=starts_at.isoformat())
    assert answer.status_code == 201, answer.text
    return Tomorrow(house, UUID(answer.json()["id"]))


async def wish(house: "House", one: str, other: str, kind: str) -> None:
    body = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people[one]),
        "counterpart_id": str(house.people[other]),
        "kind": kind,
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=body)).status_code == 200


async def test_who_is_late_has_the_meetings_before_moved_and_all_concerned_hear_it(
    day: Tomorrow,
) -> None:
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))
    before = await day.house.told()
    repair = await day.late("dora", 2)

    (touched,) = repair["touched"]
    assert touched["meeting_id"] == str(await day.house.meeting("dora lin"))
    assert touched["to"]["starts_at"] == "2030-11-07T03:05:00Z"
    assert (touched["now"]["point"], touched["to"]["point"]) == ("T1", "T1")
    assert [party["organization"] for party in touched["parties"]] == [
        "Sample Dora Co.",
        "Sample Lin Co.",
    ]
    people = {day.house.people["dora"], day.house.people["lin"], day.house.helpers["ivy"]}
    assert set(repair["people"]) == {str(person) for person in people}
    assert (repair["drops_proven"], repair["moves_proven"]) == (True, True)
    # So far nothing is changed.
    assert (await day.plan())["dora lin"] == (1, "T1")
    assert await day.house.told() == before

    assert (await day.accept(repair))["state"] == "accepted"
    assert await day.plan() == {"dora lin": (3, "T1"), "dave luo": (1, "T2")}
    assert await day.house.told() == [*before, "meeting.moved"]
    (row,) = await day.house.rows("SELECT locked, revision FROM meeting WHERE revision > 1")
    assert tuple(row) == (False, 2)


async def test_a_report_that_is_sent_again_is_one_repair(day: Tomorrow) -> None:
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))

    staff = day.house.boss

    async def told(path: str, minutes: int = 5) -> tuple[int, str]:
        until = day.slot(2) + timedelta(minutes=minutes)
        happened = {"kind": "late", "person_id": day.house.people["dora"], "until": until}
        body = {"stop_id": str(day.house.stop), "happened": _written(happened)}
        given = body if path == "/repairs" else None
        address = f"/api/v1{path}"
        answer = await day.house.ask("POST", address, staff, body=given, Idempotency_Key="one")
        return answer.status_code, answer.json().get("id") or answer.json()["code"]

    # Both search before either is kept.
    first, twin = await asyncio.gather(told("/repairs"), told("/repairs"))
    found = {answer for answer in (first, twin) if answer[0] == 201}
    assert len(found) == 1
    assert {first, twin} - found <= {(409, "in_progress")}
    ((_, repair),) = found
    assert await told("/repairs") == (201, repair)
    assert await told("/repairs", minutes=6) == (422, "idempotency_key_reused")
    anew = await told(f"/repairs/{repair}/again")
    assert await told(f"/repairs/{repair}/again") == anew
    rows = await day.house.rows("SELECT id FROM repair")
    assert {str(row["id"]) for row in rows} == {repair, anew[1]}


async def test_who_leaves_early_meets_before(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 4), day.entry("dave lin", 3, "T2"))
    person = day.house.people["dave"]
    repair = await day.repair(kind="leaves_early", person_id=person, since=day.slot(3))
    await day.accept(repair)

    assert {slot for slot, _ in (await day.plan()).values()} == {1, 2}


async def test_a_lost_point_is_closed_and_its_meetings_sit_elsewhere(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1), day.entry("dora lin", 3, "T1", "ivy"))
    point = day.house.points["T1"]
    repair = await day.repair(kind="point_lost", point_id=point, since=day.slot(2))
    await day.accept(repair)

    assert await day.plan() == {"dave luo": (1, "T1"), "dora lin": (3, "T2")}
    path = f"/meetings/{await day.house.meeting('dave luo')}/options"
    assert {one["point"] for one in (await day.house.get(path))["items"]} == {"T2"}


async def test_another_interpreter_takes_over_and_the_one_who_is_ill_is_told(
    day: Tomorrow,
) -> None:
    await day.publish(day.entry("dora lin", 2, "T1", "ivy"))
    ivy, ian = (str(day.house.helpers[name]) for name in ("ivy", "ian"))
    repair = await day.repair(kind="unavailable", interpreter_id=ivy)

    (touched,) = repair["touched"]
    assert (touched["now"]["interpreter_id"], touched["to"]["interpreter_id"]) == (ivy, ian)
    assert touched["now"]["starts_at"] == touched["to"]["starts_at"]
    assert {ivy, ian} < set(repair["people"])
    await day.accept(repair)
    (row,) = await day.house.rows("SELECT payload FROM outbox ORDER BY id DESC LIMIT 1")
    assert json.loads(row["payload"])["former_interpreter_id"] == ivy


async def test_who_sits_longer_keeps_the_next_waiting_no_more(day: Tomorrow) -> None:
    await day.publish(
        day.entry("dave luo", 1, "T1"),
        day.entry("dave lin", 2, "T2"),
        day.entry("dora liu", 2, "T1", "ivy"),
    )
    meeting = await day.house.meeting("dave luo")
    report: dict[str, Any] = {"kind": "overrun", "meeting_id": meeting, "minutes": 10}
    refused = await day.report(**report)
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_state")

    await day.house.order(meeting, "start", 1)
    await day.accept(await day.repair(**report))
    plan = await day.plan()
    assert plan["dave luo"] == (1, "T1")
    assert plan["dave lin"][0] in (3, 4)
    assert plan["dora liu"] == (2, "T2")


async def test_a_walk_in_gets_the_meetings_that_are_named_or_wished(day: Tomorrow) -> None:
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"))
    named = await day.repair(
        kind="placement",
        participant_id=day.house.people["liu"],
        counterpart_ids=[day.house.people["dora"]],
    )
    assert [one["interpreter_needed"] for one in named["additions"]] == [True]
    await wish(day.house, "luo", "dave", "must_meet")
    wished = await day.repair(kind="placement", participant_id=day.house.people["luo"])
    before = await day.house.told()
    for repair in (named, wished):
        await day.accept(repair)

    assert set(await day.plan()) == {"dora lin", "dora liu", "dave luo"}
    # A version that was made before does not cancel them.
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"))
    assert set(await day.plan()) == {"dora lin", "dora liu", "dave luo"}
    told = (await day.house.told())[len(before) :]
    assert told == ["meeting.scheduled", "meeting.scheduled", "schedule.published"]


async def test_nobody_is_placed_against_a_no_an_exclusion_or_a_quota(day: Tomorrow) -> None:
    people = day.house.people
    await wish(day.house, "liu", "dora", "no_thanks")
    placement: dict[str, Any] = {
        "kind": "placement",
        "participant_id": people["dora"],
        "counterpart_ids": [people["liu"]],
    }
    repair = await day.repair(**placement)
    assert (repair["additions"], len(repair["unfitted"])) == ([], 1)
    # One no is private: who runs the door learns that there is no place, and no more.
    assert repair["unfitted"][0]["reason"]["code"] == "refused"
    seen = await day.report(day.house.someone("door_staff"), **placement)
    assert seen.json()["unfitted"][0]["reason"]["code"] == "no_free_time"

    quota = {"stop_id": str(day.house.stop), "side": "local", "maximum": 0}
    assert (await day.house.rule("/quotas", quota)).status_code == 200
    full = await day.report(**placement | {"counterpart_ids": [people["lin"]]})
    assert full.status_code == 422
    assert [fault["pointer"] for fault in full.json()["errors"]] == ["/happened/counterpart_ids/0"]


async def test_whoever_was_let_down_may_meet_somebody_else_instead(day: Tomorrow) -> None:
    """Nobody may have more than one meeting. Dora does not come: Lin's is none, hers is one."""
    house, people = day.house, day.house.people
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"))
    await wish(house, "dave", "lin", "meet")
    for side in ("delegation", "local"):
        quota = {"stop_id": str(house.stop), "side": side, "maximum": 1}
        assert (await house.rule("/quotas", quota)).status_code == 200
    full = await day.report(kind="placement", participant_id=people["lin"], counterpart_ids=[])
    assert full.status_code == 422

    missed = {"absent": [str(people["dora"])]}
    meeting = await house.meeting("dora lin")
    assert (await house.order(meeting, "no-show", 1, missed)).status_code == 200
    repair = await day.repair(kind="placement", participant_id=people["lin"], counterpart_ids=[])
    await day.accept(repair)
    assert set(await day.plan()) == {"dora lin", "dave lin"}
    async with house.database.reading() as connection:
        assert await limiting.exceeded(connection, house.stop) == {}
    dora, luo = people["dora"], people["luo"]
    hers = await day.report(kind="placement", participant_id=dora, counterpart_ids=[luo])
    assert hers.status_code == 422


async def test_a_new_version_gives_whoever_was_let_down_another_meeting(day: Tomorrow) -> None:
    house, people = day.house, day.house.people
    missing = day.entry("dora lin", 1, "T1", "ivy")
    await day.publish(missing)
    for side in ("delegation", "local"):
        quota = {"stop_id": str(house.stop), "side": side, "maximum": 1}
        assert (await house.rule("/quotas", quota)).status_code == 200
    missed = {"absent": [str(people["dora"])]}
    meeting = await house.meeting("dora lin")
    assert (await house.order(meeting, "no-show", 1, missed)).status_code == 200

    async with house.database.reading() as connection:
        mission = await connection.fetchval("SELECT mission_id FROM stop WHERE id = $1", house.stop)
        problem = (await stating.state(connection, house.stop, mission, 5)).problem
    assert problem.room(people["lin"], "local") == 1
    assert problem.room(people["dora"], "delegation") == 0
    await day.publish(missing, day.entry("dave lin", 2))
    assert set(await day.plan()) == {"dora lin", "dave lin"}
    with pytest.raises(Conflict, match=r"Sample Dora Co\. would have more meetings than allowed"):
        await day.publish(missing, day.entry("dave lin", 2), day.entry("dora luo", 3, "T1", "ivy"))


async def test_what_became_free_is_offered_to_wishes_one_by_one(day: Tomorrow) -> None:
    """Dora comes after all slots: her table and her time are free for others."""
    await day.publish(day.entry("dave lin", 1), day.entry("dora lin", 2, "T1", "ivy"))
    await wish(day.house, "dave", "liu", "meet")
    repair = await day.late("dora", 4)
    (dropped,) = repair["touched"]
    assert (dropped["to"], dropped["reason"]["code"]) == (None, "no_common_time")
    (offer,) = repair["offers"]
    assert (offer["number"], offer["is_taken"]) == (1, False)

    early = await day.decide(repair, "offers/1/accept")
    assert (early.status_code, early.json()["code"]) == (409, "illegal_state")
    await day.accept(repair)
    for _ in range(2):
        taken = await day.decide(repair, "offers/1/accept")
        assert (taken.status_code, taken.json()["offers"][0]["is_taken"]) == (200, True)
    assert set(await day.plan()) == {"dave lin", "dave liu"}
    assert (await day.decide(repair, "offers/2/accept")).status_code == 404


async def test_a_meeting_changed_since_is_named_and_nothing_is_half_done(day: Tomorrow) -> None:
    await day.publish(
        day.entry("dave luo", 1, "T1"),
        day.entry("dave lin", 2, "T2"),
        day.entry("dora lin", 3, "T1", "ivy"),
    )
    repair = await day.late("dave", 2)
    assert len(repair["touched"]) == 2
    meeting = await day.house.meeting("dave lin")
    await day.house.order(meeting, "delay", 1, {"minutes": 3})
    before = await day.everything()
    answer = await day.decide(repair, "accept")

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_repair")
    assert "Sample Dave Co. and Sample Lin Co. at 10:25, T2" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == f"/meetings/{meeting}"
    assert await day.everything() == before
    stale = await day.house.get(f"/repairs/{repair['id']}")
    assert (stale["state"], stale["conflict"]["meeting_id"]) == ("stale", str(meeting))

    anew = await day.decide(repair, "again")
    assert anew.status_code == 201
    await day.accept(anew.json())
    assert {(await day.plan())[pair][0] for pair in ("dave luo", "dave lin")} == {3, 4}


async def test_what_was_taken_closed_barred_or_left_since_is_named(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dora liu", 4, "T2", "ivy"))
    house = day.house

    async def taken() -> None:
        await house.order(
            await house.meeting("dora liu"),
            "move",
            1,
            {"starts_at": day.slot(2).isoformat(), "point_id": str(house.points["T1"])},
        )

    async def closed() -> None:
        path = f"/api/v1/meeting-sessions/{day.session}/points/{house.points['T2']}/close"
        await house.ask("POST", path, body={"from_slot": 2})

    async def barred() -> None:
        await wish(house, "luo", "dave", "no_thanks")

    for change, why in ((taken, "taken"), (closed, "closed"), (barred, "barred")):
        until = day.slot(1) + timedelta(minutes=5)
        repair = await day.repair(kind="late", person_id=house.people["dave"], until=until)
        await change()
        before = await day.everything()
        answer = await day.decide(repair, "accept")
        assert (answer.status_code, answer.json()["code"]) == (409, "stale_repair"), why
        assert await day.everything() == before
        view = await house.get(f"/repairs/{repair['id']}")
        assert view["conflict"]["why"] == why


async def test_who_is_away_by_a_repair_that_came_first_is_named(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"))
    first = await day.late("dave", 1)
    person = day.house.people["luo"]
    other = await day.repair(kind="leaves_early", person_id=person, since=day.slot(2))
    await day.accept(other)
    answer = await day.decide(first, "accept")

    assert (answer.status_code, answer.json()["code"]) == (409, "stale_repair")
    assert (await day.house.get(f"/repairs/{first['id']}"))["conflict"]["why"] == "away"


async def test_what_would_have_begun_by_now_is_named(day: Tomorrow) -> None:
    """A proposal lies there until its time is over; then a meeting is cancelled by hand, or not."""
    await day.publish(day.entry("dave luo", 1, "T1"))
    for later in (day.slot(1), day.slot(2)):
        repair = await day.late("dave", 1)
        before = await day.everything()
        with pytest.raises(Conflict, match=r"Sample Dave Co\. and Sample Luo Co\."):
            await repairing.accept(
                day.house.database,
                Decision(UUID(repair["id"]), day.house.someone("door_staff"), later),
            )
        assert await day.everything() == before
        stale = await day.house.get(f"/repairs/{repair['id']}")
        assert stale["conflict"]["why"] == "late"


async def test_who_applied_what_is_kept_and_cannot_be_changed(day: Tomorrow) -> None:
    await day.publish(day.entry("dave lin", 1), day.entry("dora lin", 2, "T1", "ivy"))
    await wish(day.house, "dave", "liu", "meet")
    meeting = str(await day.house.meeting("dora lin"))
    repair = await day.late("dora", 4)
    assert repair["trail"] == []
    door = day.house.someone("door_staff")
    path = f"/api/v1/repairs/{repair['id']}"
    assert (await day.house.ask("POST", f"{path}/accept", door)).status_code == 200
    taken = await day.decide(repair, "offers/1/accept")
    rejected = await day.late("dave", 1)
    await day.decide(rejected, "reject")

    trail = taken.json()["trail"]
    assert [(one["action"], one["actor_role"]) for one in trail] == [
        ("repair.accept", "door_staff"),
        ("repair.offer.accept", "mission_staff"),
    ]
    assert trail[0]["actor_id"] == str(door.subject)
    rows = await day.house.rows("SELECT * FROM audit_entry ORDER BY at, id")
    assert [row["action"] for row in rows] == [*(one["action"] for one in trail), "repair.reject"]
    (touched,) = rows[0]["details"]["touched"]
    assert (touched["meeting_id"], touched["after"]) == (meeting, None)
    # Who was late is forgotten sooner than the trail is.
    assert str(day.house.people["dora"]) not in json.dumps(rows[0]["details"])
    assert rows[1]["details"]["delegate_id"] == str(day.house.people["dave"])
    for change in (
        "UPDATE audit_entry SET actor_role = 'mission_staff'",
        "DELETE FROM audit_entry",
    ):
        with pytest.raises(asyncpg.RestrictViolationError):
            await day.house.rows(change)
    await sweep(day.house.database, datetime.now(UTC) + DISTURBANCES_KEPT + timedelta(days=1))
    assert len(await day.house.rows("SELECT FROM audit_entry")) == 3
    await sweep(day.house.database, datetime.now(UTC) + TRAIL_KEPT + timedelta(days=1))
    assert await day.house.rows("SELECT FROM audit_entry") == []


async def test_an_acceptance_that_is_sent_again_gets_the_first_answer(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"))
    repair = await day.late("dave", 1)
    path = f"/api/v1/repairs/{repair['id']}"
    boss = day.house.boss
    first = await day.house.ask("POST", f"{path}/accept", boss, Idempotency_Key="one")
    before = await day.everything()
    again = await day.house.ask("POST", f"{path}/accept", boss, Idempotency_Key="one")

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.json() == first.json()
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await day.everything() == before
    # The key is of this request alone, and without one a repeat changes nothing either.
    other = await day.house.ask("POST", f"{path}/reject", boss, Idempotency_Key="one")
    assert other.status_code == 409
    assert (await day.decide(repair, "accept")).status_code == 200
    assert await day.everything() == before
    assert len(await day.house.rows("SELECT FROM audit_entry")) == 1


async def test_a_repair_is_decided_once(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"))
    repair = await day.late("dave", 1)
    async with asyncio.timeout(60):
        answers = await asyncio.gather(*(day.decide(repair, "accept") for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert (await day.house.told()).count("meeting.moved") == 1
    late = await day.decide(repair, "reject")
    assert (late.status_code, late.json()["code"]) == (409, "illegal_state")

    other = await day.late("dora", 1)
    for _ in range(2):
        assert (await day.decide(other, "reject")).json()["state"] == "rejected"
    assert (await day.decide(other, "accept")).status_code == 409
    assert len((await day.house.get(f"/absences?stop_id={day.house.stop}"))["items"]) == 1


async def test_what_is_locked_or_called_stays_and_is_left_to_staff(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dave lin", 2, "T1"))
    await day.house.order(await day.house.meeting("dave luo"), "call", 1)
    there = {"starts_at": day.slot(2).isoformat(), "point_id": str(day.house.points["T2"])}
    await day.house.order(await day.house.meeting("dave lin"), "move", 1, there)
    repair = await day.late("dave", 2)

    assert repair["touched"] == []
    assert [one["reason"]["code"] for one in repair["left"]] == ["called", "locked"]
    await day.accept(repair)
    assert await day.plan() == {"dave luo": (1, "T1"), "dave lin": (2, "T2")}


async def test_nobody_is_moved_or_scheduled_to_where_somebody_is_away(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 3, "T1"))
    await day.accept(await day.late("dave", 2))
    meeting = await day.house.meeting("dave luo")
    there = {"starts_at": day.slot(1).isoformat(), "point_id": str(day.house.points["T1"])}
    refused = await day.house.order(meeting, "move", 1, there)
    assert (refused.status_code, refused.json()["code"]) == (409, "taken")
    assert "the delegate" in refused.json()["detail"]
    assert not any(
        datetime.fromisoformat(one["starts_at"]) < day.slot(3)
        for one in (await day.house.get(f"/meetings/{meeting}/options"))["items"]
    )
    schedule = await day.house.proposed(day.entry("dave luo", 1, "T1"))
    stale = await day.house.ask("POST", f"/api/v1/schedules/{schedule}/publish")
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_schedule")

    (absence,) = (await day.house.get(f"/absences?stop_id={day.house.stop}"))["items"]
    ended = await day.house.ask("POST", f"/api/v1/absences/{absence['id']}/end")
    assert ended.status_code == 204
    assert (await day.house.order(meeting, "move", 1, there)).status_code == 200


async def test_a_light_repair_is_taken_by_the_stops_rule_and_a_heavy_one_waits(
    day: Tomorrow,
) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dave lin", 2, "T1"))
    assert (await day.late("dave", 1))["state"] == "open"
    for most, expected in ((0, "open"), (1, "accepted")):
        rule = {"stop_id": str(day.house.stop), "meetings_max": most}
        assert (await day.house.ask("PUT", "/api/v1/repair-rules", body=rule)).json() == rule
        repair = await day.late("dave", 1)
        assert (repair["state"], repair["is_by_rule"]) == (expected, expected == "accepted")
    # It would drop a meeting: never by rule.
    dropping = await day.late("dave", 4)
    assert dropping["state"] == "open"
    off = {"stop_id": str(day.house.stop), "meetings_max": None}
    await day.house.ask("PUT", "/api/v1/repair-rules", body=off)
    assert await day.house.get(f"/repair-rules?stop_id={day.house.stop}") == off


async def test_what_a_repair_does_against_the_order_asked_is_said_and_never_taken_by_rule(
    day: Tomorrow,
) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dave lin", 2, "T2"))
    people = {name: str(person) for name, person in day.house.people.items()}
    order = {
        "stop_id": str(day.house.stop),
        "first": {"delegate_id": people["dave"], "local_id": people["luo"]},
        "second": {"delegate_id": people["dave"], "local_id": people["lin"]},
    }
    path = "/api/v1/scheduling-rules/precedences"
    assert (await day.house.ask("POST", path, body=order)).status_code == 201
    rule = {"stop_id": str(day.house.stop), "meetings_max": 5}
    await day.house.ask("PUT", "/api/v1/repair-rules", body=rule)
    repair = await day.late("dave", 1)

    (warning,) = repair["warnings"]
    assert "wrong order" in warning["en"]
    assert "先后顺序" in warning["zh"]
    assert repair["state"] == "open"


async def test_nobody_is_put_at_the_booth_of_another_company(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dora lin", 1, "T2", "ivy"))
    await day.house.rows(
        "UPDATE meeting_point SET organization_id = "
        "(SELECT organization_id FROM participant WHERE id = $1) WHERE id = $2",
        day.house.people["dora"],
        day.house.points["T2"],
    )
    repair = await day.repair(kind="point_lost", point_id=day.house.points["T1"])
    (touched,) = repair["touched"]
    assert (touched["to"], touched["reason"]["code"]) == (None, "no_point")


@pytest.mark.parametrize(
    ("happened", "pointer"),
    [
        ({"kind": "late", "person_id": uuid4(), "until": "2030-11-07T03:00:00Z"}, "person_id"),
        ({"kind": "late", "person_id": "dave", "until": "2020-01-01T00:00:00Z"}, "until"),
        ({"kind": "leaves_early", "person_id": "dave", "since": "2031-01-01T00:00:00Z"}, "since"),
        ({"kind": "unavailable", "interpreter_id": "dave"}, "interpreter_id"),
        ({"kind": "point_lost", "point_id": uuid4()}, "point_id"),
        ({"kind": "overrun", "meeting_id": uuid4(), "minutes": 5}, "meeting_id"),
        ({"kind": "placement", "participant_id": "dave"}, "counterpart_ids"),
    ],
)
async def test_a_report_that_cannot_be_is_refused_by_its_field(
    day: Tomorrow, happened: dict[str, Any], pointer: str
) -> None:
    known = {name: day.house.people.get(str(value), value) for name, value in happened.items()}
    answer = await day.report(**known)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [f"/happened/{pointer}"]
    assert await day.house.rows("SELECT FROM repair") == []


async def test_absences_and_repairs_go_with_the_person_and_with_time(day: Tomorrow) -> None:
    await day.publish(day.entry("dave luo", 1, "T1"), day.entry("dora liu", 1, "T2", "ivy"))
    await day.accept(await day.late("dave", 1))
    await day.accept(await day.late("dora", 1))
    # Nothing of it has to change.
    await day.late("lin", 1)
    house = day.house
    for name in ("dave", "lin"):
        event = r.PersonErased(
            person_id=house.people[name], mission_id=house.mission, erased_at=day.slot(1)
        )
        await house.hear((event, 9))
    rows = await house.rows("SELECT resource_id FROM absence")
    assert [row["resource_id"] for row in rows] == [house.people["dora"]]
    (kept,) = await house.rows("SELECT people FROM repair")
    assert house.people["dave"] not in kept["people"]

    await sweep(house.database, day.slot(4) + DISTURBANCES_KEPT)
    assert await house.rows("SELECT FROM absence") == []
    assert await house.rows("SELECT FROM repair") == []
