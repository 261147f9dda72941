"""Calendars that programs subscribe to."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from shared.access import Principal, Tokens

Make = Callable[..., Principal]


async def address(browser: Any, who: Principal, **body: Any) -> str:
    answer = await browser.send("POST", "/api/v1/calendars", who, json=body)
    assert answer.status_code == 201, answer.text
    url: str = answer.json()["url"]
    return url.removeprefix("http://127.0.0.1:8000")


async def asked(browser: Any, path: str, **headers: str) -> httpx2.Response:
    answer: httpx2.Response = await browser.client.get(path, headers=headers)
    return answer


def events(content: bytes) -> dict[str, tuple[Any, ...]]:
    """Read a calendar with two libraries, which must read the same of it."""
    one = {
        str(event["UID"]): (
            int(str(event["SEQUENCE"])),
            str(event["SUMMARY"]),
            str(event["STATUS"]),
        )
        for event in Calendar.from_ical(content).walk("VEVENT")
    }
    read = IcsCalendarStream.calendar_from_ics(content.decode())
    other = {
        event.uid: (event.sequence, event.summary, event.status and event.status.value)
        for event in read.events
    }
    assert one == other
    return one


async def test_each_has_the_own_meetings_a_table_its_own_and_a_stop_all(
    browser: Any, stored: Any, planned: Any, person: Make
) -> None:
    first = planned.meeting(number=0)
    second = planned.meeting(number=1, parties=planned.parties(delegate=uuid4()))
    await stored(first, second, planned.then(first, "cancelled"))
    delegate, staff = person("delegate", planned.delegate), person("mission_staff")
    stop = str(planned.stop)

    mine = events((await asked(browser, await address(browser, delegate))).content)
    all_ = events((await asked(browser, await address(browser, staff, stop_id=stop))).content)
    table = events(
        (await asked(browser, await address(browser, staff, stop_id=stop, point="T2"))).content
    )

    assert mine == {
        f"{first.meeting_id}@tradewind": (
            2,
            "Sample Wind Co., Ltd. (样例风电有限公司)",
            "CANCELLED",
        )
    }
    assert set(all_) == {f"{one.meeting_id}@tradewind" for one in (first, second)}
    assert set(table) == {f"{second.meeting_id}@tradewind"}
    both = "Synthetic Hydrogen Ltd; Sample Wind Co., Ltd. (样例风电有限公司)"
    assert table[f"{second.meeting_id}@tradewind"] == (1, both, "CONFIRMED")


async def test_a_calendar_that_has_not_changed_is_not_sent_again(
    browser: Any, stored: Any, planned: Any, person: Make
) -> None:
    meeting = planned.meeting()
    await stored(meeting)
    path = await address(browser, person("local", planned.local))
    first = await asked(browser, path)
    tag = {"If-None-Match": f'W/"another", {first.headers["ETag"]}'}

    assert (await asked(browser, path, **tag)).status_code == 304
    await stored(planned.then(meeting, "scheduled", point="T9"))
    changed = await asked(browser, path, **tag)
    assert (changed.status_code, changed.headers["Content-Type"]) == (
        200,
        "text/calendar; charset=utf-8",
    )
    assert b"LOCATION:T9" in changed.content


async def test_an_address_opens_one_calendar_and_nothing_else(
    browser: Any, stored: Any, planned: Any, person: Make, tokens: Tokens
) -> None:
    await stored(planned.meeting())
    staff = person("mission_staff")
    path = await address(browser, staff, stop_id=str(planned.stop))
    token = httpx2.QueryParams(path.partition("?")[2])["token"]

    assert (await asked(browser, f"/api/v1/calendars/me.ics?token={token}")).status_code == 403
    other = f"/api/v1/calendars/stops/{uuid4()}.ics?token={token}"
    assert (await asked(browser, other)).status_code == 404
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await asked(browser, "/api/v1/messages/settings", **bearer)).status_code == 401
    session = tokens.sign(staff, "session", datetime.now(UTC))
    forged = f"/api/v1/calendars/stops/{planned.stop}.ics?token={session}"
    assert (await asked(browser, forged)).status_code == 401
    old = tokens.sign(staff, "calendar", datetime.now(UTC) - timedelta(days=401))
    late = f"/api/v1/calendars/stops/{planned.stop}.ics?token={old}"
    assert (await asked(browser, late)).status_code == 401


async def test_only_who_sees_a_stop_gets_its_address(
    browser: Any, planned: Any, person: Make
) -> None:
    for role in ("delegate", "local", "interpreter"):
        answer = await browser.send(
            "POST", "/api/v1/calendars", person(role), json={"stop_id": str(planned.stop)}
        )
        assert answer.status_code == 403, role
    nowhere = await browser.send(
        "POST", "/api/v1/calendars", person("mission_staff"), json={"point": "T1"}
    )
    assert (nowhere.status_code, nowhere.json()["errors"][0]["pointer"]) == (422, "/stop_id")
    staff = await browser.send("POST", "/api/v1/calendars", person("mission_staff"), json={})
    assert staff.status_code == 403


@pytest.mark.parametrize("role", ["delegate", "interpreter"])
async def test_whoever_was_erased_has_no_calendar_any_more(
    browser: Any, person: Make, database: Any, role: str
) -> None:
    who = person(role)
    path = await address(browser, who)
    assert (await asked(browser, path)).status_code == 200
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO erased_person VALUES ($1, now())", who.subject)
    assert (await asked(browser, path)).status_code == 401


async def test_the_day_offers_the_own_calendar(
    browser: Any, stored: Any, planned: Any, person: Make
) -> None:
    await stored(planned.meeting())
    page = (await browser.get("/day", person("delegate", planned.delegate))).text

    (path,) = re.findall(r'href="webcal:(//[^"]+)"', page)
    found = await asked(browser, httpx2.URL(f"http:{html.unescape(path)}").raw_path.decode())
    assert len(events(found.content)) == 1
