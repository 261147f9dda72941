import json
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx2
import pytest

if TYPE_CHECKING:
    from tests.services.registration.conftest import House, Lines


def pointers(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 422, answer.text
    return [fault["pointer"] for fault in answer.json()["errors"]]


async def test_a_mission_is_read_as_it_was_planned(house: "House") -> None:
    mission = (await house.get(f"/api/v1/missions/{house.mission}")).json()

    assert (mission["slug"], mission["title"]["zh"]) == ("sample", "示例代表团")
    (stop,) = mission["stops"]
    assert (stop["id"], stop["date"], stop["timezone"]) == (
        str(house.stop),
        "2023-11-07",
        "Asia/Shanghai",
    )
    assert [(role["role"], role["name"]["en"]) for role in stop["roles"]] == [
        ("lead", "Sample Bureau")
    ]
    assert [(item["slug"], item["starts_at"], item["capacity"]) for item in stop["programme"]] == [
        ("talks", "2023-11-07T02:15:00Z", 2),
        ("dinner", "2023-11-07T10:00:00Z", 2),
    ]


async def test_partners_are_named_in_the_order_given(house: "House", lines: "Lines") -> None:
    names = [{"en": f"Sample {letter}", "zh": f"示例{letter}"} for letter in "CAB"]
    path = f"/missions/{house.mission}/partners"
    partners = [await house.made(path, {"name": name, "kind": "company"}) for name in names]
    roles = [{"partner_id": str(partner), "role": "supporter"} for partner in partners]
    stop = await house.made(f"/missions/{house.mission}/stops", lines.stop | {"roles": roles})

    mission = (await house.get(f"/api/v1/missions/{house.mission}")).json()
    (found,) = [s for s in mission["stops"] if s["id"] == str(stop)]
    assert [role["name"] for role in found["roles"]] == names


async def test_a_slug_is_taken_once(house: "House", lines: "Lines") -> None:
    missions, stops = "/api/v1/missions", f"/api/v1/missions/{house.mission}/stops"
    items = f"/api/v1/stops/{house.stop}/programme-items"
    for path, body, slug in (
        (missions, lines.mission, "sample"),
        (stops, lines.stop, "guangzhou"),
        (items, lines.item, "talks"),
    ):
        answer = await house.post(path, body | {"slug": slug}, house.boss)
        assert (answer.status_code, answer.json()["code"]) == (409, "slug_taken")


async def test_a_slug_finds_its_mission_however_many_there_are(house: "House") -> None:
    for slug, found in (("sample", [str(house.mission)]), ("none", [])):
        answer = await house.get(f"/api/v1/missions?slug={slug}")
        assert [mission["id"] for mission in answer.json()["items"]] == found


async def test_a_rehearsal_is_listed_for_staff_alone(house: "House", lines: "Lines") -> None:
    await house.made("/missions", lines.mission | {"is_rehearsal": True})

    shown = {
        who.role if who else "": len((await house.get("/api/v1/missions", who)).json()["items"])
        for who in (None, house.someone("local"), house.someone("mission_staff"))
    }
    assert shown == {"": 1, "local": 1, "mission_staff": 2}


@pytest.mark.parametrize("day", ["2023-11-05", "2023-11-12"])
async def test_a_stop_lies_within_its_mission(house: "House", lines: "Lines", day: str) -> None:
    path = f"/api/v1/missions/{house.mission}/stops"
    answer = await house.post(path, lines.stop | {"date": day}, house.boss)
    assert pointers(answer) == ["/date"]


async def test_partners_and_stops_of_others_are_named(house: "House", lines: "Lines") -> None:
    second = await house.made("/missions", lines.mission)
    stop = lines.stop | {"roles": [{"partner_id": str(house.partner), "role": "lead"}]}
    answer = await house.post(f"/api/v1/missions/{second}/stops", stop, house.boss)
    assert pointers(answer) == ["/roles/0/partner_id"]

    staff = {
        "role": "partner_staff",
        "full_name": "Sample Partner",
        "email": "partner@example.com",
        "language": "en",
        "stop_ids": [],
        "partner_id": str(house.partner),
    }
    path = f"/api/v1/missions/{second}/staff"
    assert pointers(await house.post(path, staff, house.boss)) == ["/partner_id"]
    door = staff | {"role": "door_staff", "partner_id": None, "stop_ids": [str(house.stop)]}
    assert pointers(await house.post(path, door, house.boss)) == ["/stop_ids/0"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"timezone": "Asia/Atlantis"}, "/timezone"),
        ({"date": "0001-01-01"}, "/date"),
        ({"city": {"en": "", "zh": "南京"}}, "/city/en"),
        ({"slug": "Nan Jing"}, "/slug"),
        ({"roles": [{"partner_id": str(uuid4()), "role": "boss"}]}, "/roles/0/role"),
    ],
)
async def test_what_is_wrong_with_a_stop_is_named(
    house: "House", lines: "Lines", change: dict[str, object], pointer: str
) -> None:
    path = f"/api/v1/missions/{house.mission}/stops"
    assert pointers(await house.post(path, lines.stop | change, house.boss)) == [pointer]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"ends_at": "2023-11-07T02:15:00Z"}, ""),
        ({"starts_at": "2023-11-07T02:15:00"}, "/starts_at"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "/starts_at"),
        ({"ends_at": "9999-12-31T23:59:59-12:00"}, "/ends_at"),
        ({"capacity": -1}, "/capacity"),
        ({"kind": "party"}, "/kind"),
    ],
)
async def test_what_is_wrong_with_an_item_is_named(
    house: "House", lines: "Lines", change: dict[str, object], pointer: str
) -> None:
    path = f"/api/v1/stops/{house.stop}/programme-items"
    assert pointers(await house.post(path, lines.item | change, house.boss)) == [pointer]


async def test_staff_is_engaged_once_and_listed(house: "House") -> None:
    interpreter = {
        "role": "interpreter",
        "full_name": "Sample Wang",
        "native_name": "王示例",
        "email": "wang@example.com",
        "language": "zh",
        "languages": ["en", "zh"],
        "stop_ids": [str(house.stop)],
    }
    path = f"/api/v1/missions/{house.mission}/staff"
    answer = await house.post(path, interpreter, house.boss)
    again = await house.post(path, interpreter, house.boss)

    assert answer.json()["sign_in_path"].startswith("/sign-in?token=")
    assert (again.status_code, again.json()["code"]) == (409, "email_in_use")
    (listed,) = (await house.get(path, house.boss)).json()["items"]
    assert (listed["id"], listed["languages"], listed["stop_ids"]) == (
        answer.json()["id"],
        ["en", "zh"],
        [str(house.stop)],
    )
    assert "email" not in listed
    mute = interpreter | {"email": "mute@example.com", "languages": ["zh", "zh"]}
    assert pointers(await house.post(path, mute, house.boss)) == [""]


async def test_it_is_told_for_which_partner_staff_works(house: "House") -> None:
    staff = {
        "role": "partner_staff",
        "full_name": "Sample Bo",
        "email": "bo@example.com",
        "language": "en",
        "stop_ids": [str(house.stop)],
        "partner_id": str(house.partner),
    }
    answer = await house.post(f"/api/v1/missions/{house.mission}/staff", staff, house.boss)

    (row,) = await house.rows(
        "SELECT payload FROM outbox WHERE key = $1", UUID(answer.json()["id"])
    )
    assert json.loads(row["payload"])["partner_id"] == str(house.partner)


async def test_numbers_count_people_once_and_places_by_item(house: "House") -> None:
    ana = await house.registered("ana")
    await house.register("ana", "dinner")
    for name in ("bo", "chen"):
        await house.registered(name)
    await house.post(f"/api/v1/registrations/{ana['id']}/check-in", None, house.boss)

    numbers = (await house.get(f"/api/v1/stops/{house.stop}/numbers", house.boss)).json()

    assert {name: numbers[name] for name in numbers if name != "items"} == {
        "registered": 2,
        "waitlisted": 1,
        "pending": 1,
        "checked_in": 1,
    }
    counts = ("slug", "taken", "waiting", "confirmed", "pending", "checked_in")
    assert [tuple(item[name] for name in counts) for item in numbers["items"]] == [
        ("talks", 2, 1, 2, 0, 1),
        ("dinner", 1, 0, 0, 1, 0),
    ]


async def test_what_is_not_there_is_not_found(house: "House", lines: "Lines") -> None:
    gone = UUID(int=7)
    answers = [
        await house.get(f"/api/v1/missions/{gone}"),
        await house.get(f"/api/v1/stops/{gone}/numbers", house.boss),
        await house.get(f"/api/v1/stops/{gone}/registrations", house.boss),
        await house.post(f"/api/v1/missions/{gone}/stops", lines.stop, house.boss),
        await house.post(f"/api/v1/stops/{gone}/programme-items", lines.item, house.boss),
        await house.post(f"/api/v1/registrations/{gone}/cancel", None, house.boss),
    ]
    assert [answer.status_code for answer in answers] == [404] * 6
    assert {answer.json()["code"] for answer in answers} == {"not_found"}
