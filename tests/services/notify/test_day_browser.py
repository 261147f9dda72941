"""Somebody's day in a phone's browser, whose network comes and goes."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize, expect

from services.notify.api import live as live_api
from services.notify.gate import Gate
from services.notify.pages import day
from shared.access import Tokens
from shared.service import Service
from tests.serving import chromium, context_of, serving

PHONE = ViewportSize(width=390, height=844)
THUMB = 44
SMALL = f"""() => [...document.querySelectorAll("a, button, summary, input")]
  .filter((one) => one.checkVisibility() && !one.matches(".skip"))
  .filter((one) => one.getBoundingClientRect().height < {THUMB} - 0.5)
  .map((one) => one.outerHTML)"""


@pytest.fixture
async def address(resources: Any, tokens: Tokens, planned: Any) -> AsyncIterator[str]:
    """Notify behind an address that a browser can open."""
    del planned
    gate = Gate((resources.database, resources.live, resources.hub), live_api.head)
    service = Service(
        name="notify",
        routers=[live_api.router, day.router],
        loops={},
        resources=resources,
        gates={"/api/v1/live/me": gate.knock},
        static=Path(day.__file__).parent / "static",
        closing=resources.hub.close,
    )
    async with serving(service, tokens) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
async def page(address: str, tokens: Tokens, world: Any, person: Any) -> AsyncIterator[Page]:
    """A delegate's phone."""
    async with chromium() as browser:
        token = tokens.sign(person("delegate", world.delegate), "session", datetime.now(UTC))
        context = await context_of(browser, address, token, viewport=PHONE, locale="en-US")
        page = await context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        yield page


async def test_who_was_without_the_network_sees_the_right_table_afterwards(
    page: Page, address: str, keep: Any, world: Any, resources: Any
) -> None:
    first, second = world.meeting(parties=world.parties()), world.meeting(number=1)
    await keep(first, second)
    await page.goto(f"{address}/day?stop={world.stop}")
    status, table = page.locator("#live-status"), page.locator("#next [data-slot=point]")
    await expect(status).to_have_attribute("data-state", "live")
    await expect(table).to_have_text("T1")

    await keep(moved := world.then(first, "scheduled", point="T7"))
    await expect(table).to_have_text("T7")

    await page.context.set_offline(True)
    (await resources.hub.audience(world.stop)).dismiss(str(world.delegate), bytes)
    await expect(status).to_have_attribute("data-state", "lost")
    await expect(table).to_have_text("T7")
    await keep(world.then(moved, "called", point="T9"))
    await keep(world.then(second, "cancelled"))

    await page.context.set_offline(False)
    await expect(table).to_have_text("T9")
    await expect(status).to_have_attribute("data-state", "live")
    await expect(page.locator("#over [data-slot=state]")).to_have_text("Cancelled")
    assert resources.hub.listeners == 1


async def test_what_nobody_called_is_over_after_a_while(
    page: Page, address: str, keep: Any, world: Any
) -> None:
    began = datetime.now(UTC) - timedelta(hours=2)
    times = {"starts_at": began, "ends_at": began + timedelta(minutes=25)}
    await keep(world.meeting(parties=world.parties(), **times))
    await page.goto(f"{address}/day?stop={world.stop}")
    await expect(page.locator("#live-status")).to_have_attribute("data-state", "live")
    await expect(page.locator("#over [data-slot=state]")).to_have_text("Not called")
    await expect(page.locator("#next")).to_be_hidden()
    await page.locator("summary").first.click()
    assert await page.evaluate(SMALL) == [], "what is tapped is as large as a thumb"


async def test_a_live_state_that_is_lost_and_filled_again_brings_nothing_back(
    page: Page, address: str, keep: Any, world: Any, redis: Any
) -> None:
    first = world.meeting(parties=world.parties())
    await keep(first, world.then(first, "scheduled", point="T5"))
    await page.goto(f"{address}/day?stop={world.stop}")
    table = page.locator("#next [data-slot=point]")
    await expect(table).to_have_text("T5")
    await redis.flushall()
    await keep(world.then(first, "called", revision=3, point="T6"))
    await expect(table).to_have_text("T6")
    await expect(page.locator("#live-status")).to_have_attribute("data-state", "live")
