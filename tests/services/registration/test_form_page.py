"""The form as somebody meets it in a browser: on a phone, with and without a connection."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.serving import MILLISECONDS_MAX, behind_an_address, chromium

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

REGISTER = "/missions/sample/stops/guangzhou/register"
DIET: dict[str, Any] = {
    "code": "diet",
    "kind": "choice",
    "is_required": True,
    "section": {"en": "At the table", "zh": "用餐"},
    "label": {"en": "What do you eat?", "zh": "饮食要求"},
    "choices": [
        {"code": "all", "label": {"en": "Everything", "zh": "无要求"}},
        {"code": "other", "label": {"en": "Something else", "zh": "其他"}},
    ],
}
OTHER: dict[str, Any] = {
    "code": "diet_other",
    "kind": "text",
    "is_required": True,
    "label": {"en": "Which?", "zh": "请说明"},
    "when": {"question": "diet", "is": "other"},
}
PASSPORT: dict[str, Any] = {
    "code": "passport",
    "kind": "text",
    "label": {"en": "Passport number", "zh": "护照号码"},
    "help": {"en": "For the invitation letter.", "zh": "用于邀请函。"},
    "limits": {"pattern": "[A-Z]{1,2}\\d{6,8}"},
    "when": {"not": {"fact": "country", "is": "CN"}},
}
STAFF: dict[str, Any] = {
    "code": "staff",
    "kind": "number",
    "label": {"en": "Staff in China", "zh": "在华员工数"},
    "limits": {"min": 1, "is_whole": True},
}
LETTER: dict[str, Any] = {
    "code": "letter",
    "kind": "file",
    "label": {"en": "Company brochure", "zh": "公司简介"},
    "limits": {"types": ["pdf", "docx"], "bytes_max": 2_000_000},
}
PHOTOS: dict[str, Any] = {
    "code": "photos",
    "kind": "consent",
    "is_required": True,
    "label": {"en": "I may be in photos of the event.", "zh": "我同意在活动中被拍照。"},
}
PDF = b"%PDF-1.7\n" + b"x" * 1_200_000


@dataclass
class Site:
    """The service on an address, and a phone to look at it."""

    house: "House"
    address: str
    browser: Browser
    failures: list[str] = field(default_factory=list)

    async def open(self, path: str = REGISTER, *, locale: str = "en-US", **options: Any) -> Page:
        context = await self.browser.new_context(
            locale=locale, viewport={"width": 390, "height": 844}, **options
        )
        context.set_default_timeout(MILLISECONDS_MAX)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.failures.append(str(error)))
        page.on(
            "console",
            lambda said: (
                self.failures.append(said.text) if "Security Policy" in said.text else None
            ),
        )
        await page.goto(self.address + path)
        return page

    async def define(self, *bodies: dict[str, Any]) -> None:
        for body in bodies:
            await self.house.made(f"/missions/{self.house.mission}/questions", body)


@pytest.fixture
async def site(house: "House") -> AsyncIterator[Site]:
    transport: Any = house.client._transport
    async with behind_an_address(transport.app) as address, chromium() as browser:
        site = Site(house, address, browser)
        yield site
    assert site.failures == []


async def fill_in(page: Page, name: str = "ana") -> None:
    """Fill in what every form asks."""
    await page.fill("[name=full_name]", f"Sample {name}")
    await page.fill("[name=email]", f"{name}@example.com")
    await page.check("[name=languages][value=en]")
    await page.fill("[name=organization_name]", "Sample Cells Co.")
    await page.check("[name=sectors][value=batteries]")
    await page.check("[name=consent]")


async def press(page: Page) -> None:
    await page.click("form[data-form] button[type=submit]")


async def registered(site: Site) -> list[dict[str, Any]]:
    return [
        dict(row)["answers"] for row in await site.house.rows("SELECT answers FROM registration")
    ]


async def test_questions_come_and_go_and_faults_are_said_where_they_are(site: Site) -> None:
    await site.define(DIET, OTHER, PASSPORT, STAFF, PHOTOS)
    page = await site.open()
    which, passport = page.get_by_label("Which?"), page.get_by_label("Passport number")
    await expect(which).to_be_hidden()
    await expect(passport).to_be_hidden()
    await page.get_by_label("Something else").check()
    await expect(which).to_be_visible()
    await page.select_option("[name=country]", "US")
    await expect(passport).to_be_visible()
    await fill_in(page)
    await passport.fill("12345")
    await page.fill("[name=full_name]", " ")

    await press(page)

    summary = page.locator("#form-faults")
    await expect(summary).to_be_focused()
    links = await summary.get_by_role("link").all_inner_texts()
    assert links == ["Full name", "Which?", "Passport number", "I may be in photos of the event."]
    await expect(page.locator("#field-full_name .fault")).to_have_text("Please give your name.")
    await expect(page.locator('[id="field-answer.passport"] .fault')).to_contain_text("the form")
    assert await registered(site) == []

    await page.fill("[name=full_name]", "Sample Ana")
    await which.fill("no nuts")
    await passport.fill("AB123456")
    await page.get_by_label("I may be in photos").check()
    await press(page)

    await expect(page.get_by_text("Thank you.")).to_be_visible()
    expected = {"diet": "other", "diet_other": "no nuts", "passport": "AB123456", "photos": True}
    assert await registered(site) == [expected]


async def test_what_the_server_alone_knows_is_said_in_place_and_all_is_kept(site: Site) -> None:
    await site.define(DIET)
    page = await site.open(locale="zh-CN")
    await fill_in(page)
    await page.get_by_label("无要求").check()
    await page.fill("[name=registration_number]", "91350100M000100Y44")

    await press(page)

    await expect(page.locator("#field-registration_number .fault")).to_contain_text("不正确")
    await expect(page.locator("#form-faults a")).to_have_text(["统一社会信用代码"])
    await expect(page.get_by_label("无要求")).to_be_checked()
    assert await page.input_value("[name=email]") == "ana@example.com"
    await page.fill("[name=registration_number]", "")
    await press(page)
    await expect(page.get_by_text("报名已收到")).to_be_visible()


async def test_a_draft_is_back_after_the_page_was_lost_but_no_agreement_is(site: Site) -> None:
    await site.define(DIET, OTHER, PHOTOS)
    page = await site.open()
    await fill_in(page)
    await page.get_by_label("Something else").check()
    await page.get_by_label("Which?").fill("no nuts")
    await page.get_by_label("I may be in photos").check()
    key = await page.input_value("[name=key]")

    await page.reload()

    await expect(page.locator("#draft-note")).to_contain_text("are back")
    await expect(page.get_by_label("Which?")).to_have_value("no nuts")
    assert await page.input_value("[name=email]") == "ana@example.com"
    await expect(page.locator("[name=languages][value=en]")).to_be_checked()
    await expect(page.locator("[name=consent]")).not_to_be_checked()
    await expect(page.get_by_label("I may be in photos")).not_to_be_checked()
    # If it had been sent and the answer lost, it would be the same request.
    assert await page.input_value("[name=key]") == key

    await page.get_by_role("button", name="Clear them").click()
    assert await page.input_value("[name=email]") == ""
    await expect(page.get_by_label("Which?")).to_be_hidden()
    await page.reload()
    await expect(page.locator("#draft-note")).to_be_hidden()


async def test_a_draft_ends_after_days_and_when_the_form_was_sent(site: Site) -> None:
    page = await site.open()
    await page.fill("[name=email]", "old@example.com")
    await page.reload()
    assert await page.input_value("[name=email]") == "old@example.com"
    await page.evaluate(
        "for (const [name, value] of Object.entries(localStorage)) localStorage.setItem(name, "
        "JSON.stringify({...JSON.parse(value), saved_at: Date.now() - 3 * 86400000}))"
    )
    # The page that goes would save once more.
    await page.evaluate("document.querySelector('form[data-form]').setAttribute('data-done', '')")
    await page.reload()
    assert await page.input_value("[name=email]") == ""

    await fill_in(page)
    await press(page)
    await expect(page.get_by_text("Thank you.")).to_be_visible()
    assert await page.evaluate("Object.keys(localStorage).length") == 0


async def test_a_form_is_sent_when_the_connection_is_back(site: Site) -> None:
    page = await site.open()
    await fill_in(page)
    await page.context.set_offline(True)
    await press(page)
    await expect(page.locator("#form-status")).to_contain_text("Nothing is lost")
    assert await registered(site) == []

    await page.context.set_offline(False)

    await expect(page.get_by_text("Thank you.")).to_be_visible()
    assert await registered(site) == [{}]


async def test_an_answer_that_was_lost_makes_no_second_registration(site: Site) -> None:
    page = await site.open()
    await fill_in(page)
    lost: list[int] = []

    async def lose(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            answer = await route.fetch(max_redirects=0)
            lost.append(answer.status)
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route(f"**{REGISTER}", lose)
    await press(page)

    # Signed in by the repeated request, which is answered as the first was.
    await expect(page.get_by_text("Thank you.")).to_be_visible()
    assert lost == [303]
    assert await registered(site) == [{}]


async def test_a_file_is_sent_in_parts_and_a_part_that_was_lost_once_more(site: Site) -> None:
    await site.define(LETTER)
    page = await site.open()
    lost: list[str] = []

    async def lose(route: Route) -> None:
        if route.request.url.endswith("chunks/1") and not lost:
            lost.append(route.request.url)
            await route.abort("connectionreset")
        else:
            await route.continue_()

    await page.route("**/chunks/*", lose)
    brochure = {"name": "brochure.pdf", "mimeType": "application/pdf", "buffer": PDF}
    await page.set_input_files("input[type=file]", brochure)  # type: ignore[arg-type]  # a payload
    await expect(page.get_by_text("brochure.pdf is uploaded.")).to_be_visible()
    assert len(lost) == 1
    await fill_in(page)
    await page.fill("[name=registration_number]", "wrong")
    await press(page)
    # The page that says so still knows the file.
    await expect(page.locator("#field-registration_number .fault")).to_be_visible()
    await expect(page.get_by_text("brochure.pdf is uploaded.")).to_be_visible()
    await page.fill("[name=registration_number]", "")
    await press(page)

    await expect(page.get_by_text("Thank you.")).to_be_visible()
    (row,) = await site.house.rows("SELECT id::text, type, bytes, person_id FROM file")
    assert (row["type"], row["bytes"]) == ("pdf", len(PDF))
    assert row["person_id"] is not None
    assert await registered(site) == [{"letter": row["id"]}]


async def test_a_file_of_another_kind_or_too_big_is_refused_beside_its_question(site: Site) -> None:
    await site.define(LETTER)
    page = await site.open()
    fault = page.locator('[id="field-answer.letter"] .fault')
    for content, sentence in ((b"<script>", "kind"), (b"%PDF-" + b"x" * 2_000_001, "1.9 MB")):
        file = {"name": "brochure.pdf", "mimeType": "application/pdf", "buffer": content}
        await page.set_input_files("input[type=file]", file)  # type: ignore[arg-type]  # a payload
        await expect(fault).to_contain_text(sentence)


async def test_the_form_works_without_script(site: Site) -> None:
    await site.define(DIET, OTHER, LETTER)
    page = await site.open(java_script_enabled=False)
    await fill_in(page)
    await expect(page.get_by_label("Which?")).to_be_visible()
    await page.get_by_label("Everything").check()
    brochure = {"name": "brochure.pdf", "mimeType": "application/pdf", "buffer": PDF[:600_000]}
    await page.set_input_files("input[type=file]", brochure)  # type: ignore[arg-type]  # a payload
    await page.fill("[name=registration_number]", "wrong")
    await press(page)
    await expect(page.locator("#form-faults")).to_contain_text("Registration number")
    await page.fill("[name=registration_number]", "")
    await press(page)

    await expect(page.get_by_text("Thank you.")).to_be_visible()
    (row,) = await site.house.rows("SELECT id::text, bytes FROM file")
    assert row["bytes"] == 600_000
    assert await registered(site) == [{"diet": "all", "letter": row["id"]}]


async def test_who_is_late_is_told_so_and_keeps_what_was_typed(site: Site) -> None:
    page = await site.open()
    await fill_in(page)
    await site.house.rows(
        "UPDATE programme_item SET closes_at = $1", datetime(2020, 1, 1, tzinfo=UTC)
    )
    await press(page)
    await expect(page.get_by_text("Registration has closed.")).to_be_visible()
    assert await page.input_value("[name=email]") == "ana@example.com"
