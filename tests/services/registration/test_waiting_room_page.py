"""The waiting room as people meet it: before registration opens, in line, and at the form."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from playwright.async_api import expect

from services.registration.domain.tickets import Admission
from services.registration.front import cookie_of
from tests.services.registration.conftest import ORIGIN, House
from tests.services.registration.test_form_page import Site, fill_in, press, site
from tests.services.registration.test_waiting_room import draw, set_mode

__all__ = ["site"]

CROWD = 20
FORM = "/missions/sample/stops/guangzhou/register"
ROOM = "/missions/sample/stops/guangzhou/waiting-room"

Browsers = Callable[[], httpx2.AsyncClient]


@pytest.fixture
async def browsers(house: House) -> AsyncIterator[Browsers]:
    """Open browsers, each of which keeps its own cookies."""
    async with AsyncExitStack() as stack:
        opened: list[httpx2.AsyncClient] = []

        def open_one() -> httpx2.AsyncClient:
            headers = {"Accept": "text/html", "Accept-Language": "en", "Origin": ORIGIN}
            transport: Any = house.client._transport
            one = httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)
            stack.push_async_callback(one.aclose)
            opened.append(one)
            return one

        yield open_one


def sent(house: House, name: str, page: str = "") -> dict[str, Any]:
    """What a browser sends that shows the form `page`."""
    admission = re.search(r'name="admission" value="([^"]+)"', page)
    return {
        "items": str(house.items["talks"]),
        "key": "k",
        "language": "en",
        "full_name": f"Sample {name}",
        "email": f"{name}@example.com",
        "languages": ["en"],
        "organization_name": f"Sample {name} Co.",
        "country": "CN",
        "sectors": ["batteries"],
        "consent": "yes",
    } | ({"admission": admission[1]} if admission else {})


def number(page: str) -> int:
    found = re.search(r'id="waiting-number">(\d+)<', page)
    assert found, page
    return int(found[1])


async def called(browser: httpx2.AsyncClient) -> str:
    """Wait for the turn and give the form."""
    async with asyncio.timeout(60):
        while True:
            answer = await browser.get(FORM, follow_redirects=True)
            if answer.url.path == FORM:
                return answer.text
            await asyncio.sleep(0.2)


async def test_in_a_rush_the_form_opens_in_turn(house: House, browsers: Browsers) -> None:
    await set_mode(house, "open")
    first = browsers()

    form = await first.get(FORM)
    # On a slow machine one or two more have their turn before somebody waits.
    for _ in range(CROWD):
        second = browsers()
        line = await second.get(FORM)
        if line.status_code != 200:
            break

    assert form.status_code == 200
    assert "It is your turn. Please send the form by" in form.text
    assert "(Shanghai, UTC+8)" in form.text
    assert (line.status_code, line.headers["location"]) == (303, ROOM)
    room = (await second.get(ROOM)).text
    assert number(room) == 1
    assert 'http-equiv="refresh"' in room
    assert 'aria-live="polite"' in room
    assert (await first.post(FORM, data=sent(house, "ana", form.text))).status_code == 303
    form_of_second = await called(second)
    assert (await second.post(FORM, data=sent(house, "bo", form_of_second))).status_code == 303
    assert set(await house.statuses()) == {"ana", "bo"}


async def test_an_admission_counts_in_no_other_browser(house: House, browsers: Browsers) -> None:
    await set_mode(house, "open")
    first, other, without = browsers(), browsers(), browsers()
    form = await called(first)
    await other.get(FORM)

    for browser in (other, without):
        answer = await browser.post(FORM, data=sent(house, "bo", form))
        assert answer.status_code == 409
        assert "this form was opened in another browser" in answer.text
        assert f'href="{ROOM}"' in answer.text
    # Nor for a program that reads it out of the page.
    path = f"/api/v1/programme-items/{house.items['talks']}/registrations"
    token = sent(house, "bo", form)["admission"]
    headers = {"Waiting-Room-Admission": token, "Idempotency-Key": "k"}
    answer = await other.post(path, json=house.sign_up("bo"), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "admission_refused")
    assert await house.statuses() == {}


async def test_one_turn_is_one_person(house: House, browsers: Browsers) -> None:
    await set_mode(house, "open")
    browser = browsers()
    form = await called(browser)
    ticket = browser.cookies[cookie_of(house.stop)]

    first = await browser.post(FORM, data=sent(house, "ana", form))
    assert first.status_code == 303
    assert cookie_of(house.stop) not in browser.cookies
    # Whoever keeps the ticket all the same gets the first answer again, and no second place.
    browser.cookies.clear()
    browser.cookies.set(cookie_of(house.stop), ticket)
    again = await browser.post(FORM, data=sent(house, "ana", form))
    assert again.status_code == 303
    browser.cookies.clear()
    browser.cookies.set(cookie_of(house.stop), ticket)
    other = await browser.post(FORM, data=sent(house, "bo", form))
    assert other.status_code == 409
    assert "One person was registered with this turn already" in other.text
    assert set(await house.statuses()) == {"ana"}


async def test_a_form_that_comes_too_late_is_kept_and_leads_back(
    house: House, browsers: Browsers
) -> None:
    await set_mode(house, "open")
    browser = browsers()
    await called(browser)
    held: Any = house.client._transport
    waiting = held.app.state.registration.waiting
    ticket = waiting.read(browser.cookies[cookie_of(house.stop)], house.stop, datetime.now(UTC))
    over = Admission(ticket.id, house.stop, ticket.key, datetime.now(UTC), is_browsers=True)
    data = sent(house, "ana") | {"admission": over.sealed(house.tokens.digest)}

    answer = await browser.post(FORM, data=data)

    assert answer.status_code == 409
    assert "the time for sending the form is up" in answer.text
    assert 'value="ana@example.com"' in answer.text
    assert f'href="{ROOM}"' in answer.text


async def test_who_opened_the_form_before_the_rush_stands_before_who_came_after(
    house: House, browsers: Browsers
) -> None:
    early, late, blocker = browsers(), browsers(), browsers()
    form = await early.get(FORM)
    assert form.status_code == 200
    assert "admission" not in sent(house, "ana", form.text)
    await set_mode(house, "open")
    await called(blocker)
    for _ in range(5):
        await draw(house)
    await late.get(ROOM)

    answer = await early.post(FORM, data=sent(house, "ana", form.text))
    room = await early.get(ROOM, follow_redirects=True)

    assert answer.status_code == 409
    assert "Not sent yet: many are registering" in answer.text
    assert 'value="Sample ana"' in answer.text
    assert room.url.path == FORM or number(room.text) == 1
    assert number((await late.get(ROOM)).text) >= 3


async def test_reloading_draws_no_other_place(
    house: House, browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport: Any = house.client._transport
    waiting_room = transport.app.state.registration.waiting
    # Else a busy machine calls all of them while it answers.
    slow = replace(waiting_room._terms, pace_min=0.01, pace_share=0.0)
    monkeypatch.setattr(waiting_room, "_terms", slow)
    people = [browsers() for _ in range(12)]
    for person in people:
        await person.get(FORM)
    await set_mode(house, "open")
    for person in people:
        await person.get(ROOM)
    waiting = [p for p in people if (await p.get(ROOM)).status_code == 200]
    before = {id(p): number((await p.get(ROOM)).text) for p in waiting}
    for _ in range(3):
        for person in reversed(waiting):
            await person.get(ROOM)
    pages = {id(p): await p.get(ROOM) for p in waiting}
    after = {name: number(a.text) for name, a in pages.items() if a.status_code == 200}

    assert len(after) > 3
    ranked = sorted(after, key=after.__getitem__)
    assert ranked == sorted(after, key=before.__getitem__)


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "(Shanghai, UTC+8)"), ("zh", "北京时间")], ids=["en", "zh"]
)
async def test_before_it_opens_the_page_counts_down_by_the_clock_of_the_stop(
    house: House, lang: str, said: str
) -> None:
    opens_at = datetime(2031, 5, 6, 2, 0, tzinfo=UTC)
    for item in house.items.values():
        await house.client.patch(
            f"/api/v1/programme-items/{item}",
            json={"opens_at": opens_at.isoformat()},
            headers=house.headers(house.boss),
        )

    page = await house.page(ROOM, lang=lang)
    answer = await house.client.get(FORM, headers=house.browser(None))

    assert "10:00" in page
    assert said in page
    assert (answer.status_code, answer.headers["location"]) == (303, ROOM)


async def test_nobody_waits_where_no_room_is_open(house: House) -> None:
    answer = await house.client.get(ROOM, headers=house.browser(None))

    assert (answer.status_code, answer.headers["location"]) == (303, FORM)
    await house.page("/missions/sample/stops/nowhere/waiting-room", status=404)


async def test_staff_sees_who_waits_and_opens_and_closes_at_the_desk(house: House) -> None:
    desk = f"/desk/stops/{house.stop}"
    assert "Open now" in await house.page(desk, house.boss)
    path = f"{desk}/waiting-room"
    assert (await house.send(path, {"mode": "open"}, house.boss)).status_code == 303
    for _ in range(4):
        await draw(house)

    mine = await house.page(desk, house.boss)
    doors = await house.page(desk, house.someone("door_staff"))
    refused = await house.send(path, {"mode": "closed"}, house.someone("door_staff"))

    assert "people wait" in mine
    assert "admitted in the last minute" in mine
    assert "people wait" in doors
    assert "Leave it to itself" not in doors
    assert refused.status_code == 403
    assert "人在等候" in await house.page(desk, house.boss, lang="zh")


async def test_a_page_says_that_links_were_asked_for_too_often(house: House) -> None:
    form = {"mission_id": str(house.mission), "email": "ana@example.com"}
    answers = [await house.send("/sign-in", form) for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "asked too often" in answers[-1].text
    assert int(answers[-1].headers["Retry-After"]) >= 60


async def test_a_phone_waits_and_is_led_to_the_form_with_what_was_typed(site: Site) -> None:
    house = site.house
    page = await site.open(FORM)
    await fill_in(page, "ana")
    await set_mode(house, "open")
    for _ in range(8):
        await draw(house)
    # The place of who was here before is in front: others are called first, so that it waits.
    await house.client.get(ROOM)

    await press(page)
    await expect(page.get_by_role("alert")).to_contain_text("many are registering")
    await page.get_by_role("link", name="To the waiting room").click()
    await page.wait_for_url(f"**{FORM}", timeout=120_000)
    await expect(page.get_by_text("It is your turn. Please send the form by")).to_be_visible()
    await expect(page.locator("[data-until]")).to_contain_text("15")
    await expect(page.locator("[name=email]")).to_have_value("ana@example.com")
    await page.check("[name=consent]")
    await press(page)
    await page.wait_for_url("**/status?new=1")

    assert "ana" in await house.statuses()


async def test_a_phone_sees_the_line_move_and_the_form_open_by_itself(site: Site) -> None:
    house = site.house
    await set_mode(house, "open")
    for _ in range(12):
        await draw(house)

    page = await site.open(ROOM)
    await expect(page.locator("#waiting-number")).to_have_text(re.compile(r"\d+"))
    await page.wait_for_url(f"**{FORM}", timeout=120_000)

    await expect(page.get_by_text("It is your turn. Please send the form by")).to_be_visible()


async def test_a_phone_counts_down_and_finds_the_form_open(site: Site) -> None:
    house = site.house
    opens_at = datetime.now(UTC) + timedelta(seconds=8)
    for item in house.items.values():
        await house.client.patch(
            f"/api/v1/programme-items/{item}",
            json={"opens_at": opens_at.isoformat()},
            headers=house.headers(house.boss),
        )
    page = await site.open(FORM)
    await expect(page.locator("#waiting-clock")).to_have_text(re.compile(r"00:00:0\d"))

    await page.wait_for_url(f"**{FORM}", timeout=120_000)

    await expect(page.get_by_label("Full name")).to_be_visible()
    assert datetime.now(UTC) >= opens_at
