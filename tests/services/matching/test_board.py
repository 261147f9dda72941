import re
from typing import TYPE_CHECKING
from uuid import UUID

import httpx2
import pytest

from shared.access import Principal
from tests.services.matching.browsing import headers

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration


async def page(
    house: "House", who: Principal, *, part: str = "", language: str = "en", status: int = 200
) -> str:
    address = f"/stops/{house.stop}/board{part}"
    answer = await house.client.get(address, headers=headers(house, who, language))
    assert answer.status_code == status, answer.text
    return answer.text


async def send(house: "House", who: Principal, path: str, **more: str) -> httpx2.Response:
    address = f"/stops/{house.stop}/board/{path}"
    return await house.client.post(address, headers=headers(house, who) | more)


def words(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


@pytest.fixture
def known(house: "House", registration: "Registration") -> None:
    """Registration knows everybody's name."""
    everybody: dict[str, UUID] = house.people | house.helpers
    registration.people |= {one: f"Name of {name}" for name, one in everybody.items()}


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    ("language", "said", "company"),
    [("en", "Make a new schedule", "Sample Lin Co."), ("zh", "重新编排", "示例lin公司")],
)
async def test_the_board_speaks_both_languages(
    house: "House", language: str, said: str, company: str
) -> None:
    await house.day()
    for part in ("", "/content"):
        text = words(await page(house, house.boss, part=part, language=language))
        assert said in text
        assert company in text
        assert "Name of dora" in text
        # The stop's clock, not the server's.
        assert "10:00" in text
        assert "02:00" not in text


@pytest.mark.usefixtures("known")
async def test_each_meeting_is_where_its_slot_and_its_point_cross(house: "House") -> None:
    await house.day()
    await house.order(await house.meeting("dora lin"), "delay", 1, {"minutes": 7})
    await house.order(await house.meeting("dave luo"), "cancel", 1)
    text = await page(house, house.boss)

    assert text.count("data-meeting=") == 2
    cell = text[text.index(f'data-meeting="{await house.meeting("dora lin")}"') :]
    cell = cell[: cell.index("</button>")]
    assert 'data-revision="2"' in cell
    assert 'data-point="T1"' in cell
    assert "10:00–10:25" in cell
    assert "Name of ivy" in words(cell)
    assert "7" in words(cell)


async def test_a_stop_without_sessions_says_so(bare: "House") -> None:
    await bare.hear((bare.stop_planned(), 1))

    assert "No meeting session" in words(await page(bare, bare.boss))


@pytest.mark.usefixtures("known")
async def test_door_staff_runs_the_day_and_publishes_nothing(house: "House") -> None:
    await house.day()
    schedule_id = await house.proposed()
    door = house.someone("door_staff")
    text = await page(house, door)

    assert 'data-command="call"' in text
    assert "/board/schedules" not in text
    assert "Name of lin" in text
    for path in ("schedules", f"schedules/{schedule_id}/publish"):
        assert (await send(house, door, path)).status_code == 403
    assert (await house.get(f"/schedules/{schedule_id}"))["state"] == "provisional"


@pytest.mark.usefixtures("known")
async def test_a_partner_reads_the_names_of_its_own_people_alone(house: "House") -> None:
    await house.day()
    await house.rows("UPDATE stop SET hosts = ARRAY[$1::uuid]", house.partner)
    text = await page(house, house.someone("partner_staff", partner_id=house.partner))

    assert "Name of liu" in text
    assert not {n for n in ("dora", "lin", "dave", "luo", "ivy") if f"Name of {n}" in text}
    assert "Sample Lin Co." in text
    assert 'data-command="call"' not in text


@pytest.mark.usefixtures("known")
async def test_a_partner_that_is_no_host_sees_the_meetings_of_its_own_people_alone(
    house: "House",
) -> None:
    await house.day()
    partner = house.someone("partner_staff", partner_id=house.partner)
    meetings = (await house.get(f"/meetings?stop_id={house.stop}"))["items"]
    liu = str(house.people["liu"])
    own = {
        meeting["meeting_id"]
        for meeting in meetings
        if liu in {party["participant_id"] for party in meeting["parties"]}
    }
    others = {meeting["meeting_id"] for meeting in meetings} - own
    assert own
    assert others

    text = await page(house, partner)
    assert "Name of liu" in text
    assert "Sample Lin Co." not in text
    seen = (await house.get(f"/meetings?stop_id={house.stop}", partner))["items"]
    assert {meeting["meeting_id"] for meeting in seen} == own
    for meeting in others:
        assert (await house.ask("GET", f"/api/v1/meetings/{meeting}", partner)).status_code == 404
    for meeting in own:
        assert (await house.ask("GET", f"/api/v1/meetings/{meeting}", partner)).status_code == 200


@pytest.mark.parametrize("role", ["screen", "delegate", "local", "interpreter"])
@pytest.mark.parametrize("part", ["", "/content"])
async def test_others_do_not_see_the_board(house: "House", role: str, part: str) -> None:
    await page(house, house.someone(role), part=part, status=403)  # type: ignore[arg-type]  # these are roles


@pytest.mark.usefixtures("known")
async def test_without_registration_the_board_shows_companies_alone(
    house: "House", registration: "Registration"
) -> None:
    registration.is_away = True
    await house.day()
    text = await page(house, house.boss)

    assert "Sample Lin Co." in text
    assert "Name of" not in text


async def test_a_schedule_is_asked_for_and_published_from_the_board(house: "House") -> None:
    asked = await send(house, house.boss, "schedules")
    assert (asked.status_code, asked.headers["Location"]) == (303, f"/stops/{house.stop}/board")
    assert "being made" in await page(house, house.boss)

    schedule_id = await house.proposed(house.entry("dave luo", 1))
    await house.rows("DELETE FROM schedule WHERE id <> $1", schedule_id)
    assert f"/board/schedules/{schedule_id}/publish" in await page(house, house.boss)
    published = await send(house, house.boss, f"schedules/{schedule_id}/publish")
    assert published.status_code == 303
    assert "Version 1 in force" in words(await page(house, house.boss))


async def test_a_stale_schedule_is_refused_with_a_page(house: "House") -> None:
    await house.day()
    schedule_id = await house.proposed(house.entry("dora lin", 2, "T1", "ivy"))
    await house.order(await house.meeting("dora lin"), "start", 1)
    answer = await send(house, house.boss, f"schedules/{schedule_id}/publish")

    assert answer.status_code == 409
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_another_site_cannot_publish_with_the_staffs_cookie(house: "House") -> None:
    schedule_id = await house.proposed(house.entry("dave luo", 1))
    path = f"schedules/{schedule_id}/publish"
    answer = await send(house, house.boss, path, Origin="http://elsewhere.example.com")

    assert answer.status_code == 403
    assert await house.told() == []


async def test_who_may_print_plans_of_the_day_is_led_there_from_the_board(house: "House") -> None:
    plans = f'href="/desk/stops/{house.stop}/day-plans"'

    assert plans in await page(house, house.boss)
    assert plans not in await page(house, house.someone("door_staff"))
    partner = house.someone("partner_staff", partner_id=house.partner)
    assert plans not in await page(house, partner)
    await house.rows("UPDATE stop SET hosts = ARRAY[$1::uuid]", house.partner)
    assert plans in await page(house, partner)
