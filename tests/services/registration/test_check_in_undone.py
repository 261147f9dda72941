"""Check-ins that were a mistake and are taken back, over the API."""

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.access import Principal, Role
from tests.services.registration.test_check_in_batches import (
    arrivals,
    brief,
    code_of,
    roster,
    scan,
    sent,
)

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

ROLES: dict[Role, bool] = {
    "mission_staff": True,
    "door_staff": True,
    "partner_staff": False,
    "applicant": False,
    "delegate": False,
    "local": False,
    "interpreter": False,
    "screen": False,
    "service": False,
}
"""Who may take back the check-in of somebody whom no partner brought."""


async def take_back(
    house: "House",
    registration: dict[str, Any],
    who: Principal | None = None,
    *,
    key: str = "",
    **more: Any,
) -> httpx2.Response:
    path = f"/api/v1/registrations/{registration['id']}/check-in/undo"
    body = {"reason": "wrong_person", **more}
    return await house.post(path, body, who or house.someone("door_staff"), key=key)


async def checked_in(house: "House", registration: dict[str, Any]) -> str:
    path = f"/api/v1/registrations/{registration['id']}/check-in"
    answer = await house.post(path, None, house.boss)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["checked_in_at"])


async def arrived(house: "House") -> int:
    path = f"/api/v1/stops/{house.stop}/headcount"
    return int((await house.get(path, house.boss)).json()["arrived"])


async def test_a_check_in_taken_back_is_counted_noted_and_told_and_the_badge_works_again(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    code, door = await code_of(house, ana), house.someone("door_staff")
    (first,) = await sent(house, scan(code))
    assert await arrived(house) == 1

    answer = await take_back(house, ana, door, checked_in_at=first["checked_in_at"])

    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["checked_in_at"]) == ("confirmed", None)
    assert await arrived(house) == 0
    assert await house.statuses() == {"ana": "confirmed"}
    (noted,) = await house.rows(
        "SELECT * FROM audit_entry WHERE action = 'registration.undo_check_in'"
    )
    assert (noted["actor_id"], noted["subject_id"]) == (door.subject, UUID(ana["id"]))
    assert noted["stop_id"] == house.stop
    assert noted["details"]["mistake"] == "wrong_person"
    assert datetime.fromisoformat(noted["details"]["checked_in_at"]) == datetime.fromisoformat(
        first["checked_in_at"]
    )

    (again,) = await sent(house, scan(code))
    assert (again["outcome"], again["reason"]) == ("accepted", None)
    assert again["checked_in_at"] > first["checked_in_at"]
    assert await arrived(house) == 1
    rows = await house.rows(
        "SELECT type, sequence, payload FROM outbox WHERE key = $1 ORDER BY id",
        UUID(ana["participant_id"]),
    )
    assert [row["type"].removeprefix("registration.") for row in rows] == [
        "participant.confirmed.v1",
        "participant.checked_in.v1",
        "check_in.retracted.v1",
        "participant.checked_in.v1",
    ]
    assert [row["sequence"] for row in rows] == [1, 2, 3, 4]
    event = json.loads(rows[2]["payload"])
    assert (event["registration_id"], event["has_place"]) == (ana["id"], True)
    assert event["undone_at"] > event["checked_in_at"]


async def test_taking_back_twice_does_no_more(house: "House") -> None:
    ana = await house.registered("ana")
    at = await checked_in(house, ana)

    first = await take_back(house, ana, checked_in_at=at)
    again = await take_back(house, ana, checked_in_at=at)
    never = await take_back(house, await house.registered("bo"))

    assert [one.status_code for one in (first, again, never)] == [200] * 3
    assert again.json() == first.json()
    assert never.json()["check_in_undone_at"] is None
    assert (await house.told()).count("check_in.retracted") == 1
    entries = await house.rows("SELECT FROM audit_entry WHERE action LIKE '%undo_check_in'")
    assert len(entries) == 1


async def test_two_who_take_back_at_once_have_one_effect(house: "House") -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)

    assert await house.meeting(*(take_back(house, ana) for _ in range(3))) == [200] * 3

    assert (await house.told()).count("check_in.retracted") == 1


async def test_one_who_looked_too_long_does_not_take_back_a_newer_check_in(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    first = await checked_in(house, ana)
    await take_back(house, ana, checked_in_at=first)
    second = await checked_in(house, ana)

    late = await take_back(house, ana, checked_in_at=first)

    assert (late.status_code, late.json()["code"]) == (409, "checked_in_again")
    assert late.headers["content-type"] == "application/problem+json"
    assert await arrived(house) == 1
    assert (await take_back(house, ana, checked_in_at=second)).status_code == 200
    assert await arrived(house) == 0


async def test_a_request_under_a_key_that_is_sent_again_leaves_a_newer_check_in(
    house: "House",
) -> None:
    ana, door = await house.registered("ana"), house.someone("door_staff")
    await checked_in(house, ana)

    first = await take_back(house, ana, door, key="once")
    await checked_in(house, ana)
    again = await take_back(house, ana, door, key="once")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert await arrived(house) == 1
    other = await take_back(house, ana, door, key="once", reason="trial")
    assert other.status_code == 422


async def test_an_arrival_that_was_found_to_be_earlier_is_the_one_that_was_meant(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    (online,) = await sent(house, scan(code))
    await sent(house, scan(code, minutes_ago=30))

    answer = await take_back(house, ana, checked_in_at=online["checked_in_at"])

    assert answer.status_code == 200
    assert await arrived(house) == 0


async def test_a_scan_of_before_that_comes_late_lets_nobody_in_again(house: "House") -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    sent_before, queued = scan(code), scan(code, minutes_ago=3)
    (first,) = await sent(house, sent_before)
    await take_back(house, ana)

    (replayed,) = await sent(house, sent_before)
    (late,) = await sent(house, queued)

    assert replayed == first
    assert (late["outcome"], late["reason"]) == ("refused", "check_in_undone")
    assert late["participant"]["full_name"] == "Sample ana"
    assert await arrived(house) == 0
    assert await arrivals(house) == 1
    # Scanned anew the person is in, and what comes later still does not change since when.
    (anew,) = await sent(house, scan(code))
    (later,) = await sent(house, scan(code, minutes_ago=5))
    assert brief([anew, later]) == [("accepted", None), ("already", None)]
    assert later["checked_in_at"] == anew["checked_in_at"]


async def test_a_phone_whose_clock_is_wrong_says_how_long_before_it_scanned(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    await sent(house, scan(code))
    await take_back(house, ana)
    old = scan(code, minutes_ago=-60 * 24)
    ahead = datetime.fromisoformat(old["scanned_at"]) + timedelta(minutes=2)

    answer = await house.post(
        f"/api/v1/stops/{house.stop}/scans",
        {"scans": [old], "sent_at": ahead.isoformat()},
        house.boss,
    )

    assert brief(answer.json()["items"]) == [("refused", "check_in_undone")]


async def test_one_batch_with_scans_of_before_and_after_is_taken_as_it_happened(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    await checked_in(house, ana)
    await take_back(house, ana)

    answers = await sent(house, scan(code), scan(code, minutes_ago=9))

    assert brief(answers) == [("accepted", None), ("refused", "check_in_undone")]


async def test_phones_learn_from_the_roster_what_was_taken_back(house: "House") -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    undone = (await take_back(house, ana)).json()["check_in_undone_at"]

    (person,) = (await roster(house))["people"]
    (one,) = person["registrations"]

    assert one["checked_in_at"] is None
    assert datetime.fromisoformat(one["check_in_undone_at"]) == datetime.fromisoformat(undone)


async def test_what_was_cancelled_after_the_check_in_stays_cancelled(house: "House") -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    await house.decide(ana["id"], "cancel")

    assert (await take_back(house, ana)).json()["status"] == "cancelled"

    (row,) = await house.rows(
        "SELECT payload FROM outbox WHERE type = 'registration.check_in.retracted.v1'"
    )
    assert json.loads(row["payload"])["has_place"] is False
    assert await house.places() == (0, 0)


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"reason": "because"}, "/reason"),
        ({"reason": None}, "/reason"),
        ({"checked_in_at": "yesterday"}, "/checked_in_at"),
        ({"note": "free text"}, "/note"),
    ],
)
async def test_a_reason_is_one_of_a_list(
    house: "House", change: dict[str, Any], pointer: str
) -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)

    answer = await take_back(house, ana, **change)

    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert await arrived(house) == 1


async def test_nobody_takes_back_what_is_not_there(house: "House") -> None:
    assert (await take_back(house, {"id": uuid4()})).status_code == 404


@pytest.mark.parametrize("role", ROLES)
async def test_a_check_in_is_taken_back_by_the_roles_of_the_table_alone(
    house: "House", role: Role
) -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    who = house.someone(role, partner_id=house.partner if role == "partner_staff" else None)
    abroad = house.someone(role, mission_id=uuid4(), stop_ids=(house.stop,))
    assert (await take_back(house, ana, abroad)).status_code == 403
    if role == "door_staff":
        elsewhere = house.someone(role, stop_ids=(uuid4(),))
        assert (await take_back(house, ana, elsewhere)).status_code == 403

    answer = await take_back(house, ana, who)

    assert answer.status_code == (200 if ROLES[role] else 403)
    assert await arrived(house) == (0 if ROLES[role] else 1)


async def test_who_is_not_signed_in_takes_nothing_back(house: "House") -> None:
    ana = await house.registered("ana")
    path = f"/api/v1/registrations/{ana['id']}/check-in/undo"

    assert (await house.post(path, {"reason": "trial"})).status_code == 401


async def test_a_partner_takes_back_the_check_ins_of_those_it_brought_alone(
    house: "House",
) -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    brought = {"source": "partner_api", "partner_id": str(house.partner)}
    theirs = (await house.register("ana", who=partner, **brought)).json()
    other = await house.registered("bo")
    for one in (theirs, other):
        await checked_in(house, one)

    statuses = [(await take_back(house, one, partner)).status_code for one in (theirs, other)]

    assert statuses == [200, 403]
    assert await arrived(house) == 1
