"""The board in a browser: it stays where its reader is, and says why something was not done."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.services.matching.browsing import page as page_of
from tests.serving import behind_an_address, chromium, context_of

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


@pytest.fixture
async def browser(house: "House") -> AsyncIterator[tuple[Browser, str]]:
    """A browser, and the address of a board with a day's meetings."""
    await house.day()
    transport: Any = house.client._transport
    async with behind_an_address(transport.app) as address, chromium() as opened:
        yield opened, address


async def board(
    house: "House", browser: tuple[Browser, str], width: int, language: str = "en-US"
) -> Page:
    """Open the board of the house's stop as mission staff."""
    opened, address = browser
    context = await context_of(
        opened,
        address,
        house.tokens.sign(house.boss, "session", datetime.now(UTC)),
        viewport={"width": width, "height": 700},
        locale=language,
        base_url=address,
        bypass_csp=True,
    )
    page = await context.new_page()
    await page.goto(f"/stops/{house.stop}/board")
    return page


async def test_the_board_stays_at_its_readers_table_when_it_is_shown_anew(
    house: "House", browser: tuple[Browser, str]
) -> None:
    # As many tables as do not fit are here two wide ones.
    page = await board(house, browser, 730)
    await page.add_style_tag(content=".board td { min-width: 600px !important; }")
    meeting = str(await house.meeting("dora liu"))
    place = page.locator(f'[data-meeting="{meeting}"]')
    await place.click()
    await page.locator(".scroll").evaluate("one => { one.scrollLeft = 333; }")
    await page.locator('[data-command="call"]').click()

    await expect(page.locator(f'[data-meeting="{meeting}"][data-state="called"]')).to_be_visible()
    assert await page.locator(".scroll").evaluate("one => one.scrollLeft") == 333
    await expect(place).to_be_focused()


@pytest.mark.parametrize(
    ("language", "long", "none"),
    [
        ("en-US", "A delay must be shorter than the meeting", "No connection"),
        ("zh-CN", "推迟的时间须短于洽谈时长", "网络中断"),
    ],
)
async def test_what_was_not_done_says_why_in_the_readers_language(
    house: "House", browser: tuple[Browser, str], language: str, long: str, none: str
) -> None:
    page = await board(house, browser, 390, language)
    await page.locator(f'[data-meeting="{await house.meeting("dora liu")}"]').click()
    await page.locator("#minutes").fill("120")
    await page.locator('form[data-command="delay"] button').click()
    fault = page.locator("#meeting-fault")
    await expect(fault).to_contain_text(long)
    await page.context.set_offline(True)
    await page.locator('[data-command="call"]').click()
    await expect(fault).to_contain_text(none)


async def test_nobody_is_noted_as_absent_who_was_not_chosen(
    house: "House", browser: tuple[Browser, str]
) -> None:
    page = await board(house, browser, 390)
    meeting = await house.meeting("dora liu")
    await page.locator(f'[data-meeting="{meeting}"]').click()
    absent = page.locator("#absent")
    await expect(absent.locator("option")).to_have_text(
        ["Choose", "Sample Dora Co.", "Sample Liu Co.", "Both"]
    )
    note = page.locator('form[data-command="no-show"] button')
    await note.click()
    assert (await house.get(f"/meetings/{meeting}"))["state"] == "scheduled"
    await absent.select_option("Both")
    await note.click()
    await expect(page.locator(f'[data-meeting="{meeting}"][data-state="no_show"]')).to_be_visible()
    noted = (await house.get(f"/meetings/{meeting}"))["parties"]
    assert [one["attendance"] for one in noted] == ["absent", "absent"]


async def test_who_alone_has_not_arrived_is_offered_as_absent(
    house: "House", browser: tuple[Browser, str]
) -> None:
    await house.rows(
        "UPDATE participation SET checked_in_at = now() WHERE participant_id = $1",
        house.people["dora"],
    )
    page = await board(house, browser, 390)
    await page.locator(f'[data-meeting="{await house.meeting("dora liu")}"]').click()
    await expect(page.locator("#absent")).to_have_value(str(house.people["liu"]))


async def test_on_a_phone_the_board_leads_to_each_time(
    house: "House", browser: tuple[Browser, str]
) -> None:
    page = await board(house, browser, 390)
    times = page.locator(".times a")
    await expect(times).to_have_text(["10:00", "10:25", "11:05", "11:30"])
    await times.last.click()
    row = page.locator(".board tbody tr").last
    assert await row.evaluate("one => one.getBoundingClientRect().bottom <= innerHeight")
    wide = await board(house, browser, 1280)
    await expect(wide.locator(".times").first).to_be_hidden()


async def test_a_browser_without_scripts_is_told_what_it_cannot_do(house: "House") -> None:
    await house.day()
    shown = await page_of(house, house.boss, "board")
    assert "<noscript>" in shown
    assert "This browser runs no scripts" in shown
