"""Scans at the door, in batches, over the API."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from services.registration.domain import badges
from services.registration.domain.roster import forgotten_at
from shared.access import Principal, Role

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

NOW = datetime.now(UTC)
ROLES: tuple[Role, ...] = (
    "mission_staff",
    "partner_staff",
    "door_staff",
    "delegate",
    "local",
    "interpreter",
    "screen",
    "service",
)


def scan(code: str | None = None, *, minutes_ago: float = 0, **facts: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    named = {} if code is None else {"code": code}
    return {"nonce": str(uuid4()), "scanned_at": at.isoformat(), **named, **facts}


async def sent(
    house: "House", *scans: dict[str, Any], who: Principal | None = None
) -> list[dict[str, Any]]:
    answer = await send(house, *scans, who=who)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def send(
    house: "House", *scans: dict[str, Any], who: Principal | None = None, stop: object = None
) -> httpx2.Response:
    path = f"/api/v1/stops/{stop or house.stop}/scans"
    return await house.post(path, {"scans": list(scans)}, who or house.someone("door_staff"))


async def code_of(house: "House", registration: dict[str, Any]) -> str:
    await roster(house)
    (row,) = await house.rows(
        "SELECT code FROM badge WHERE person_id = $1 AND revoked_at IS NULL",
        UUID(registration["participant_id"]),
    )
    return str(row["code"])


async def roster(house: "House", who: Principal | None = None) -> dict[str, Any]:
    answer = await house.get(f"/api/v1/stops/{house.stop}/roster", who or house.boss)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def brief(answers: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(answer["outcome"], answer["reason"]) for answer in answers]


async def arrivals(house: "House") -> int:
    return (await house.told()).count("participant.checked_in")


async def test_a_badge_lets_its_person_in_once(house: "House") -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)

    (first,) = await sent(house, scan(badges.shown(code).lower()))
    (second,) = await sent(house, scan(code))

    assert (first["outcome"], second["outcome"]) == ("accepted", "already")
    assert second["checked_in_at"] == first["checked_in_at"]
    assert first["participant"]["full_name"] == "Sample ana"
    assert first["registration_id"] == ana["id"]
    assert await arrivals(house) == 1


async def test_a_scan_sent_again_gets_the_same_answer(house: "House") -> None:
    code = await code_of(house, await house.registered("ana"))
    batch = [scan(code), scan("XXXX")]

    first = await sent(house, *batch)
    again = await sent(house, *batch)
    twice_in_one = await sent(house, *batch, *batch)

    assert brief(first) == [("accepted", None), ("refused", "unknown_code")]
    assert again == first
    assert twice_in_one == first * 2
    assert len(await house.rows("SELECT FROM scan")) == 2
    assert await arrivals(house) == 1


async def test_one_nonce_does_not_stand_for_two_badges(house: "House") -> None:
    ana, bo = [await code_of(house, await house.registered(name)) for name in ("ana", "bo")]
    once = scan(ana)

    await sent(house, once)
    answers = await sent(house, once | {"code": bo})

    assert brief(answers) == [("refused", "nonce_reused")]
    assert await arrivals(house) == 1


async def test_two_phones_scan_one_badge_and_one_of_them_is_first(house: "House") -> None:
    code = await code_of(house, await house.registered("ana"))

    async with house.crossing(4):
        phones = [asyncio.create_task(sent(house, scan(code))) for _ in range(4)]
    answers = [answer for (answer,) in await asyncio.gather(*phones)]

    assert sorted(answer["outcome"] for answer in answers) == ["accepted"] + ["already"] * 3
    assert await arrivals(house) == 1


async def test_the_desk_and_the_door_check_one_person_in_once(house: "House") -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    path = f"/api/v1/registrations/{ana['id']}/check-in"

    statuses = await house.meeting(
        send(house, scan(code)), house.post(path, None, house.boss), send(house, scan(code))
    )

    assert statuses == [200] * 3
    assert await arrivals(house) == 1


async def test_one_scan_sent_twice_at_once_is_kept_once(house: "House") -> None:
    code = await code_of(house, await house.registered("ana"))
    one = scan(code)

    async with house.crossing(2):
        sends = [asyncio.create_task(sent(house, one)) for _ in range(2)]
    first, second = await asyncio.gather(*sends)

    assert first == second
    assert brief(first) == [("accepted", None)]
    assert len(await house.rows("SELECT FROM scan")) == 1


async def test_phones_that_scan_many_in_other_orders_do_not_block_one_another(
    house: "House",
) -> None:
    people = [await house.registered(name) for name in ("ana", "bo")]
    for name in ("ana", "bo"):
        dinner = (await house.register(name, "dinner")).json()
        await house.decide(dinner["id"], "approve")
    codes = [await code_of(house, person) for person in people]
    both = [
        scan(code, programme_item_id=str(item)) for item in house.items.values() for code in codes
    ]

    async with house.crossing(2):
        sends = [
            asyncio.create_task(sent(house, *batch))
            for batch in (both, [one | {"nonce": str(uuid4())} for one in reversed(both)])
        ]
    first, second = await asyncio.gather(*sends)

    assert (
        sorted(answer["outcome"] for answer in first + second) == ["accepted"] * 4 + ["already"] * 4
    )
    assert await arrivals(house) == 4


async def test_an_offline_batch_is_taken_as_it_happened(house: "House") -> None:
    code = await code_of(house, await house.registered("ana"))

    answers = await sent(house, scan(code, minutes_ago=1), scan(code, minutes_ago=9))

    assert [answer["outcome"] for answer in answers] == ["already", "accepted"]
    assert answers[0]["checked_in_at"] == answers[1]["checked_in_at"]


async def test_a_scan_that_comes_late_keeps_the_earliest_time_and_tells_nothing_twice(
    house: "House",
) -> None:
    code = await code_of(house, await house.registered("ana"))
    (online,) = await sent(house, scan(code))

    (late,) = await sent(house, scan(code, minutes_ago=30))

    assert late["outcome"] == "already"
    assert late["checked_in_at"] < online["checked_in_at"]
    (row,) = await house.rows("SELECT checked_in_at FROM registration")
    assert row["checked_in_at"] == datetime.fromisoformat(late["checked_in_at"])
    assert await arrivals(house) == 1


async def test_a_phone_with_a_wrong_clock_says_how_long_ago_it_was(house: "House") -> None:
    code = await code_of(house, await house.registered("ana"))
    theirs = datetime(2031, 1, 1, tzinfo=UTC)
    one = scan(code) | {"scanned_at": (theirs - timedelta(minutes=10)).isoformat()}

    answer = await house.post(
        f"/api/v1/stops/{house.stop}/scans",
        {"scans": [one], "sent_at": theirs.isoformat()},
        house.boss,
    )

    at = datetime.fromisoformat(answer.json()["items"][0]["checked_in_at"])
    assert timedelta(minutes=9) < datetime.now(UTC) - at < timedelta(minutes=11)


async def test_whoever_has_no_place_is_refused_and_told_why(house: "House") -> None:
    crowd = [await house.registered(name) for name in ("ana", "bo", "chen", "dai")]
    codes = [await code_of(house, person) for person in crowd]
    await house.decide(crowd[3]["id"], "cancel")
    pending = await code_of(house, await house.registered("eva", "dinner"))
    dinner = str(house.items["dinner"])

    answers = await sent(
        house,
        scan(codes[2]),
        scan(codes[3]),
        scan(pending),
        scan(codes[0], programme_item_id=dinner),
        scan("0000-0000-0000"),
        scan("https://example.com/nothing"),
    )

    assert [answer["reason"] for answer in answers] == [
        "waitlisted",
        "cancelled",
        "not_confirmed",
        "other_item",
        "unknown_code",
        "unknown_code",
    ]
    assert {answer["outcome"] for answer in answers} == {"refused"}
    assert answers[0]["participant"]["full_name"] == "Sample chen"
    assert answers[3]["participant"]["full_name"] == "Sample ana"
    assert await arrivals(house) == 0


async def test_who_brought_somebody_is_told_with_each_arrival(house: "House") -> None:
    ana = await house.registered("ana", who=house.boss, partner_id=str(house.partner))
    bo = await house.registered("bo")
    await sent(house, *[scan(await code_of(house, one)) for one in (ana, bo)])

    rows = await house.rows(
        "SELECT payload FROM outbox WHERE type LIKE '%participant.checked_in%' ORDER BY id"
    )
    events = [json.loads(row["payload"]) for row in rows]
    told = {event["participant_id"]: event["partner_id"] for event in events}
    assert told == {ana["participant_id"]: str(house.partner), bo["participant_id"]: None}


async def test_somebody_is_checked_in_by_name(house: "House") -> None:
    ana = await house.registered("ana")

    answers = await sent(
        house,
        scan(participant_id=ana["participant_id"]),
        scan(participant_id=str(uuid4())),
    )

    assert brief(answers) == [("accepted", None), ("refused", "unknown_code")]


async def test_a_badge_of_another_mission_is_unknown_and_of_another_stop_says_no_name(
    house: "House", lines: Any
) -> None:
    code = await code_of(house, await house.registered("ana"))
    elsewhere = await house.made(f"/missions/{house.mission}/stops", lines.stop)
    mission = await house.made("/missions", lines.mission)
    abroad = await house.made(f"/missions/{mission}/stops", lines.stop)

    here = await send(house, scan(code), who=house.boss, stop=elsewhere)
    there = await send(house, scan(code), who=house.boss, stop=abroad)

    assert brief(here.json()["items"]) == [("refused", "other_stop")]
    assert here.json()["items"][0]["participant"] is None
    assert brief(there.json()["items"]) == [("refused", "unknown_code")]


async def test_whoever_was_erased_is_not_let_in_and_not_named(house: "House") -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    await house.rows("UPDATE person SET erased_at = now()")

    (answer,) = await sent(house, scan(code))

    assert (answer["reason"], answer["participant"]) == ("erased", None)
    assert (await roster(house))["people"] == []


async def test_a_lost_badge_is_known_as_lost_and_another_lets_in(house: "House") -> None:
    ana = await house.registered("ana")
    lost = await code_of(house, ana)
    path = f"/api/v1/participants/{ana['participant_id']}/badges"

    first = await house.post(path, None, house.someone("door_staff"), key="one")
    again = await house.post(path, None, house.someone("door_staff"), key="two")
    new = again.json()["code"]

    assert (first.status_code, again.status_code) == (201, 201)
    answers = await sent(house, scan(lost), scan(first.json()["code"]), scan(new))
    assert brief(answers) == [
        ("refused", "revoked_badge"),
        ("refused", "revoked_badge"),
        ("accepted", None),
    ]
    assert len((await roster(house))["revoked"]) == 2
    actions = await house.rows("SELECT action FROM audit_entry WHERE action = 'badge.replace'")
    assert len(actions) == 2


async def test_a_replacement_asked_for_again_is_one(house: "House") -> None:
    ana = await house.registered("ana")
    door, path = house.someone("door_staff"), f"/api/v1/participants/{ana['participant_id']}/badges"

    first = await house.post(path, None, door, key="once")
    again = await house.post(path, None, door, key="once")

    assert again.json() == first.json()
    assert len(await house.rows("SELECT FROM badge")) == 2
    # What is kept under the key lets nobody in.
    (kept,) = await house.rows("SELECT answer FROM idempotency WHERE key = 'once'")
    assert set(kept["answer"]) == {"id"}


async def test_nobody_replaces_the_badge_of_somebody_unknown(house: "House") -> None:
    path = f"/api/v1/participants/{uuid4()}/badges"

    assert (await house.post(path, None, house.boss)).status_code == 404


async def test_a_roster_says_who_is_expected_without_what_opens_the_door(house: "House") -> None:
    ana = await house.registered("ana", person={"native_name": "张伟"})
    code = await code_of(house, ana)

    answer = await house.get(f"/api/v1/stops/{house.stop}/roster", house.someone("door_staff"))
    (person,) = answer.json()["people"]

    assert person["digest"] == badges.digest(code).hex()
    assert code not in answer.text
    assert "@example.com" not in answer.text
    assert "zw" in person["search"].split()
    assert person["registrations"][0]["status"] == "confirmed"


def test_phones_forget_a_roster_the_night_after_its_day() -> None:
    day, night = date(2026, 11, 9), datetime(2026, 11, 9, 20, tzinfo=UTC)

    assert forgotten_at(day, "Asia/Shanghai", night - timedelta(days=3)) == night
    # One that is taken later, in a rehearsal say, is not kept for long.
    assert forgotten_at(day, "Asia/Shanghai", night) == night + timedelta(hours=12)


async def test_a_roster_that_is_known_is_not_sent_again(house: "House") -> None:
    await house.registered("ana")
    path, headers = f"/api/v1/stops/{house.stop}/roster", house.headers(house.boss)
    first = await house.client.get(path, headers=headers)

    known = headers | {"If-None-Match": f"W/{first.headers['ETag']}"}
    assert (await house.client.get(path, headers=known)).status_code == 304
    await house.registered("bo")
    assert (await house.client.get(path, headers=known)).status_code == 200


async def test_a_head_count_says_who_is_there_and_who_was_refused(house: "House") -> None:
    crowd = [await house.registered(name) for name in ("ana", "bo", "chen")]
    codes = [await code_of(house, person) for person in crowd]
    path, headers = f"/api/v1/stops/{house.stop}/headcount", house.headers(house.boss)
    before = await house.client.get(path, headers=headers)
    known = headers | {"If-None-Match": before.headers["ETag"]}
    assert (await house.client.get(path, headers=known)).status_code == 304

    await sent(house, *(scan(code) for code in (*codes, codes[0], "nonsense")))
    counted = (await house.client.get(path, headers=known)).json()

    assert (before.json()["expected"], before.json()["arrived"]) == (2, 0)
    assert (counted["expected"], counted["arrived"]) == (2, 2)
    assert counted["refused"] == {"unknown_code": 1, "waitlisted": 1}
    talks = counted["items"][0]
    assert (talks["expected"], talks["arrived"]) == (2, 2)
    assert talks["last_arrival_at"] == counted["last_arrival_at"] is not None


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"nonce": "no-uuid"}, "/scans/0/nonce"),
        ({"scanned_at": "2026-11-09T09:00:00"}, "/scans/0/scanned_at"),
        ({"participant_id": str(uuid4())}, "/scans/0"),
        ({"programme_item_id": 7}, "/scans/0/programme_item_id"),
        ({"latitude": 1}, "/scans/0/latitude"),
    ],
)
async def test_a_scan_that_is_wrong_is_named_and_none_of_its_batch_is_taken(
    house: "House", change: dict[str, Any], pointer: str
) -> None:
    code = await code_of(house, await house.registered("ana"))

    answer = await send(house, scan(code) | change, scan(code))

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await house.rows("SELECT FROM scan") == []


@pytest.mark.parametrize("count", [0, 201])
async def test_a_batch_has_a_bound(house: "House", count: int) -> None:
    answer = await send(house, *(scan("nothing") for _ in range(count)))

    assert answer.status_code == 422


ROUTES: dict[str, set[str]] = {
    "POST /stops/{stop}/scans": {"mission_staff", "partner_staff", "door_staff"},
    "GET /stops/{stop}/roster": {"mission_staff", "partner_staff", "door_staff"},
    "GET /stops/{stop}/headcount": {"mission_staff", "partner_staff", "door_staff"},
    # Of somebody whom no partner brought.
    "POST /participants/{person}/badges": {"mission_staff", "door_staff"},
}


async def answers(house: "House", route: str, person: object, who: Principal | None) -> int:
    method, _, path = route.partition(" ")
    address = f"/api/v1{path.format(stop=house.stop, person=person)}"
    if method == "GET":
        return (await house.get(address, who)).status_code
    body = {"scans": [scan("nothing")]} if path.endswith("scans") else None
    return (await house.post(address, body, who)).status_code


@pytest.mark.parametrize("route", ROUTES)
async def test_the_door_is_open_to_the_roles_of_the_table_alone(house: "House", route: str) -> None:
    ana = (await house.registered("ana"))["participant_id"]
    for role in ROLES:
        who = house.someone(role, partner_id=house.partner if role == "partner_staff" else None)
        status = await answers(house, route, ana, who)
        assert (status in (200, 201)) == (role in ROUTES[route]), (role, status)
        if role in ("mission_staff", "partner_staff", "door_staff"):
            stranger = house.someone(role, mission_id=uuid4(), partner_id=house.partner)
            assert await answers(house, route, ana, stranger) == 403
        if role in ("partner_staff", "door_staff"):
            elsewhere = house.someone(role, stop_ids=(uuid4(),), partner_id=house.partner)
            assert await answers(house, route, ana, elsewhere) == 403
    assert await answers(house, route, ana, None) == 401


async def test_a_partner_checks_in_and_sees_the_people_it_brought_alone(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    theirs = (
        await house.register(
            "ana", who=partner, source="partner_api", partner_id=str(house.partner)
        )
    ).json()
    other = await house.registered("bo")
    codes = [await code_of(house, one) for one in (theirs, other)]

    answers = await sent(house, *(scan(code) for code in codes), who=partner)

    assert brief(answers) == [("accepted", None), ("refused", "not_your_invitee")]
    assert answers[1]["participant"] is None
    names = [person["full_name"] for person in (await roster(house, partner))["people"]]
    assert names == ["Sample ana"]
    path = "/api/v1/participants/{}/badges"
    for one, status in ((theirs, 201), (other, 403)):
        answer = await house.post(path.format(one["participant_id"]), None, partner)
        assert answer.status_code == status
