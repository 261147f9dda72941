from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.services.registration.conftest import House


async def test_a_second_check_in_changes_nothing(house: "House") -> None:
    ana = await house.registered("ana")
    door, path = house.someone("door_staff"), f"/api/v1/registrations/{ana['id']}/check-in"

    first = await house.post(path, None, door)
    again = await house.post(path, None, door)

    assert first.status_code == 200
    assert first.json()["checked_in_at"] is not None
    assert again.json() == first.json()
    assert await house.told(ana["participant_id"]) == [
        "participant.confirmed",
        "participant.checked_in",
    ]


async def test_two_doors_check_one_person_in_once(house: "House") -> None:
    ana = await house.registered("ana")
    path = f"/api/v1/registrations/{ana['id']}/check-in"

    statuses = await house.meeting(*(house.post(path, None, house.boss) for _ in range(3)))

    assert statuses == [200] * 3
    assert (await house.told(ana["participant_id"])).count("participant.checked_in") == 1


async def test_who_has_no_confirmed_place_cannot_be_checked_in(house: "House") -> None:
    pending = await house.registered("ana", "dinner")
    cancelled = await house.registered("bo")
    await house.decide(cancelled["id"], "cancel")

    for registration in (pending, cancelled):
        answer = await house.post(
            f"/api/v1/registrations/{registration['id']}/check-in", None, house.boss
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "not_confirmed")
    assert await house.rows("SELECT FROM registration WHERE checked_in_at IS NOT NULL") == []
