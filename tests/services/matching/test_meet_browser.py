"""The page about whom to meet in a browser, on a phone: with JavaScript, and without."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.serving import behind_an_address, chromium, context_of

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

PHONE = {"width": 390, "height": 844}


@dataclass
class Site:
    """The service on a port, and a browser to look at it."""

    house: "House"
    address: str
    browser: Browser

    async def open(self, name: str, *, has_scripts: bool = True) -> Page:
        """Open somebody's own page on a phone."""
        who = self.house.person(name)
        token = self.house.tokens.sign(who, "session", datetime.now(UTC))
        context = await context_of(
            self.browser,
            self.address,
            token,
            viewport=PHONE,
            locale="en-US",
            java_script_enabled=has_scripts,
        )
        page = await context.new_page()
        await page.goto(f"{self.address}/stops/{self.house.stop}/meet/{who.subject}")
        return page

    def card(self, page: Page, name: str) -> Any:
        return page.locator(f"#p-{self.house.people[name]}")


@pytest.fixture
async def site(house: "House") -> AsyncIterator[Site]:
    transport: Any = house.client._transport
    async with behind_an_address(transport.app) as address, chromium() as browser:
        yield Site(house, address, browser)


async def kinds(house: "House") -> dict[str, str]:
    names = {person: name for name, person in house.people.items()}
    rows = await house.rows("SELECT counterpart_id, kind FROM preference")
    return {names[row["counterpart_id"]]: row["kind"] for row in rows}


async def test_a_tap_changes_its_card_where_it_stands(site: Site) -> None:
    page = await site.open("dora")
    order = await page.locator("article").evaluate_all("all => all.map(one => one.id)")
    second = site.card(page, "liu")
    await second.get_by_role("button", name="Must meet").click()
    pressed = second.get_by_role("button", name="Must meet")
    await expect(pressed).to_have_attribute("aria-pressed", "true")
    await expect(pressed).to_be_focused()

    # Nothing jumped; when the page is opened again, who is wished comes first.
    assert await page.locator("article").evaluate_all("all => all.map(one => one.id)") == order
    await expect(page.locator(".tally")).to_contain_text("1")
    assert await kinds(site.house) == {"liu": "must_meet"}
    await page.reload()
    first = page.locator("article").first
    await expect(first).to_have_attribute("id", f"p-{site.house.people['liu']}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_a_no_asks_first_and_a_request_is_sent_from_the_card(site: Site) -> None:
    page = await site.open("dora")
    lin, liu = site.card(page, "lin"), site.card(page, "liu")
    await expect(lin.get_by_text("No thanks, for good")).to_be_hidden()
    await lin.get_by_text("No thanks", exact=True).click()
    await lin.get_by_role("button", name="No thanks, for good").click()
    await expect(lin).to_contain_text("You said no")

    await liu.get_by_text("Ask to meet").click()
    await liu.get_by_label("Your message").fill("Shall we talk?")
    await liu.get_by_role("button", name="Send the request").click()
    await expect(liu).to_contain_text("You asked")
    assert await kinds(site.house) == {"lin": "no_thanks"}
    (row,) = await site.house.rows("SELECT message, is_recommended FROM meeting_request")
    assert (row["message"], row["is_recommended"]) == ("Shall we talk?", True)


async def test_without_scripts_the_same_taps_work(site: Site) -> None:
    page = await site.open("dora", has_scripts=False)
    await site.card(page, "luo").get_by_role("button", name="Must meet").click()
    await expect(page.get_by_role("status")).to_contain_text("Noted: Sample Luo Co.")
    await site.card(page, "lin").get_by_text("No thanks", exact=True).click()
    await site.card(page, "lin").get_by_role("button", name="No thanks, for good").click()
    await expect(page.get_by_role("status")).to_contain_text("Noted: Sample Lin Co.")
    await expect(site.card(page, "lin")).to_have_count(0)
    assert await kinds(site.house) == {"luo": "must_meet", "lin": "no_thanks"}
