"""Groups that come together or not at all, and lists whose rows are judged one by one."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.services.registration.conftest import House


def group(house: "House", *names: str, **changes: Any) -> dict[str, Any]:
    body = house.sign_up(names[0], **changes)
    del body["person"]
    return body | {"people": [house.sign_up(name)["person"] for name in names]}


async def send_group(house: "House", *names: str, key: str = "", **changes: Any) -> Any:
    path = f"/api/v1/programme-items/{house.items['talks']}/groups"
    return await house.post(path, group(house, *names, **changes), key=key or "-".join(names))


async def send_list(
    house: "House", rows: list[Any], key: str = "k", who: Any = None, item: str = "talks"
) -> Any:
    path = f"/api/v1/programme-items/{house.items[item]}/registrations/bulk"
    return await house.post(path, {"registrations": rows}, who or house.boss, key=key)


async def test_a_group_has_a_place_each(house: "House") -> None:
    answer = await send_group(house, "ana", "bo")

    assert answer.status_code == 201
    assert [one["status"] for one in answer.json()["registrations"]] == ["confirmed"] * 2
    assert len(await house.rows("SELECT FROM organization")) == 1
    assert await house.places() == (2, 0)


async def test_a_group_without_enough_places_waits_together(house: "House") -> None:
    await house.registered("eve")
    answer = await send_group(house, "ana", "bo")

    assert [one["status"] for one in answer.json()["registrations"]] == ["waitlisted"] * 2
    assert answer.json()["position"] == 1
    # A smaller party must not pass the larger one.
    assert (await house.registered("fay"))["status"] == "waitlisted"
    assert await house.places() == (1, 3)


async def test_a_group_is_called_up_when_there_is_room_for_all(house: "House") -> None:
    eve = await house.registered("eve")
    await send_group(house, "ana", "bo")
    await house.decide(eve["id"], "cancel")

    assert await house.statuses() == {"eve": "cancelled", "ana": "confirmed", "bo": "confirmed"}
    assert await house.places() == (2, 0)


async def test_a_group_with_somebody_wrong_leaves_nothing_behind(house: "House") -> None:
    await house.registered("bo")
    for names, pointer in ((("ana", "bo"), "/people/1/person/email"),):
        answer = await send_group(house, *names)
        assert answer.status_code == 422
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    twice = await send_group(house, "cy", "cy")
    assert twice.status_code == 422
    assert await house.statuses() == {"bo": "confirmed"}
    assert len(await house.rows("SELECT FROM person")) == 1


async def test_a_group_that_is_sent_again_is_one_group(house: "House") -> None:
    first = await send_group(house, "ana", "bo", key="g")
    second = await send_group(house, "ana", "bo", key="g")

    assert second.json() == first.json()
    assert second.headers["idempotent-replayed"] == "true"
    assert await house.places() == (2, 0)


async def test_each_row_of_a_list_has_its_own_result(house: "House") -> None:
    await house.registered("known")
    rows = [
        house.sign_up("ana", source="import"),
        house.sign_up("bad", source="import", person={"email": "bad@"}),
        house.sign_up("known", source="import"),
        house.sign_up("tea", source="import", organization={"sectors": ["tea"]}),
        {"nonsense": 1},
        house.sign_up("bo", source="import"),
    ]
    answer = await send_list(house, rows)

    assert answer.status_code == 200
    results = answer.json()["results"]
    assert [row["status_code"] for row in results] == [201, 422, 200, 422, 422, 201]
    assert results[1]["errors"][0]["pointer"] == "/person/email"
    assert results[3]["errors"][0]["pointer"] == "/organization/sectors/0"
    assert [results[0]["status"], results[5]["status"]] == ["confirmed", "waitlisted"]
    assert await house.places() == (2, 1)


async def test_a_list_that_is_sent_again_takes_effect_once(house: "House") -> None:
    rows = [house.sign_up(name, source="import") for name in ("ana", "bo", "cy")]
    first = await send_list(house, rows)
    second = await send_list(house, rows)
    other = await send_list(house, rows[:2])

    assert second.json() == first.json()
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert await house.places() == (2, 1)


async def test_one_person_twice_in_a_list_is_registered_once(house: "House") -> None:
    row = house.sign_up("ana", source="import")
    results = (await send_list(house, [row, row])).json()["results"]

    assert [one["status_code"] for one in results] == [201, 200]
    assert results[0]["id"] == results[1]["id"]


async def test_a_list_is_for_those_who_may_bring_these_people(house: "House") -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    own = house.sign_up("ana", source="partner_api", partner_id=str(house.partner))
    stray = house.sign_up("bo", source="partner_api")

    assert (await send_list(house, [own], "a", partner)).status_code == 200
    assert (await send_list(house, [own, stray], "b", partner)).status_code == 403
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations/bulk"
    assert (await house.post(path, {"registrations": [own]}, key="c")).status_code == 401
    assert await house.statuses() == {"ana": "confirmed"}


async def test_a_list_beyond_its_length_or_without_a_key_is_refused(house: "House") -> None:
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations/bulk"
    rows = [house.sign_up("ana", source="import")]
    for body, key, status in (
        ({"registrations": rows * 501}, "k", 422),
        ({"registrations": []}, "k", 422),
        ({"rows": rows}, "k", 422),
        ({"registrations": rows}, "", 400),
    ):
        assert (await house.post(path, body, house.boss, key=key)).status_code == status
    assert await house.places() == (0, 0)
