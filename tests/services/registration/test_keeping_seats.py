"""Seats kept for a partner or the door, capacity changed while open, opening and closing times."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.registration.commands.calling_up import expire

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

Crowd = dict[str, dict[str, Any]]


async def put(
    house: "House", owner: object, seats: int, status: int = 200, **more: Any
) -> dict[str, Any]:
    answer = await house.client.put(
        f"/api/v1/programme-items/{house.items['talks']}/allotments/{owner}",
        json={"seats": seats, **more},
        headers=house.headers(house.boss),
    )
    assert answer.status_code == status, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def change(house: "House", status: int = 200, **changes: Any) -> dict[str, Any]:
    answer = await house.client.patch(
        f"/api/v1/programme-items/{house.items['talks']}",
        json=changes,
        headers=house.headers(house.boss),
    )
    assert answer.status_code == status, answer.text
    content: dict[str, Any] = answer.json()
    return content


async def invite(house: "House", name: str) -> dict[str, Any]:
    return await house.registered(
        name, who=house.boss, source="partner_api", partner_id=str(house.partner)
    )


async def test_a_kept_seat_is_for_the_partners_invitee_alone(house: "House") -> None:
    assert (await put(house, house.partner, 1))["free"] == 1

    statuses = [(await house.registered(name))["status"] for name in ("ana", "bo")]
    guest = await invite(house, "chen")
    more = await invite(house, "dai")

    assert statuses == ["confirmed", "waitlisted"]
    assert (guest["status"], more["status"]) == ("confirmed", "waitlisted")
    assert await house.places() == (2, 2)


async def test_a_kept_seat_that_is_given_back_goes_to_the_partners_next(house: "House") -> None:
    await put(house, house.partner, 1)
    await house.registered("ana")
    guest = await invite(house, "chen")
    await house.registered("bo")
    await invite(house, "dai")

    await house.decide(guest["id"], "cancel")

    assert (await house.statuses()) == {
        "ana": "confirmed",
        "chen": "cancelled",
        "bo": "waitlisted",
        "dai": "confirmed",
    }


async def test_what_is_not_used_is_free_to_all_at_its_date(house: "House") -> None:
    at = datetime.now(UTC) + timedelta(days=1)
    await put(house, house.partner, 2, releases_at=at.isoformat())
    await house.registered("ana")
    assert (await house.statuses())["ana"] == "waitlisted"

    assert await expire(house.database, at - timedelta(seconds=1)) == 0
    assert await expire(house.database, at) == 1
    assert await expire(house.database, at) == 0

    assert (await house.statuses())["ana"] == "confirmed"
    assert (await house.registered("bo"))["status"] == "confirmed"


async def test_seats_are_released_by_hand_and_kept_again(house: "House") -> None:
    await put(house, house.partner, 2)
    await house.registered("ana")
    path = f"/api/v1/programme-items/{house.items['talks']}/allotments/{house.partner}"

    released = await house.client.delete(path, headers=house.headers(house.boss))

    assert released.json()["called_up"] == 1
    assert (await put(house, house.partner, 2, status=409))["code"] == "too_few_places"
    assert (await put(house, house.partner, 1))["free"] == 0


async def test_the_door_has_seats_of_its_own(house: "House") -> None:
    await put(house, "door", 1)
    await house.registered("ana")
    await house.registered("bo")
    door = house.someone("door_staff")

    walk_in = await house.registered("chen", who=door, source="walk_in")

    assert walk_in["status"] == "confirmed"
    assert (await house.statuses())["bo"] == "waitlisted"


async def test_more_capacity_calls_up_who_waits_in_order(house: "House", crowd: Crowd) -> None:
    assert (await change(house, capacity=3))["called_up"] == 1
    assert (await house.statuses())["chen"] == "confirmed"
    assert (await house.statuses())["dai"] == "waitlisted"
    assert "participant.confirmed" in await house.told(crowd["chen"]["participant_id"])


@pytest.mark.usefixtures("crowd")
async def test_capacity_does_not_fall_below_what_is_taken_or_kept(house: "House") -> None:
    assert (await change(house, 409, capacity=1))["code"] == "too_few_places"
    assert await house.places() == (2, 2)


async def test_nobody_registers_before_the_opening_or_after_the_close(house: "House") -> None:
    now = datetime.now(UTC)
    await change(house, opens_at=(now + timedelta(hours=1)).isoformat())
    early = await house.register("ana")
    await change(house, opens_at=None, closes_at=(now - timedelta(hours=1)).isoformat())
    late = await house.register("ana")

    assert (early.status_code, early.json()["code"]) == (409, "not_open_yet")
    assert (late.status_code, late.json()["code"]) == (409, "closed")
    assert (await house.register("ana", who=house.boss, source="import")).status_code == 201


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"capacity": -1}, "/capacity"),
        ({"capacity": None}, ""),
        ({"offer_seconds": 0}, "/offer_seconds"),
        ({"opens_at": "2030-01-02T00:00:00Z", "closes_at": "2030-01-01T00:00:00Z"}, "/closes_at"),
        ({"size": 3}, "/size"),
    ],
)
async def test_what_is_wrong_about_a_change_is_named(
    house: "House", changes: dict[str, Any], pointer: str
) -> None:
    faults = (await change(house, 422, **changes))["errors"]
    assert [fault["pointer"] for fault in faults] == [pointer]


async def test_seats_are_kept_for_partners_of_the_mission_alone(house: "House") -> None:
    faults = (await put(house, uuid4(), 1, status=422))["errors"]
    assert [fault["pointer"] for fault in faults] == ["/partner_id"]
    assert (await put(house, house.partner, 3, status=409))["code"] == "too_few_places"


async def test_staff_reads_places_and_only_mission_staff_changes_them(house: "House") -> None:
    await put(house, house.partner, 1)
    path = f"/api/v1/programme-items/{house.items['talks']}"
    partner = house.someone("partner_staff", partner_id=house.partner)

    places = (await house.get(f"{path}/places", partner)).json()

    assert (places["free"], places["reserved"], places["allotments"][0]["seats"]) == (1, 1, 1)
    refused = await house.client.patch(path, json={"capacity": 9}, headers=house.headers(partner))
    assert refused.status_code == 403
    assert (await house.get(f"{path}/places", house.someone("local"))).status_code == 403


async def test_who_changed_the_places_is_noted(house: "House") -> None:
    await change(house, capacity=5)
    (entry,) = await house.rows(
        "SELECT actor_id, details FROM audit_entry WHERE action = 'programme_item.places'"
    )
    assert entry["actor_id"] == house.boss.subject
    assert entry["details"]["capacity"] == 5
