"""Signing in by a link: at once where a browser knows its reader, after a question elsewhere."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pytest

from shared.access import Principal
from shared.http import SESSION_COOKIE
from tests.services.registration.conftest import ORIGIN
from tests.services.registration.test_pages import REGISTER, filled

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

ELSEWHERE = "http://elsewhere.example"


def opening(house: "House") -> httpx2.AsyncClient:
    """A browser with cookies of its own, that nobody used yet."""
    headers = {"Accept": "text/html", "Accept-Language": "en"}
    transport = house.client._transport
    return httpx2.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)


async def going_on(browser: httpx2.AsyncClient, path: str, to: str = "") -> httpx2.Response:
    """Press the button of the question that a link asks."""
    form = {"token": parse_qs(urlsplit(path).query)["token"][0], "next": to}
    return await browser.post("/sign-in/continue", data=form, headers={"Origin": ORIGIN})


def is_signed_in(browser: httpx2.AsyncClient) -> bool:
    return SESSION_COOKIE in browser.cookies


async def test_a_link_signs_in_after_a_question_and_out_again(house: "House") -> None:
    ana = await house.registered("ana")
    async with opening(house) as browser:
        asked = await browser.get(ana["sign_in_path"] + "&next=/status")
        assert (asked.status_code, asked.headers["cache-control"]) == (200, "no-store")
        assert "Continue as Sample ana" in asked.text
        assert "local participant" in asked.text
        assert not is_signed_in(browser)

        fields = re.findall(r'name="(token|next)" value="([^"]*)"', asked.text)
        form = {name: unescape(value) for name, value in fields}
        answer = await browser.post("/sign-in/continue", data=form, headers={"Origin": ORIGIN})
        assert (answer.status_code, answer.headers["location"]) == (303, "/status")
        for kept in answer.headers.get_list("set-cookie"):
            assert "HttpOnly" in kept
            assert "SameSite=lax" in kept
        assert "Morning talks" in (await browser.get("/status")).text

        out = await browser.post("/sign-out", headers={"Origin": ORIGIN})
        assert out.headers["location"] == "/"
        assert not browser.cookies
        told = await house.rows("SELECT key::text, type FROM outbox ORDER BY id DESC LIMIT 1")
        assert [dict(row) for row in told] == [
            {"key": ana["participant_id"], "type": "registration.session.ended.v1"}
        ]
        assert "Continue as" in (await browser.get(ana["sign_in_path"])).text


async def test_a_browser_that_asked_for_the_link_is_not_asked(house: "House") -> None:
    ana = await house.registered("ana")
    form = {"mission_id": str(house.mission), "email": " ANA@example.com "}
    async with opening(house) as browser:
        await browser.post("/sign-in", data=form, headers={"Origin": ORIGIN})
        answer = await browser.get(ana["sign_in_path"] + "&next=/status")

        assert (answer.status_code, answer.headers["location"]) == (303, "/status")
        assert is_signed_in(browser)


async def test_a_link_that_was_asked_for_leads_where_one_wanted_to_go(house: "House") -> None:
    ana = await house.registered("ana")
    async with opening(house) as browser:
        refused = await browser.get("/status?late=1")
        way = re.search(r'href="(/sign-in\?next=[^"]+)"', refused.text)
        assert way, refused.text
        asking = await browser.get(unescape(way[1]))
        kept = re.search(r'name="next" value="([^"]*)"', asking.text)
        assert kept
        assert unescape(kept[1]) == "/status?late=1"
        form = {"mission_id": str(house.mission), "email": "ana@example.com", "next": kept[1]}
        await browser.post("/sign-in", data=form, headers={"Origin": ORIGIN})

        first = await browser.get(ana["sign_in_path"])
        again = await browser.get(ana["sign_in_path"])
        assert [one.headers["location"] for one in (first, again)] == ["/status?late=1", "/day"]


@pytest.mark.parametrize("to", ["//elsewhere.example", "https://elsewhere.example", "/状态", "/\n"])
async def test_a_browser_remembers_no_way_out_of_our_pages(house: "House", to: str) -> None:
    ana = await house.registered("ana")
    form = {"mission_id": str(house.mission), "email": "ana@example.com", "next": to}
    async with opening(house) as browser:
        asked = await browser.post("/sign-in", data=form, headers={"Origin": ORIGIN})
        assert asked.status_code == 200
        assert (await browser.get(ana["sign_in_path"])).headers["location"] == "/day"


async def test_a_browser_asks_once(house: "House") -> None:
    ana = await house.registered("ana")
    async with opening(house) as browser:
        await going_on(browser, ana["sign_in_path"])
        # The session has ended, as it does after a week.
        browser.cookies.delete(SESSION_COOKIE)
        answer = await browser.get(ana["sign_in_path"])

        assert answer.status_code == 303
        assert is_signed_in(browser)


async def test_what_was_asked_on_another_site_opens_nothing(house: "House") -> None:
    """A stranger's page sends the form with the stranger's address, and then leads to the link."""
    ana = await house.registered("ana")
    form = {"mission_id": str(house.mission), "email": "ana@example.com"}
    async with opening(house) as browser:
        await browser.post("/sign-in", data=form, headers={"Origin": ELSEWHERE})
        assert "Continue as" in (await browser.get(ana["sign_in_path"])).text
        assert not is_signed_in(browser)


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", ""])
async def test_only_the_question_itself_is_answered(house: "House", origin: str) -> None:
    ana = await house.registered("ana")
    token = parse_qs(urlsplit(ana["sign_in_path"]).query)["token"][0]
    async with opening(house) as browser:
        headers = {"Origin": origin} if origin else {}
        answer = await browser.post("/sign-in/continue", data={"token": token}, headers=headers)

        assert answer.status_code == 403
        assert not is_signed_in(browser)


async def test_who_is_signed_in_is_not_made_somebody_else_in_silence(house: "House") -> None:
    ana, bo = await house.registered("ana"), await house.registered("bo")
    async with opening(house) as browser:
        await going_on(browser, bo["sign_in_path"])
        before = browser.cookies[SESSION_COOKIE]
        asked = await browser.get(ana["sign_in_path"])

        assert "Sample bo is signed in on this browser now" in asked.text
        assert browser.cookies[SESSION_COOKIE] == before
        # The own link leads on at once.
        assert (await browser.get(bo["sign_in_path"])).status_code == 303


async def test_another_sites_form_registers_but_signs_nobody_in(house: "House") -> None:
    async with opening(house) as browser:
        answer = await browser.post(REGISTER, data=filled(house), headers={"Origin": ELSEWHERE})

        assert answer.status_code == 303
        assert not is_signed_in(browser)
        asked = await browser.get(answer.headers["location"])
        assert "Continue as Sample Ana" in asked.text
        assert not is_signed_in(browser)
        signed_in = await going_on(browser, answer.headers["location"], "/status?new=1")
        assert signed_in.headers["location"] == "/status?new=1"


async def test_a_screen_without_a_keyboard_is_not_asked(house: "House") -> None:
    screen = house.someone("screen")
    link = f"/sign-in?token={house.tokens.sign(screen, 'link', datetime.now(UTC))}"
    async with opening(house) as browser:
        answer = await browser.get(link)
        assert answer.headers["location"] == f"/screen/{house.stop}"
    async with opening(house) as browser:
        ana = await house.registered("ana")
        await going_on(browser, ana["sign_in_path"])
        assert "Continue as venue screen" in (await browser.get(link)).text


async def test_the_operators_first_link_asks_in_both_languages(house: "House") -> None:
    operator = Principal("mission_staff", house.boss.subject)
    link = f"/sign-in?token={house.tokens.sign(operator, 'link', datetime.now(UTC))}"
    async with opening(house) as browser:
        english = (await browser.get(link)).text
        assert "Continue as mission staff" in english
        other = unescape(re.findall(r'class="language"[^>]*href="([^"]*)"', english)[0])
        chinese = (await browser.get(f"/sign-in{other}")).text
        assert "以代表团工作人员的身份继续" in chinese
        assert (await going_on(browser, link)).headers["location"] == "/desk"


async def test_erasing_forgets_the_browser(house: "House") -> None:
    ana = await house.registered("ana")
    async with opening(house) as browser:
        await going_on(browser, ana["sign_in_path"])
        await browser.post("/my/privacy/erase", data={"sure": "yes"}, headers={"Origin": ORIGIN})
        assert not browser.cookies
        assert (await browser.get(ana["sign_in_path"])).status_code == 401


async def test_another_sites_form_signs_nobody_out(house: "House") -> None:
    # The browser leaves the cookie out of what another site sends.
    answer = await house.client.post("/sign-out")
    assert (answer.status_code, "set-cookie" in answer.headers) == (303, False)


@pytest.mark.parametrize(
    "to",
    [
        "https://elsewhere.example/",
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/%09/elsewhere.example",
        "/%0A/elsewhere.example",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        "%20//elsewhere.example",
    ],
)
async def test_a_link_leads_nowhere_else(house: "House", to: str) -> None:
    ana = await house.registered("ana")
    async with opening(house) as browser:
        await browser.get(f"{ana['sign_in_path']}&next={to}")
        signed_in = await going_on(browser, ana["sign_in_path"], unquote(to))
    location = signed_in.headers["location"]

    # What a browser makes of it: it drops tabs and line ends, and reads \ as /.
    seen = re.sub(r"[\t\r\n]", "", location).strip().replace("\\", "/")
    assert seen.startswith("/")
    assert not seen.startswith("//")


async def test_an_old_link_leads_to_a_page_that_offers_a_new_one(house: "House") -> None:
    old = datetime.now(UTC) - timedelta(days=31)
    token = house.tokens.sign(house.boss, "link", old)

    page = await house.page(f"/sign-in?token={token}", status=401)

    assert "your link has expired" in page
    assert 'href="/sign-in"' in page
    assert token not in page


async def test_an_old_cookie_does_not_lock_anybody_out(house: "House") -> None:
    headers = {
        "Cookie": f"{SESSION_COOKIE}=old",
        "Accept": "text/html",
        "Origin": "http://testserver",
    }
    assert (await house.client.get("/missions/sample", headers=headers)).status_code == 200
    assert (await house.client.get("/status", headers=headers)).status_code == 401
    form = {"mission_id": str(house.mission), "email": "ana@example.com"}
    assert (await house.client.post("/sign-in", data=form, headers=headers)).status_code == 200


async def test_asking_for_a_link_looks_the_same_for_everybody(house: "House") -> None:
    ana = await house.registered("ana")
    forms = [
        {"mission_id": str(house.mission), "email": email}
        for email in ("ana@example.com", "nobody@example.com", "nonsense")
    ]
    pages = [await house.send("/sign-in", form) for form in forms]

    assert [page.status_code for page in pages] == [200] * 3
    assert len({page.text for page in pages}) == 1
    assert (await house.told(ana["participant_id"]))[-1] == "sign_in.requested"
