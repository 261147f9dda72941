"""Offers that expire and cascade, approvals that are held for a time, reinstatement."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from services.registration.commands.calling_up import expire

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

Crowd = dict[str, dict[str, Any]]
HOUR = 3600


@pytest.fixture
async def offering(house: "House", crowd: Crowd) -> Crowd:
    """The item offers its places for an hour, and is far in the future."""
    await terms(house, offer_seconds=HOUR)
    await house.rows(
        "UPDATE programme_item SET starts_at = now() + interval '9 days', "
        "ends_at = now() + interval '10 days'"
    )
    return crowd


async def terms(house: "House", item: str = "talks", **changes: Any) -> None:
    answer = await house.client.patch(
        f"/api/v1/programme-items/{house.items[item]}",
        json=changes,
        headers=house.headers(house.boss),
    )
    assert answer.status_code == 200, answer.text


async def test_a_free_place_is_offered_to_who_waits_longest(
    house: "House", offering: Crowd
) -> None:
    await house.decide(offering["ana"]["id"], "cancel")

    assert (await house.statuses())["chen"] == "offered"
    assert await house.places() == (2, 1)
    assert (await house.told(offering["chen"]["participant_id"]))[-1] == "participant.offered"


async def test_an_offer_is_taken_by_the_person(house: "House", offering: Crowd) -> None:
    await house.decide(offering["ana"]["id"], "cancel")
    path = f"/api/v1/registrations/{offering['chen']['id']}/accept"

    stranger = await house.post(path, None, house.person(offering["dai"]))
    answer = await house.post(path, None, house.person(offering["chen"]))
    again = await house.post(path, None, house.person(offering["chen"]))

    assert (stranger.status_code, answer.status_code, again.status_code) == (403, 200, 409)
    assert (await house.statuses())["chen"] == "confirmed"
    assert await expire(house.database, datetime.now(UTC) + timedelta(hours=2)) == 0


async def test_an_offer_that_expires_goes_to_the_next(house: "House", offering: Crowd) -> None:
    await house.decide(offering["ana"]["id"], "cancel")
    later = datetime.now(UTC) + timedelta(hours=1, minutes=1)

    assert await expire(house.database, later) == 1
    assert await expire(house.database, later) == 0

    statuses = await house.statuses()
    assert (statuses["chen"], statuses["dai"]) == ("offer_expired", "offered")
    assert await house.places() == (2, 0)
    assert (await house.told(offering["chen"]["participant_id"]))[-1] == "participant.lapsed"


async def test_an_offer_cannot_be_taken_when_its_time_is_up(
    house: "House", offering: Crowd
) -> None:
    await house.decide(offering["ana"]["id"], "cancel")
    await house.rows("UPDATE registration SET hold_until = now() WHERE status = 'offered'")

    answer = await house.post(
        f"/api/v1/registrations/{offering['chen']['id']}/accept",
        None,
        house.person(offering["chen"]),
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "offer_expired")


async def test_who_declines_makes_room_for_the_next(house: "House", offering: Crowd) -> None:
    await house.decide(offering["ana"]["id"], "cancel")
    await house.decide(offering["chen"]["id"], "cancel")
    assert (await house.statuses())["dai"] == "offered"


async def test_nothing_is_offered_once_the_item_began(house: "House", offering: Crowd) -> None:
    await house.rows("UPDATE programme_item SET starts_at = now() - interval '1 minute'")
    await house.decide(offering["ana"]["id"], "cancel")

    assert (await house.statuses())["chen"] == "waitlisted"
    assert await house.places() == (1, 2)


async def test_who_let_an_offer_pass_may_stand_in_line_again(
    house: "House", offering: Crowd
) -> None:
    await house.decide(offering["ana"]["id"], "cancel")
    await expire(house.database, datetime.now(UTC) + timedelta(hours=2))

    again = await house.register("chen")

    assert (again.status_code, again.json()["status"]) == (201, "waitlisted")
    assert again.json()["id"] == offering["chen"]["id"]


async def test_a_place_that_waits_too_long_for_approval_is_given_up(house: "House") -> None:
    await terms(house, "dinner", hold_seconds=HOUR)
    first, _, third = [await house.registered(name, "dinner") for name in ("a", "b", "c")]
    await house.decide(first["id"], "approve")

    assert await expire(house.database, datetime.now(UTC) + timedelta(hours=2)) == 1

    assert await house.statuses("dinner") == {
        "a": "confirmed",
        "b": "cancelled",
        "c": "pending_approval",
    }
    assert (await house.told(third["participant_id"]))[-1] == "participant.pending"


async def test_a_rejection_can_be_taken_back_at_the_end_of_the_line(
    house: "House", crowd: Crowd
) -> None:
    await house.decide(crowd["chen"]["id"], "reject")
    await house.decide(crowd["chen"]["id"], "reinstate")

    assert list(await house.statuses()) == ["ana", "bo", "dai", "chen"]
    assert (await house.statuses())["chen"] == "waitlisted"
    assert await house.places() == (2, 2)


async def test_who_is_reinstated_has_a_place_when_nobody_waits(house: "House") -> None:
    ana = await house.registered("ana")
    await house.decide(ana["id"], "cancel")
    assert (await house.decide(ana["id"], "reinstate"))["status"] == "confirmed"
    assert await house.places() == (1, 0)
