"""Staff in a browser: what mails say, who could not be reached, and how a mission tells its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Page, ViewportSize, expect

from services.notify.channels.email import Email, MailServer
from services.notify.commands import planning
from services.notify.commands.sending import Sender
from services.notify.domain.rules import Rules
from services.notify.pages import reaching, rules, templates
from services.notify.pages.rendering import pages
from services.notify.resources import Resources
from services.notify.store import suppressions, wishes
from services.notify.store.messages import News
from shared.access import Principal, Tokens
from shared.http import now
from shared.service import Service
from tests.services.notify.smtp import listening
from tests.serving import chromium, context_of, serving

PHONE, DESK = ViewportSize(width=390, height=844), ViewportSize(width=1280, height=900)
LONG = "an.address.of.somebody.with.many.names@subdomain.of.an.example.org"
ROUTERS = [templates.router, reaching.router, rules.router]


@pytest.fixture
def staff(person: Any, registration: Any) -> Principal:
    found: Principal = person("mission_staff")
    registration.know(found.subject, "staff@example.org", name="Sample Staff", native_name="王样例")
    return found


@pytest.fixture
async def unreached(planned: Any, stored: Any, registration: Any, resources: Resources) -> UUID:
    """Two whom mail came back from; one of them, who is given, has the same address still."""
    long = "Synthetic Hydrogen and Renewable Energies International Holding Ltd"
    registration.know(planned.delegate, "new@example.org", name="Ada Sample", organization=long)
    registration.know(planned.local, LONG, name="Li Yang", native_name="李样例")
    await stored(planned.meeting())
    reason = "550 5.1.1 Nobody; see https://mail.example.org/" + "a-path-without-a-space" * 6
    async with resources.database.transaction() as connection:
        for who, email in ((planned.delegate, "old@example.org"), (planned.local, LONG)):
            news = News.of("sign_in", who, planned.mission)
            await planning.tell(connection, [news], now())
            stands_for = resources.hygiene.stands_for(email)
            await suppressions.put(connection, who, stands_for, reason, now())
        await connection.execute("UPDATE message SET state = 'failed'")
    return UUID(str(planned.local))


@pytest.fixture
async def address(resources: Resources, tokens: Tokens, planned: Any) -> AsyncIterator[str]:
    """Notify behind an address that a browser can open, and the path of a mission's messages."""
    service = Service(
        name="notify",
        routers=ROUTERS,
        loops={},
        resources=resources,
        static=Path(rules.__file__).parent / "static",
    )
    async with serving(service, tokens) as port:
        yield f"http://127.0.0.1:{port}/desk/missions/{planned.mission}/messages"


@asynccontextmanager
async def opened(address: str, session: str, language: str) -> AsyncIterator[Page]:
    async with chromium() as browser:
        url = address.partition("/desk")[0]
        context = await context_of(browser, url, session, viewport=PHONE, locale=language)
        page = await context.new_page()
        page.on("pageerror", lambda error: pytest.fail(str(error)))
        yield page


@pytest.fixture
def session(staff: Principal, tokens: Tokens) -> str:
    return tokens.sign(staff, "session", datetime.now(UTC))


async def fits(page: Page) -> None:
    """See that nothing is wider than a phone, nor than a desk's screen."""
    for size in (DESK, PHONE):
        await page.set_viewport_size(size)
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} pixels too wide at {size['width']}"


async def recipients(resources: Resources) -> list[str]:
    """Send what is due, and say to whom each mail went."""
    async with listening() as server:
        channel = Email(resources.letterhead.sender, MailServer("127.0.0.1", server.port))
        sender = Sender(
            resources.database, resources.contacts, resources.letterhead, channel, rest=0
        )
        while await sender.send_due(now() + timedelta(minutes=1)):
            pass
        await channel.close()
    mails = [message_from_bytes(content) for content in server.taken]
    return [str(mail["To"]) for mail in mails]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_mistake_in_a_mail_is_told_at_its_field(
    language: str, address: str, session: str
) -> None:
    fault = pages.text("template_fault_unknown", language, what="{nmae}")
    async with opened(address, session, language) as page:
        await page.goto(f"{address}/templates/confirmed")
        await page.locator("textarea[name=body_zh]").fill("您好\n{link}\n{nmae}")
        await page.get_by_role("button", name=pages.text("template_save", language)).click()
        wrong = page.locator(".field.wrong")
        await expect(wrong).to_have_count(1)
        line = pages.text("template_line", language, line=3)
        await expect(wrong.locator("small")).to_have_text(f"{line} {fault}")
        # It is where one writes next, and nothing that was typed is gone.
        field = wrong.locator("textarea[name=body_zh]")
        await expect(field).to_be_focused()
        await expect(field).to_be_in_viewport()
        await expect(field).to_have_value("您好\n{link}\n{nmae}")
        await fits(page)


async def is_shown_as_a_mail_and_leads_nowhere(page: Page) -> None:
    mail = page.frame_locator("section article iframe").first
    button = mail.get_by_role("link", name="Open my page")
    await expect(button).to_have_css("color", "rgb(255, 255, 255)")
    await button.click()
    await expect(button).to_be_visible()
    assert len(page.context.pages) == 1
    # Not even what no mail of ours has is run or loaded.
    await page.locator("section article iframe").first.evaluate(
        "frame => { frame.srcdoc = frame.srcdoc.replace('</h1>', '</h1><img src="
        '"/static/icon.svg"><script>document.body.textContent = ""</script>\') }'
    )
    image = mail.locator("h1 + img")
    await expect(image).to_have_count(1)
    await expect(button).to_be_visible()
    assert await image.evaluate("image => image.decode().then(() => true, () => false)") is False


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_mail_is_worded_looked_at_tried_out_and_saved(
    language: str, address: str, session: str, resources: Resources
) -> None:
    def said(key: str) -> str:
        return pages.text(key, language)

    async with opened(address, session, language) as page:
        await page.goto(f"{address}/templates")
        await expect(page.locator("h1")).to_have_text(said("templates_title"))
        await fits(page)
        await page.get_by_text(said("template_of_confirmed"), exact=True).click()
        field, others = (page.locator(f"textarea[name=body_{one}]") for one in ("en", "zh"))
        await field.fill("Dear {name},\nsee you soon\n{link}")
        await others.fill("{name}，您好：\n期待与您见面\n{link}")
        await page.locator("button[value=preview]").click()
        shown = page.locator("section article")
        await expect(shown.first).to_contain_text("Dear Alex Sample,\nsee you soon")
        await expect(shown.last).to_contain_text("期待与您见面")
        await fits(page)
        await is_shown_as_a_mail_and_leads_nowhere(page)

        await page.locator("button[value=test]").click()
        await expect(page.get_by_role("status")).to_have_text(said("template_said_test"))
        assert await recipients(resources) == ["staff@example.org"] * 2

        await page.locator("button[value=save]").click()
        await expect(page.get_by_role("status")).to_have_text(said("template_said_save"))
        await expect(field).to_have_value("Dear {name},\nsee you soon\n{link}")
        writer = {"en": "Sample Staff", "zh": "王样例"}[language]
        await expect(page.locator(".log li")).to_contain_text(writer)
        await fits(page)
        await page.get_by_role("link", name=said("templates_title")).click()
        own = page.locator(".log li", has_text=said("template_own"))
        await expect(own.locator("strong")).to_have_text(said("template_of_confirmed"))


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_who_cannot_be_written_to_is_found_and_written_to_again(
    language: str, address: str, session: str, resources: Resources, unreached: UUID
) -> None:
    async with opened(address, session, language) as page:
        await page.goto(address)
        await page.get_by_role("link", name=pages.text("unreached_title", language)).click()
        cards = page.locator(".log > li")
        await expect(cards).to_have_count(2)
        lost = cards.filter(has_text={"en": "Li Yang", "zh": "李样例"}[language])
        await expect(lost).to_contain_text("550 5.1.1")
        await expect(lost.locator(".badge")).to_have_text(pages.text("unreached_gone", language))
        await fits(page)
        await lost.get_by_role("button").click()
        await expect(page.get_by_role("status")).to_have_text(
            pages.text("unreached_lifted", language)
        )
        await expect(cards).to_have_count(1)
        await fits(page)
        # Whose address is another one now needs nobody's leave.
        await expect(cards.locator(".badge")).to_have_text(
            pages.text("unreached_new_address", language)
        )
        await expect(cards.get_by_role("button")).to_have_count(0)
    await resources.hygiene.check(unreached, LONG, now())


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_questions_about_results_are_switched_off_and_on(
    language: str, address: str, session: str, resources: Resources, planned: Any
) -> None:
    async with opened(address, session, language) as page:
        await page.goto(address)
        switch = page.get_by_label(pages.text("rules_asks", language))
        save = page.get_by_role("button", name=pages.text("rules_save", language))
        await expect(switch).to_be_checked()
        await fits(page)
        for is_on in (False, True):
            await switch.set_checked(is_on)
            await save.click()
            await expect(page.get_by_role("status")).to_be_visible()
            await expect(switch).to_be_checked(checked=is_on)
            async with resources.database.reading() as connection:
                found = await wishes.rules_of(connection, planned.mission)
            assert found == Rules(asks_for_results=is_on)
