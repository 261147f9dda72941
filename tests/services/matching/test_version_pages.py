"""The pages of a version: differences, edits by form, publishing what was seen, and its quality."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import httpx2
import pytest

from services.matching.pages.quality import percent
from shared.access import Principal, Role
from tests.services.matching.browsing import headers, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration


async def page(
    house: "House",
    schedule: UUID,
    part: str = "",
    *,
    who: Principal | None = None,
    language: str = "en",
    status: int = 200,
) -> str:
    address = f"/stops/{house.stop}/board/schedules/{schedule}{part}"
    answer = await house.client.get(address, headers=headers(house, who or house.boss, language))
    assert answer.status_code == status, answer.text
    return answer.text


async def send(
    house: "House",
    schedule: UUID,
    part: str,
    form: Mapping[str, object],
    who: Principal | None = None,
) -> httpx2.Response:
    address = f"/stops/{house.stop}/board/schedules/{schedule}/{part}"
    given = {name: str(value) for name, value in form.items()}
    return await house.client.post(
        address, data=given, headers=headers(house, who or house.boss, "en")
    )


def pair(house: "House", names: str) -> dict[str, UUID]:
    delegate, local = names.split()
    return {"delegate": house.people[delegate], "local": house.people[local]}


def asking(house: "House", names: str) -> str:
    return "?" + "&".join(f"{name}={value}" for name, value in pair(house, names).items())


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "1 new · 1 moved · 2 cancelled"), ("zh", "新增 1 · 改期 1 · 取消 2")],
)
async def test_the_page_says_what_changes_for_whom_in_both_languages(
    house: "House", registration: "Registration", language: str, said: str
) -> None:
    registration.people |= {house.people["dave"]: "Name of dave"}
    await house.day()
    schedule = await house.proposed(house.entry("dave luo", 3, "T2"), house.entry("dave liu", 4))
    text = await page(house, schedule, language=language)

    assert said in words(text)
    assert "Name of dave" in text
    # The stop's clock, before and after.
    assert "10:00" in words(text)
    assert "11:05" in words(text)


async def test_a_meeting_is_found_moved_and_taken_out_by_forms(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    text = await page(house, schedule, asking(house, "dave luo"))
    (spot, *_) = re.findall(r'<option value="(\{[^"]*starts_at[^"]*)"', text)
    form = pair(house, "dave luo") | {"kind": "move", "spot": spot.replace("&#34;", '"')}
    answer = await send(house, schedule, "edit", {"revision": 1, **form})

    assert answer.status_code == 303, answer.text
    (entry,) = (await house.get(f"/schedules/{schedule}"))["entries"]
    assert (entry["point"], entry["locked"]) == ("T1", True)
    taken_out = pair(house, "dave luo") | {"kind": "remove"}
    assert (await send(house, schedule, "edit", {"revision": 2, **taken_out})).status_code == 303
    assert (await house.get(f"/schedules/{schedule}"))["entries"] == []


async def test_a_refused_edit_says_why_on_the_page(house: "House") -> None:
    schedule = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    spot = f'{{"starts_at": "{house.slot(1).isoformat()}", "point_id": "{house.points["T1"]}"}}'
    form = pair(house, "dave luo") | {"kind": "add", "spot": spot}
    answer = await send(house, schedule, "edit", {"revision": 1, **form})

    assert answer.status_code == 409
    assert "T1 is taken then by Sample Dora Co. – Sample Lin Co." in words(answer.text)
    stale = await send(house, schedule, "edit", {"revision": 7, **form})
    assert stale.status_code == 412
    assert "a moment ago" in words(stale.text)
    broken = await send(house, schedule, "edit", {"revision": 1, **form, "spot": "{}"})
    assert broken.status_code == 422


async def test_what_was_seen_is_published_and_nothing_else(house: "House") -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    assert (await send(house, schedule, "review", {"revision": 1})).status_code == 303
    assert "Looked through" in words(await page(house, schedule))
    lock = {"revision": 1, "kind": "lock", **pair(house, "dave luo")}
    await send(house, schedule, "edit", lock)
    assert "Not looked through" in words(await page(house, schedule))

    seen_before = await send(house, schedule, "publish-reviewed", {"revision": 1})
    assert seen_before.status_code == 412
    assert "a moment ago" in words(seen_before.text)
    assert (await house.get(f"/schedules/{schedule}"))["state"] == "provisional"
    published = await send(house, schedule, "publish-reviewed", {"revision": 2})
    assert (published.status_code, published.headers["Location"]) == (
        303,
        f"/stops/{house.stop}/board",
    )
    assert "not edited any more" in words(await page(house, schedule))


@pytest.mark.parametrize("part", ["edit", "publish-reviewed"])
async def test_a_version_that_was_overtaken_says_so_in_chinese(house: "House", part: str) -> None:
    schedule = await house.proposed(house.entry("dave luo", 1, "T2"))
    await house.rows("UPDATE schedule SET state = 'superseded', number = 1")
    form = {"revision": "1", "kind": "lock"}
    form |= {name: str(value) for name, value in pair(house, "dave luo").items()}
    address = f"/stops/{house.stop}/board/schedules/{schedule}/{part}"
    answer = await house.client.post(address, data=form, headers=headers(house, house.boss, "zh"))
    assert answer.status_code == 409
    assert "该版本已被其他版本取代" in answer.text
    assert "is not edited" not in answer.text


async def test_a_version_that_does_not_fit_shows_the_meetings_in_the_way(house: "House") -> None:
    await house.day()
    schedule = await house.proposed(house.entry("dora lin", 2, "T1", "ivy"))
    await house.order(await house.meeting("dora lin"), "start", 1)
    refused = await send(house, schedule, "publish-reviewed", {"revision": 1})

    assert refused.status_code == 409
    assert "Sample Dora Co. – Sample Lin Co. (10:25, T1): it was moved or begun" in refused.text
    panel = await page(house, schedule, asking(house, "dora lin"))
    assert "Take it as it is now" in panel
    chinese = await page(house, schedule, language="zh")
    assert "示例dora公司与示例lin公司（10:25, T1）：该洽谈已被改期或已开始。" in chinese


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Every must-meet and every guarantee is kept. Some people have no meeting."),
        ("zh", "必见洽谈与保证场次均已满足，但有人没有洽谈。"),
    ],
)
async def test_quality_is_explained_on_one_page(house: "House", language: str, said: str) -> None:
    schedule = await house.proposed(house.entry("dora lin", 1, "T1", "ivy"))
    text = words(await page(house, schedule, "/quality", language=language))

    assert said in text
    assert "100 %" not in text, "nothing is stated"


async def test_an_unmet_must_meet_is_named_with_its_reason(house: "House") -> None:
    wish = {
        "stop_id": str(house.stop),
        "participant_id": str(house.people["dave"]),
        "counterpart_id": str(house.people["luo"]),
        "kind": "must_meet",
    }
    assert (await house.ask("PUT", "/api/v1/preferences", body=wish)).status_code == 200
    schedule = await house.proposed(
        house.entry("dave luo", 1, "T1"), house.entry("dora lin", 2, "T1", "ivy")
    )
    body = {"delegate_id": wish["participant_id"], "local_id": wish["counterpart_id"]}
    path = f"/api/v1/schedules/{schedule}/remove"
    assert (await house.ask("POST", path, body=body, If_Match='"1"')).status_code == 200
    text = words(await page(house, schedule, "/quality"))

    assert "Not every must-meet is in it" in text
    assert "Sample Dave Co. → Sample Luo Co." in text
    assert "Staff took this meeting out by hand." in text
    found = await house.get(f"/schedules/{schedule}/quality")
    assert found["wishes"][0] == {"kind": "must_meet", "stated": 1, "met": 0}
    assert found["value"]["is_edited"] is True


@pytest.mark.parametrize("part", ["", "/quality"])
async def test_others_than_mission_staff_see_neither_page(house: "House", part: str) -> None:
    schedule = await house.proposed(house.entry("dave luo", 1))
    roles: list[Role] = ["partner_staff", "door_staff", "delegate", "local", "screen"]
    for role in roles:
        stranger = house.someone(role, partner_id=house.partner)
        await page(house, schedule, part, who=stranger, status=403)
    elsewhere = house.someone("mission_staff", mission_id=uuid4())
    await page(house, schedule, part, who=elsewhere, status=403)
    forms: list[tuple[str, Mapping[str, object]]] = [
        ("review", {"revision": 1}),
        ("publish-reviewed", {"revision": 1}),
        ("edit", {"revision": 1, "kind": "lock", **pair(house, "dave luo")}),
    ]
    for path, form in forms:
        door = house.someone("door_staff")
        assert (await send(house, schedule, path, form, door)).status_code == 403


@pytest.mark.parametrize(
    ("part", "whole", "written"),
    [
        (0, 0, "–"),
        (0, 7, "0 %"),
        (7, 7, "100 %"),
        (1, 3, "33 %"),
        (4999, 5000, "99.9 %"),
        (1, 500, "0.2 %"),
    ],
)
def test_a_part_is_never_written_as_all_or_nothing(part: int, whole: int, written: str) -> None:
    assert percent(part, whole) == written
