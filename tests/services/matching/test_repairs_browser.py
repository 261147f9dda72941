"""A lost table in a browser, on a staff member's phone: from the report to the board."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from tests.serving import behind_an_address, chromium, context_of

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

PHONE = {"width": 390, "height": 844}
LATER = timedelta(days=2557)


@pytest.fixture
async def day(house: "House") -> "House":
    """A day to come, with two meetings at the first table and one at the second."""
    starts_at = (house.slot(1) + LATER).isoformat()
    answer = await house.add_session(slug="later", starts_at=starts_at)
    changes = {"session_id": UUID(answer.json()["id"])}
    entries = [
        house.entry("dora lin", 1, "T1", "ivy"),
        house.entry("dave luo", 1, "T2"),
        house.entry("dave liu", 3, "T1"),
    ]
    later = [{n: getattr(e, n) + LATER for n in ("starts_at", "ends_at")} for e in entries]
    await house.published(
        *(e.model_copy(update=changes | when) for e, when in zip(entries, later, strict=True))
    )
    return house


@pytest.fixture
async def staff(day: "House") -> AsyncIterator[Page]:
    """A page on the phone of mission staff."""
    transport: Any = day.client._transport
    token = day.tokens.sign(day.boss, "session", datetime.now(UTC))
    async with behind_an_address(transport.app) as address, chromium() as browser:
        context = await context_of(
            browser, address, token, viewport=PHONE, locale="en-US", base_url=address
        )
        yield await context.new_page()


async def spots(house: "House") -> dict[str, tuple[datetime, str]]:
    """Say when and at which table each pair meets."""
    names = {person: name for name, person in house.people.items()}
    labels = {point: label for label, point in house.points.items()}
    rows = await house.rows("SELECT * FROM meeting WHERE state = 'scheduled'")
    return {
        f"{names[row['delegate_id']]} {names[row['local_id']]}": (
            row["starts_at"],
            labels[row["point_id"]],
        )
        for row in rows
    }


async def test_a_lost_table_is_reported_repaired_and_seen_on_the_board(
    day: "House", staff: Page
) -> None:
    before = await spots(day)
    await staff.goto(f"/stops/{day.stop}/board")
    lost = staff.locator(f'[data-meeting="{await day.meeting("dave liu")}"]')
    await expect(lost).to_have_attribute("data-point", "T1")

    await staff.get_by_role("link", name="Repairs of the day").click()
    await staff.get_by_role("link", name="Table lost").click()
    await staff.get_by_label("T1", exact=True).check()
    await staff.get_by_role("button", name="See what can be done").click()

    # What is proposed is told, and nothing is changed yet.
    await expect(staff.get_by_text("Sample Liu Co.").first).to_be_visible()
    await expect(staff.get_by_text("Proven: nothing less will do")).to_be_visible()
    assert await staff.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await spots(day) == before

    await staff.get_by_role("button", name="Accept").click()
    await expect(staff.get_by_role("status")).to_be_visible()
    after = await spots(day)
    assert {point for _, point in after.values()} == {"T2"}
    # One goes to another table, another one to another slot; nobody else moves.
    assert after["dave luo"] == before["dave luo"]
    assert after["dave liu"][0] == before["dave liu"][0]

    await staff.get_by_role("link", name="Board").first.click()
    for pair, (starts_at, point) in after.items():
        card = staff.locator(f'[data-meeting="{await day.meeting(pair)}"]')
        await expect(card).to_have_attribute("data-point", point)
        on_the_wall = (starts_at + timedelta(hours=8)).strftime("%H:%M")
        await expect(card).to_have_attribute("data-time", re.compile(f"^{on_the_wall}"))


async def test_what_came_between_is_told_and_proposed_anew(day: "House", staff: Page) -> None:
    await staff.goto(f"/stops/{day.stop}/repairs?kind=point_lost")
    await staff.get_by_label("T1", exact=True).check()
    await staff.get_by_role("button", name="See what can be done").click()
    await expect(staff.get_by_role("button", name="Accept")).to_be_visible()
    await day.order(await day.meeting("dave liu"), "cancel", 1)
    await staff.get_by_role("button", name="Accept").click()

    await expect(staff.get_by_role("alert")).to_contain_text("was changed")
    await staff.get_by_role("button", name="Look again").click()
    await staff.get_by_role("button", name="Accept").click()
    await expect(staff.get_by_role("status")).to_be_visible()
    assert (await spots(day))["dora lin"][1] == "T2"
