"""The scanning page in a browser, with and without the network, and the camera."""

import asyncio
import random
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx2
import pytest
import segno
from playwright.async_api import (
    Browser,
    BrowserContext,
    Dialog,
    Page,
    Route,
    ViewportSize,
    expect,
)

from services.registration.domain import badges as codes
from services.registration.domain import scans
from services.registration.pages import scanner
from shared.access import Principal
from shared.http import SESSION_COOKIE
from tests.serving import (
    behind_an_address,
    chromium,
    context_of,
    find_network,
    lose_network,
)

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

PHONE = ViewportSize(width=390, height=844)
needs_decoder = pytest.mark.skipif(
    not scanner.decoder(), reason="scripts/setup found no npm to fetch the decoder with"
)


@pytest.fixture
async def address(house: "House") -> AsyncIterator[str]:
    """The service behind an address that a browser can open."""
    transport = house.client._transport  # the application that the other tests call
    assert isinstance(transport, httpx2.ASGITransport)
    async with behind_an_address(transport.app) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def signed_in(
    browser: Browser, house: "House", address: str, who: Principal | None = None, **more: Any
) -> BrowserContext:
    header = house.browser(who or house.someone("door_staff"))["Cookie"]
    token = header.removeprefix(f"{SESSION_COOKIE}=")
    return await context_of(browser, address, token, viewport=PHONE, **{"locale": "en-US", **more})


async def opened(context: BrowserContext, house: "House", address: str) -> Page:
    page = await context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    await page.goto(f"{address}/desk/stops/{house.stop}/scan")
    await page.wait_for_selector("#scanner[data-ready=yes][data-offline=ready]")
    return page


async def typed(page: Page, text: str) -> None:
    await page.locator("#typed").fill(text)
    await page.locator("#typed").press("Enter")


async def says(page: Page, kind: str, text: str, *, is_verified: bool = True) -> None:
    shown = f"#result[data-kind={kind}][data-verified={'yes' if is_verified else 'no'}]"
    await expect(page.locator(shown)).to_contain_text(text)


async def code_of(house: "House", registration: dict[str, Any]) -> str:
    await house.get(f"/api/v1/stops/{house.stop}/roster", house.boss)
    (row,) = await house.rows(
        "SELECT code FROM badge WHERE person_id = $1 AND revoked_at IS NULL",
        UUID(registration["participant_id"]),
    )
    return str(row["code"])


async def kept(page: Page) -> dict[str, list[Any]]:
    """Give what the phone keeps."""
    found = await page.evaluate(
        """async () => {
            const done = (asked) => new Promise((resolve) => {
                asked.onsuccess = () => resolve(asked.result);
            });
            const database = await done(indexedDB.open("tradewind-door", 1));
            const all = (name) => done(database.transaction(name).objectStore(name).getAll());
            const found = { roster: await all("roster"), scan: await all("scan") };
            database.close();
            return { ...found, caches: await caches.keys() };
        }"""
    )
    return dict(found)


async def test_a_code_that_is_typed_lets_its_person_in(
    house: "House", address: str, browser: Browser
) -> None:
    code = await code_of(house, await house.registered("ana"))
    page = await opened(await signed_in(browser, house, address), house, address)

    await typed(page, codes.shown(code).lower())
    await says(page, "accepted", "Sample ana")
    await typed(page, code)
    await says(page, "already", "Already in since")
    await typed(page, code[:-1] + ("0" if code[-1] != "0" else "1"))
    await says(page, "refused", "Mistyped")

    await expect(page.locator("#headcount")).to_contain_text("1of 1 arrived")
    assert len(await house.rows("SELECT FROM scan")) == 2


async def test_scans_without_the_network_are_kept_and_sent_once(
    house: "House", address: str, browser: Browser
) -> None:
    people = [await house.registered(name) for name in ("ana", "bo", "chen")]
    known = [await code_of(house, person) for person in people]
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)
    sent: list[int] = []
    page.on(
        "response",
        lambda answer: sent.append(answer.status) if answer.url.endswith("/scans") else None,
    )

    await lose_network(context, address)
    await typed(page, known[0])
    await says(page, "accepted", "Not verified", is_verified=False)
    await typed(page, known[0])
    await says(page, "already", "Already in since", is_verified=False)
    await typed(page, known[2])
    await says(page, "refused", "On the waiting list", is_verified=False)
    await typed(page, codes.new_code(lambda alphabet: alphabet[7]))
    await says(page, "unknown", "Not on this phone's list", is_verified=False)
    await expect(page.locator("#connection")).to_have_text("Offline · 4 not sent")
    # As if the phone had run out of memory: page and scans come from what it kept.
    await page.reload()
    await page.wait_for_selector("#scanner[data-ready=yes]")
    await typed(page, known[1])
    await says(page, "accepted", "Sample bo", is_verified=False)
    assert await house.rows("SELECT FROM scan") == []

    await find_network(context, address)
    await expect(page.locator("#connection")).to_have_text("Online")
    await says(page, "accepted", "Sample bo")

    rows = await house.rows("SELECT outcome FROM scan ORDER BY scanned_at")
    assert [row["outcome"] for row in rows] == [
        "accepted",
        "already",
        "refused",
        "refused",
        "accepted",
    ]
    assert sent == [200]
    assert (await house.told()).count("participant.checked_in") == 2


async def test_a_scan_that_never_left_the_phone_is_taken_back_there(
    house: "House", address: str, browser: Browser
) -> None:
    ana, bo = await house.registered("ana"), await house.registered("bo")
    known = [await code_of(house, person) for person in (ana, bo)]
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)
    asked: list[str] = []

    async def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        await dialog.accept()

    page.on("dialog", answer)

    await lose_network(context, address)
    for code in known:
        await typed(page, code)
        await says(page, "accepted", "Not verified", is_verified=False)
    await typed(page, known[0])
    await says(page, "already", "Already in since", is_verified=False)
    await expect(page.locator("#connection")).to_have_text("Offline · 3 not sent")
    await page.locator("#recent li").first.get_by_role("button", name="Take back").click()

    await says(page, "undone", "The badge can be scanned again")
    assert asked == [
        "Take back the check-in of Sample ana? It was not sent yet: nobody hears of it."
    ]
    await expect(page.locator("#recent li")).to_have_count(1)
    # The next scan of the badge is a first one, with or without a page that was lost meanwhile.
    await page.reload()
    await page.wait_for_selector("#scanner[data-ready=yes]")
    await typed(page, known[0])
    await says(page, "accepted", "Sample ana", is_verified=False)
    await page.locator("#recent li").first.get_by_role("button", name="Take back").click()
    await says(page, "undone", "The badge can be scanned again")

    await find_network(context, address)
    await expect(page.locator("#connection")).to_have_text("Online")
    rows = await house.rows("SELECT person_id::text, outcome FROM scan")
    assert [tuple(row) for row in rows] == [(bo["participant_id"], "accepted")]
    assert (await house.told()).count("participant.checked_in") == 1


async def test_a_scan_that_a_server_may_have_heard_of_is_sent_before_it_is_taken_back(
    house: "House", address: str, browser: Browser
) -> None:
    ana = await house.registered("ana")
    code = await code_of(house, ana)
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)

    async def lose(route: Route) -> None:
        # The server hears of it, and its answer is lost on the way.
        await route.fetch()
        await route.abort()

    await page.route("**/scans", lose)
    await typed(page, code)
    await says(page, "accepted", "Not verified", is_verified=False)
    await expect(page.locator("#connection")).to_contain_text("1 not sent")
    assert len(await house.rows("SELECT FROM scan")) == 1
    await expect(page.locator("#recent [data-undo]")).to_be_hidden()

    await page.unroute("**/scans")
    await expect(page.locator("#recent [data-undo]")).to_be_visible()
    await page.locator("#recent [data-undo]").click()
    await page.get_by_role("button", name="Wrong person").click()
    await says(page, "undone", "Counts as not arrived")
    (row,) = await house.rows("SELECT checked_in_at FROM registration")
    assert row["checked_in_at"] is None


async def test_whoever_was_let_in_and_should_not_have_been_is_named(
    house: "House", address: str, browser: Browser
) -> None:
    ana, bo = await house.registered("ana"), await house.registered("bo")
    known = [await code_of(house, person) for person in (ana, bo)]
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)

    await lose_network(context, address)
    await typed(page, known[0])
    await says(page, "accepted", "Sample ana", is_verified=False)
    await typed(page, known[1])
    await says(page, "accepted", "Sample bo", is_verified=False)
    await house.decide(ana["id"], "cancel")
    await find_network(context, address)

    await expect(page.locator("#contradictions")).to_contain_text("Look for Sample ana")
    await expect(page.locator("#contradictions")).to_contain_text("Registration cancelled")


async def test_somebody_without_a_badge_is_found_by_pinyin_and_initials(
    house: "House", address: str, browser: Browser
) -> None:
    await house.registered("ana", person={"full_name": "Zhang Wei", "native_name": "张伟"})
    context = await signed_in(browser, house, address, locale="zh-CN")
    page = await opened(context, house, address)

    for text in ("zhangw", "zw", "张"):
        await page.locator("#typed").fill(text)
        await expect(page.locator("#found li")).to_contain_text("张伟")
    await page.locator("#typed").fill("nobody")
    await expect(page.locator("#nobody")).to_contain_text("没有此人")
    await page.locator("#typed").fill("zw")
    await page.locator("#found button.primary").click()

    await says(page, "accepted", "请入场")
    # Though the list on the phone is older.
    await page.locator("#typed").fill("zw")
    await expect(page.locator("#found li")).to_contain_text("已签到")


async def test_a_scanner_that_types_needs_no_field(
    house: "House", address: str, browser: Browser
) -> None:
    code = await code_of(house, await house.registered("ana"))
    page = await opened(await signed_in(browser, house, address), house, address)

    await page.keyboard.type(code)
    await page.keyboard.press("Enter")

    await says(page, "accepted", "Sample ana")


async def test_signing_out_leaves_nobody_on_the_phone(
    house: "House", address: str, browser: Browser
) -> None:
    ana, bo = [await code_of(house, await house.registered(name)) for name in ("ana", "bo")]
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)
    await typed(page, ana)
    await says(page, "accepted", "Sample ana")
    before = await kept(page)
    assert [len(before[name]) for name in ("roster", "scan", "caches")] == [1, 1, 1]

    # One that the server has not seen stays, without a name.
    await page.route("**/scans", lambda route: route.abort())
    await typed(page, bo)
    await says(page, "accepted", "Sample bo", is_verified=False)
    page.on("dialog", lambda dialog: dialog.accept())
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{address}/")

    after = await kept(page)
    assert (after["roster"], after["caches"]) == ([], [])
    assert [scan["code"] for scan in after["scan"]] == [bo]
    assert "Sample" not in str(after)


async def test_the_night_after_a_stop_its_people_are_forgotten(
    house: "House", address: str, browser: Browser
) -> None:
    code = await code_of(house, await house.registered("ana"))
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)
    await typed(page, code)
    await says(page, "accepted", "Sample ana")

    # The clock of the phone runs on; without the network no other list comes.
    await lose_network(context, address)
    await page.clock.install(time=datetime.now(UTC) + timedelta(hours=13))
    await page.reload()

    await expect(page.locator("#roster")).to_contain_text("No list on this phone")
    after = await kept(page)
    assert (after["roster"], after["scan"]) == ([], [])


async def test_a_session_that_ended_costs_the_names_and_no_scan(
    house: "House", address: str, browser: Browser
) -> None:
    code = await code_of(house, await house.registered("ana"))
    context = await signed_in(browser, house, address)
    page = await opened(context, house, address)

    await context.clear_cookies()
    await typed(page, code)
    await expect(page.locator("#sign-in")).to_be_visible()
    await expect(page.locator("#connection")).to_have_text("Signed out · 1 not sent")

    again = await signed_in(browser, house, address)
    await context.add_cookies(await again.cookies())  # type: ignore[arg-type]  # as they came
    await page.reload()
    await expect(page.locator("#connection")).to_have_text("Online")
    assert len(await house.rows("SELECT FROM scan WHERE outcome = 'accepted'")) == 1


async def test_the_worker_keeps_the_page_of_its_stop_and_may_see_no_other(
    house: "House",
) -> None:
    path = f"/desk/stops/{house.stop}/scan"
    page = await house.client.get(path, headers=house.browser(house.someone("door_staff")))
    worker = await house.client.get(f"{path}/worker.js")

    assert worker.headers["Service-Worker-Allowed"] == path
    assert f'const PAGE = "{path}"' in worker.text
    for file in scanner.files():
        assert f'"{file}"' in worker.text
    policy = page.headers["Content-Security-Policy"]
    assert ("'wasm-unsafe-eval'" in policy) == bool(scanner.decoder())
    elsewhere = await house.client.get("/", headers=house.browser(None))
    assert "wasm" not in elsewhere.headers["Content-Security-Policy"]


def registration(choice: random.Random, number: int, now: datetime) -> scans.Holding:
    starts = now + timedelta(minutes=choice.randrange(-600, 600, 30))
    return scans.Holding(
        registration_id=UUID(int=number),
        programme_item_id=UUID(int=number),
        status=choice.choice([*scans.STATUSES, "confirmed", "confirmed", "confirmed"]),
        starts_at=starts,
        ends_at=starts + timedelta(minutes=choice.choice((60, 150, 300))),
        checked_in_at=choice.choice((None, None, now - timedelta(minutes=5))),
    )


async def test_a_phone_judges_as_the_server_does(
    house: "House", address: str, browser: Browser
) -> None:
    choice = random.Random(2026)  # noqa: S311  # the same cases each time
    now = datetime(2026, 11, 9, 4, tzinfo=UTC)
    cases = []
    for _ in range(400):
        holdings = [registration(choice, n, now) for n in range(1, choice.randrange(2, 5))]
        item = choice.choice((None, None, UUID(int=choice.randrange(1, 5))))
        cases.append(
            (holdings, item, scans.judge(scans.Shown(UUID(int=9), holdings=holdings), item, now))
        )
    page = await opened(await signed_in(browser, house, address), house, address)

    said = await page.evaluate(
        """async ({ cases, now }) => {
            const { indexed, judge } = await import("/static/registration/scan-judge.js");
            return cases.map(({ items, registrations, item }) => {
                const people = [{ id: "p", registrations }];
                const roster = indexed({ items, people, revoked: [] });
                const found = judge(roster, { person: "p" }, item, Date.parse(now), new Map());
                return [found.outcome, found.reason, found.item];
            });
        }""",
        {"now": now.isoformat(), "cases": [_for_a_phone(*case[:2]) for case in cases]},
    )

    for (holdings, item, verdict), theirs in zip(cases, said, strict=True):
        meant = str(verdict.holding.programme_item_id) if verdict.holding else None
        assert theirs == [verdict.outcome, verdict.reason, meant], (holdings, item)
    assert len({(verdict.outcome, verdict.reason) for _, _, verdict in cases}) == 9


def _for_a_phone(holdings: list[scans.Holding], item: UUID | None) -> dict[str, Any]:
    return {
        "item": str(item) if item else None,
        "items": [
            {
                "id": str(one.programme_item_id),
                "starts_at": one.starts_at.isoformat(),
                "ends_at": one.ends_at.isoformat(),
            }
            for one in holdings
        ],
        "registrations": [
            {
                "programme_item_id": str(one.programme_item_id),
                "status": one.status,
                "checked_in_at": one.checked_in_at.isoformat() if one.checked_in_at else None,
            }
            for one in holdings
        ],
    }


async def test_a_phone_reads_and_digests_codes_as_the_server_does(
    house: "House", address: str, browser: Browser
) -> None:
    made = [codes.new_code(secrets.choice) for _ in range(20)]
    texts = [*made, *(codes.shown(code).lower() for code in made), *(code[::-1] for code in made)]
    page = await opened(await signed_in(browser, house, address), house, address)

    said = await page.evaluate(
        """async (texts) => {
            const { digest, readCode } = await import("/static/registration/scan-code.js");
            const read = texts.map(readCode);
            return { read, digests: await Promise.all(read.slice(0, 20).map(digest)) };
        }""",
        texts,
    )

    assert said["read"] == [codes.read(text) for text in texts]
    assert said["digests"] == [codes.digest(code).hex() for code in made]


@pytest.mark.parametrize("role", ["delegate", "local", "interpreter", "screen"])
async def test_the_page_is_for_the_door_alone(house: "House", role: Any) -> None:
    await house.page(f"/desk/stops/{house.stop}/scan", house.someone(role), status=403)


# An Android phone without Google's services: it says that it reads codes, and does not.
BROKEN = """globalThis.BarcodeDetector = class {
    static getSupportedFormats() { return Promise.resolve(["qr_code"]); }
    detect() { return Promise.reject(new DOMException("unavailable", "NotSupportedError")); }
};"""


@needs_decoder
@pytest.mark.parametrize("script", ["", BROKEN], ids=["no reader", "a broken reader"])
async def test_a_badge_before_the_camera_lets_its_person_in(
    house: "House", address: str, tmp_path: Path, script: str
) -> None:
    code = await code_of(house, await house.registered("ana"))
    video = tmp_path / "badge.y4m"
    video.write_bytes(filmed(code))
    arguments = (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={video}",
    )
    async with chromium(*arguments) as browser:
        context = await signed_in(browser, house, address, permissions=["camera"])
        await context.add_init_script(script)
        page = await opened(context, house, address)
        await page.get_by_role("button", name="Scan with the camera").click()
        await says(page, "accepted", "Sample ana")
        # Held before the camera it is one scan.
        await asyncio.sleep(2)

    assert len(await house.rows("SELECT FROM scan")) == 1


async def test_where_nothing_reads_codes_they_are_typed(
    house: "House", address: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner, "decoder", lambda: "")
    code = await code_of(house, await house.registered("ana"))
    page = await opened(await signed_in(browser, house, address), house, address)

    await expect(page.locator("#camera-fault")).to_contain_text("type the code")
    await expect(page.locator("#camera")).to_be_hidden()
    await typed(page, code)
    await says(page, "accepted", "Sample ana")


def filmed(code: str, *, width: int = 640, height: int = 480, pixels: int = 8) -> bytes:
    """Film a badge's QR code: a picture in YUV4MPEG2 that stands still."""
    symbol = segno.make(code, micro=False, error="q", boost_error=False)
    rows = [list(row) for row in symbol.matrix_iter(border=4)]
    left, top = (width - len(rows[0]) * pixels) // 2, (height - len(rows) * pixels) // 2
    luma = bytearray(b"\xe0" * (width * height))
    for y, row in enumerate(rows):
        line = b"".join((b"\x14" if dark else b"\xeb") * pixels for dark in row)
        for repeat in range(pixels):
            start = (top + y * pixels + repeat) * width + left
            luma[start : start + len(line)] = line
    chroma = b"\x80" * (width * height // 2)
    frame = b"FRAME\n" + bytes(luma) + chroma
    return f"YUV4MPEG2 W{width} H{height} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 10
