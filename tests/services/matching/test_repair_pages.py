"""The pages of repairs: what staff reports, sees and decides, with a phone in one hand."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import pytest

from shared.access import Principal
from tests.services.matching.browsing import headers, words

if TYPE_CHECKING:
    from tests.services.matching.conftest import House, Registration

AHEAD = datetime(2030, 11, 7, 2, 0, tzinfo=UTC) - datetime(2023, 11, 7, 2, 0, tzinfo=UTC)


class Browser:
    """Somebody who looks at a stop's repairs."""

    def __init__(self, house: "House", who: Principal, language: str = "en") -> None:
        self.house = house
        self.headers = headers(house, who, language)

    async def get(self, address: str = "", status: int = 200) -> str:
        answer = await self.house.client.get(
            f"/stops/{self.house.stop}/repairs{address}", headers=self.headers
        )
        assert answer.status_code == status, answer.text
        return answer.text

    async def send(self, address: str = "", **fields: Any) -> httpx2.Response:
        return await self.house.client.post(
            f"/stops/{self.house.stop}/repairs{address}", data=fields, headers=self.headers
        )

    async def report(self, **fields: Any) -> str:
        """Report something, and give the address of the repair below the page's own."""
        answer = await self.send(**fields)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"].removeprefix(f"/stops/{self.house.stop}/repairs")


@pytest.fixture
async def day(house: "House", registration: "Registration") -> "House":
    """A stop whose meetings are still to come, where registration knows everybody's name."""
    everybody: dict[str, UUID] = house.people | house.helpers
    registration.people |= {one: f"Name of {name}" for name, one in everybody.items()}
    starts_at = house.slot(1) + AHEAD
    answer = await house.add_session(slug="tomorrow", starts_at=starts_at.isoformat())
    session = UUID(answer.json()["id"])
    entries = [house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 1, "T2")]
    await house.published(
        *(
            entry.model_copy(
                update={
                    "session_id": session,
                    "starts_at": entry.starts_at + AHEAD,
                    "ends_at": entry.ends_at + AHEAD,
                }
            )
            for entry in entries
        )
    )
    return house


def third(house: "House") -> str:
    return (house.slot(3) + AHEAD).isoformat()


@pytest.mark.parametrize(
    ("language", "over"), [("en", "No slot of this day is still to come"), ("zh", "无可调整")]
)
async def test_nobody_is_late_for_a_day_that_is_over(
    house: "House", language: str, over: str
) -> None:
    await house.day()
    browser = Browser(house, house.boss, language)
    for kind in ("late", "leaves_early"):
        text = await browser.get(f"?kind={kind}")
        assert over in words(text)
        assert 'method="post" action="/stops/' + str(house.stop) + '/repairs"' not in text
    assert over not in words(await browser.get("?kind=point_lost"))


@pytest.mark.parametrize(
    ("language", "title", "today", "proven"),
    [
        ("en", "Repairs of the day", "Today's plan", "Proven: nothing less will do"),
        ("zh", "当日调整", "当前安排", "已证明：这是最小的改动"),
    ],
)
async def test_who_is_late_is_found_by_name_and_the_repair_stands_beside_todays_plan(
    day: "House", language: str, title: str, today: str, proven: str
) -> None:
    page = Browser(day, day.boss, language)
    assert title in words(await page.get())
    found = await page.get("?kind=late&q=name+dora")
    assert f'value="{day.people["dora"]}" checked' in found
    assert f'value="{day.people["dave"]}"' not in found

    address = await page.report(kind="late", subject=str(day.people["dora"]), at=third(day))
    text = await page.get(address)
    said = words(text)
    assert today in unescape(text)
    assert proven in said
    # By the stop's clock: from the first slot to the third.
    assert re.search(r"10:00–10:25 .*11:05–11:30", said)
    for name in ("Name of dora", "Name of lin", "Name of ivy"):
        assert name in said
    assert "Name of luo" not in said


async def test_accepting_changes_the_day_and_the_page_says_so(day: "House") -> None:
    page = Browser(day, day.someone("door_staff"))
    address = await page.report(kind="late", subject=str(day.people["dora"]), at=third(day))
    accepted = await page.send(f"{address}/accept")
    assert accepted.status_code == 303
    text = await page.get(address)
    assert "Everybody concerned is told" in words(text)
    assert f"{address}/accept" not in text
    assert (await day.told())[-1] == "meeting.moved"
    home = words(await page.get())
    assert "Accepted" in home
    assert "Is back" in home


async def test_what_came_between_is_marked_and_can_be_looked_at_again(day: "House") -> None:
    page = Browser(day, day.boss)
    address = await page.report(kind="late", subject=str(day.people["dora"]), at=third(day))
    await day.order(await day.meeting("dora lin"), "delay", 1, {"minutes": 3})
    await page.send(f"{address}/accept")
    text = await page.get(address)

    assert "something came between" in words(text)
    assert 'class="conflict"' in text
    again = await page.send(f"{address}/again")
    assert again.status_code == 303
    assert not again.headers["Location"].endswith(address)


async def test_each_thing_that_can_happen_has_its_form(day: "House") -> None:
    page = Browser(day, day.boss)
    assert "Name of ivy" in words(await page.get("?kind=unavailable"))
    assert str(day.points["T1"]) in await page.get("?kind=point_lost")
    assert "No meeting is in progress" in words(await page.get("?kind=overrun"))
    idle = words((await page.get("?kind=placement")).partition("<details>")[0])
    assert ("Name of liu" in idle, "Name of lin" in idle) == (True, False)
    meeting = await day.meeting("dave luo")
    await day.order(meeting, "start", 1)
    assert str(meeting) in await page.get("?kind=overrun")
    for fields in (
        {"kind": "unavailable", "subject": str(day.helpers["ivy"]), "at": ""},
        {"kind": "point_lost", "subject": str(day.points["T1"])},
        {"kind": "overrun", "subject": str(meeting), "minutes": "10"},
        {"kind": "leaves_early", "subject": str(day.people["dora"]), "at": third(day)},
        {
            "kind": "placement",
            "subject": str(day.people["liu"]),
            "counterpart_ids": [str(day.people["dave"])],
        },
    ):
        assert "repairs_" not in words(await page.get(await page.report(**fields)))
    assert "repairs_" not in words(await page.get())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"kind": "late", "at": "2030-11-07T03:05:00+00:00"}, "Choose who it is."),
        ({"kind": "late", "subject": "dora", "at": "2020-01-01T00:00:00Z"}, "still to come"),
        ({"kind": "placement", "subject": "liu"}, "No wish waits here"),
        ({"kind": "overrun", "subject": "meeting", "minutes": "5"}, "not in progress"),
    ],
)
async def test_what_is_wrong_is_said_in_words(
    day: "House", fields: dict[str, str], said: str
) -> None:
    known = {**day.people, "meeting": await day.meeting("dave luo")}
    sent = {name: str(known.get(value, value)) for name, value in fields.items()}
    answer = await Browser(day, day.boss).send(**sent)

    assert answer.status_code == 422
    assert said in words(answer.text)


async def test_the_rule_is_for_mission_staff_and_the_day_for_who_runs_it(day: "House") -> None:
    boss, door = Browser(day, day.boss), Browser(day, day.someone("door_staff"))
    assert "Accept at once" in words(await boss.get())
    assert "Accept at once" not in words(await door.get())
    assert (await door.send("/rule", meetings_max="3")).status_code == 403
    await boss.send("/rule", meetings_max="3")
    address = await door.report(kind="late", subject=str(day.people["dora"]), at=third(day))
    assert "by this stop's rule" in words(await door.get(address))
    partner = day.someone("partner_staff", partner_id=day.partner)
    for who in (partner, day.person("dora"), day.someone("screen")):
        await Browser(day, who).get(status=403)
        await Browser(day, who).get(address, status=403)


async def test_what_a_longer_search_may_better_is_searched_for_again(day: "House") -> None:
    page = Browser(day, day.boss)
    address = await page.report(kind="late", subject=str(day.people["dora"]), at=third(day))
    whole = words(await page.get(address))
    assert "Proven: nothing less will do" in whole
    assert "Look again" not in whole
    for facts, said in (
        ({"is_nearest": False}, "Proven: no fewer need be moved. Times may come nearer."),
        ({"moves_proven": False}, "Proven: none fewer need be cancelled"),
        ({"drops_proven": False}, "The best found in half a second"),
    ):
        await day.rows("UPDATE repair SET proposal = proposal || $1", facts)
        shown = await page.get(address)
        assert said in words(shown)
        assert "Look again" in words(shown)
    anew = (await page.send(f"{address}/again")).headers["Location"]
    assert not anew.endswith(address)


async def test_nothing_is_asked_for_where_nobody_can_be_chosen(day: "House") -> None:
    page = Browser(day, day.boss)
    assert "See what can be done" in words(await page.get("?kind=late"))
    for query in ("?kind=overrun", "?kind=late&q=nobody-of-this-name"):
        assert "See what can be done" not in words(await page.get(query))


@pytest.mark.parametrize("typed", ["many", "-1", "51", "1.5"])
async def test_a_wrong_rule_stays_as_it_was_typed_and_changes_nothing(
    day: "House", typed: str
) -> None:
    boss = Browser(day, day.boss)
    assert (await boss.send("/rule", meetings_max="3")).headers["Location"].endswith("#rule")
    wrong = await boss.send("/rule", meetings_max=typed)

    assert wrong.status_code == 422
    assert "A whole number from 0 to 50" in words(wrong.text)
    assert f'name="meetings_max" value="{typed}"' in wrong.text
    assert 'name="meetings_max" value="3"' in await boss.get()
    assert "Saved." in words(await boss.get("?saved=rule"))
    # Nothing typed is no rule.
    await boss.send("/rule", meetings_max=" ")
    assert 'name="meetings_max" value=""' in await boss.get()


async def test_the_board_leads_to_repairs_for_who_runs_the_day(day: "House") -> None:
    for role, expected in (("door_staff", True), ("partner_staff", False)):
        who = day.someone(role)  # type: ignore[arg-type]  # these are roles
        answer = await day.client.get(f"/stops/{day.stop}/board", headers=Browser(day, who).headers)
        assert (f"/stops/{day.stop}/repairs" in answer.text) == expected


async def test_who_is_back_is_not_away_any_more(day: "House") -> None:
    page = Browser(day, day.boss)
    until = (day.slot(1) + AHEAD + timedelta(minutes=5)).isoformat()
    address = await page.report(kind="late", subject=str(day.people["dora"]), at=until)
    await page.send(f"{address}/accept")
    (row,) = await day.rows("SELECT id FROM absence")
    assert (await page.send(f"/absences/{row['id']}")).status_code == 303
    assert await day.rows("SELECT FROM absence") == []
