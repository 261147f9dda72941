"""What a company typed and had not saved is there again; what was saved is not kept twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from playwright.async_api import Page, expect

from tests.serving import (
    MILLISECONDS_MAX,
    behind_an_address,
    chromium,
    context_of,
    find_network,
    lose_network,
)

if TYPE_CHECKING:
    from tests.services.registration.applications.conftest import Company, Selection

KEPT = "Object.keys(localStorage).filter((name) => name.startsWith('tradewind-draft:')).length"
MARKED = "[name='certify.home_content']"


async def kept(page: Page, count: int) -> None:
    """Wait until the device keeps so many drafts."""
    async with asyncio.timeout(MILLISECONDS_MAX / 1000):
        while await page.evaluate(KEPT) != count:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def opened(
    selection: "Selection", company: "Company", **options: Any
) -> AsyncIterator[tuple[str, Page]]:
    """Give the service's address, and a browser in which the company is signed in."""
    transport: Any = selection.house.client._transport
    token = selection.house.headers(company.who)["Authorization"].removeprefix("Bearer ")
    async with behind_an_address(transport.app) as address, chromium() as browser:
        context = await context_of(browser, address, token, **options)
        yield address, await context.new_page()


async def test_what_was_typed_survives_a_lost_connection_until_it_is_saved(
    selection: "Selection",
) -> None:
    company = await selection.begun("ana")
    path, objective = f"/applications/{company.id}", f"[name='objective.{selection.stop}']"
    async with opened(selection, company, viewport={"width": 390, "height": 844}) as (
        address,
        page,
    ):
        await page.goto(address + path)
        await page.fill(objective, "Find two buyers of batteries.")
        await page.check(MARKED)
        await kept(page, 1)

        await lose_network(page.context, address)
        await page.click("button[value=save]")
        await expect(page.locator("main")).to_have_count(0)
        await find_network(page.context, address)
        await page.goto(address + path)
        await expect(page.locator("#draft-note")).to_contain_text("not sent are back")
        await expect(page.locator(objective)).to_have_value("Find two buyers of batteries.")
        # What is certified is certified each time.
        await expect(page.locator(MARKED)).not_to_be_checked()

        await page.click("button[value=save]")
        await page.wait_for_url("**?saved=1")
        await expect(page.locator(objective)).to_have_value("Find two buyers of batteries.")
        await expect(page.locator("#draft-note")).to_be_hidden()
        await kept(page, 0)


async def test_what_was_typed_is_cleared_when_asked_to(selection: "Selection") -> None:
    company = await selection.begun("bo")
    path, position = f"/applications/{company.id}", "[name=position]"
    async with opened(selection, company, locale="zh-CN") as (address, page):
        await page.goto(address + path)
        await page.fill(position, "总监")
        await page.reload()
        await expect(page.locator("#draft-note")).to_contain_text("已恢复")
        await expect(page.locator(position)).to_have_value("总监")
        await page.click("#draft-note button")
        await expect(page.locator(position)).to_have_value("")
        await kept(page, 0)
