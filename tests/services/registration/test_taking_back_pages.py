"""Check-ins that are taken back on the pages: the desk's lists, and the phone at the door."""

import asyncio
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from tests.services.registration.test_scanner import (
    address,
    browser,
    code_of,
    opened,
    says,
    signed_in,
    typed,
)
from tests.serving import find_network, lose_network

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

__all__ = ["address", "browser"]  # fixtures


async def checked_in(house: "House", registration: dict[str, Any]) -> str:
    answer = await house.post(
        f"/api/v1/registrations/{registration['id']}/check-in", None, house.boss
    )
    return str(answer.json()["checked_in_at"])


def undoing(text: str) -> dict[str, str]:
    """Give what the page's form sends, without the reason."""
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', text))


async def there(house: "House") -> int:
    return len(await house.rows("SELECT FROM registration WHERE checked_in_at IS NOT NULL"))


@pytest.mark.parametrize(
    ("lang", "said", "reason"),
    [("en", "Take back", "Wrong person"), ("zh", "撤销签到", "扫错人或点错人")],
)
async def test_the_desk_takes_back_whom_a_search_finds(
    house: "House", lang: str, said: str, reason: str
) -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    door, path = house.someone("door_staff"), f"/desk/stops/{house.stop}"

    page = await house.page(f"{path}?q=ana", door, lang=lang)
    assert said in page
    assert reason in page
    form = undoing(page) | {"reason": "wrong_person"}
    sent = await house.send(f"/desk/arrivals/{ana['id']}/undo", form, door)

    assert sent.headers["location"] == f"{path}?q=ana&undo=done"
    assert await there(house) == 0
    assert said not in (await house.page(f"{path}?q=ana", door, lang=lang))


async def test_a_page_that_is_old_takes_no_newer_check_in_back(house: "House") -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    path = f"/desk/registrations/{ana['id']}"
    old = undoing(await house.page(path, house.boss)) | {"reason": "trial"}

    first = await house.send(f"/desk/arrivals/{ana['id']}/undo", old, house.boss)
    await checked_in(house, ana)
    late = await house.send(f"/desk/arrivals/{ana['id']}/undo", old, house.boss)

    assert first.headers["location"] == path
    assert late.headers["location"] == f"{path}?refused=checked_in_again"
    assert "Checked in again meanwhile" in await house.page(late.headers["location"], house.boss)
    assert await there(house) == 1


async def test_the_trail_of_a_registration_says_that_its_check_in_was_taken_back(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    await checked_in(house, ana)
    path = f"/desk/registrations/{ana['id']}"
    form = undoing(await house.page(path, house.boss)) | {"reason": "not_inside"}
    await house.send(f"/desk/arrivals/{ana['id']}/undo", form, house.boss)

    english, chinese = [await house.page(path, house.boss, lang=lang) for lang in ("en", "zh")]

    assert re.search(
        r"Check-in taken back.*Reason: Did not go in after all · Checked in: \d\d:\d\d",
        english,
        re.S,
    )
    assert "原因: 实际未入场" in chinese


async def test_who_may_not_check_in_is_offered_nothing_and_takes_nothing_back(
    house: "House",
) -> None:
    ana = await house.registered("ana")
    at = await checked_in(house, ana)
    partner = house.someone("partner_staff", partner_id=house.partner)

    answer = await house.send(
        f"/desk/arrivals/{ana['id']}/undo", {"reason": "trial", "checked_in_at": at}, partner
    )

    assert answer.status_code == 403
    assert await there(house) == 1
    listed = await house.page(f"/desk/stops/{house.stop}/registrations", house.boss)
    assert f'href="/desk/registrations/{ana["id"]}#undo-{ana["id"]}"' in listed


async def undone_on(page: Page, reason: str) -> None:
    await page.locator("#recent li", has_text="Sample ana").locator("[data-undo]").first.click()
    await expect(page.locator("#undo h2")).to_have_text("Take back the check-in of Sample ana?")
    await page.get_by_role("button", name=reason).click()


async def test_a_phone_takes_a_scan_back_and_scans_the_badge_again(
    house: "House", address: str, browser: Browser
) -> None:
    code = await code_of(house, await house.registered("ana"))
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)
    await typed(page, code)
    await says(page, "accepted", "Sample ana")
    await expect(page.locator("#headcount")).to_contain_text("1of 1 arrived")

    # Nothing happens while the network is away, and nothing later behind somebody's back.
    await lose_network(context, address)
    await undone_on(page, "Wrong person")
    await expect(page.locator("#undo [role=alert]")).to_contain_text("needs the network")
    await find_network(context, address)
    assert await there(house) == 1
    await page.get_by_role("button", name="Wrong person").click()

    await says(page, "undone", "Check-in taken back")
    await expect(page.locator("#recent li").first).to_contain_text("taken back")
    await expect(page.locator("#recent [data-undo]:visible")).to_have_count(0)
    await expect(page.locator("#headcount")).to_contain_text("0of 1 arrived")
    await typed(page, code)
    await says(page, "accepted", "Sample ana")
    await expect(page.locator("#headcount")).to_contain_text("1of 1 arrived")
    told = await house.told()
    assert [kind for kind in told if "check" in kind] == [
        "participant.checked_in",
        "check_in.retracted",
        "participant.checked_in",
    ]


async def test_a_scan_that_a_phone_kept_is_named_when_the_check_in_was_taken_back_meanwhile(
    house: "House", address: str, browser: Browser
) -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)

    await lose_network(context, address)
    await typed(page, code)
    await says(page, "accepted", "Sample ana", is_verified=False)
    await checked_in(house, ana)
    await house.post(
        f"/api/v1/registrations/{ana['id']}/check-in/undo", {"reason": "trial"}, house.boss
    )
    await typed(page, code)
    await find_network(context, address)

    await expect(page.locator("#contradictions")).to_contain_text(
        "The check-in was taken back after this scan"
    )
    # The second scan was after it, and counts, in the same sending or the next.
    counts = "SELECT FROM registration WHERE id = $1 AND checked_in_at > check_in_undone_at"
    async with asyncio.timeout(60):
        while not await house.rows(counts, UUID(ana["id"])):
            await asyncio.sleep(0.05)
