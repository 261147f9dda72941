"""`make run`, as somebody at a terminal and in a browser meets it."""

import asyncio
import re
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from services.embedded.servers.child import free_port
from tests.serving import chromium

START_SECONDS_MAX = 300
END_SECONDS_MAX = 180
END_OF_WELCOME = "Ctrl-C stops everything."
ROLES = (
    "Mission staff",
    "Partner staff, Shanghai",
    "Door staff",
    "Delegate",
    "Local participant",
    "Interpreter",
    "Venue screen",
)


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[Process]:
    command = [sys.executable, "-m", "services", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), END_SECONDS_MAX)


async def welcome(process: Process) -> dict[str, str]:
    """Read what the terminal shows, up to the end, and give the address under each heading."""
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(START_SECONDS_MAX):
        while END_OF_WELCOME not in said:
            line = (await process.stdout.readline()).decode()
            assert line, said
            said += line
    return dict(re.findall(r"^(\S[^\n]*)\n {2}(http\S+)", said, re.MULTILINE))


async def page(browser: Browser, address: str, language: str = "en-US") -> Page:
    context = await browser.new_context(locale=language, viewport={"width": 390, "height": 844})
    opened = await context.new_page()
    await opened.goto(address)
    if asked := await opened.locator("form[action='/sign-in/continue'] button").all():
        await asked[0].click()
    return opened


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


async def test_a_call_at_the_desk_is_on_the_delegates_phone_at_once(
    one_stop: Path, tmp_path: Path, browser: Browser
) -> None:
    port = str(free_port())
    data = str(tmp_path / "data")
    async with started("--example", str(one_stop), "--port", port, "--data", data) as process:
        links = await welcome(process)
        assert set(ROLES) <= set(links)

        board = await page(browser, links["Mission staff"])
        await board.get_by_role("link", name="Meeting board").click()
        phone = await page(browser, links["Delegate"])
        chinese = await page(browser, links["Local participant"], "zh-CN")
        screen = await page(browser, links["Venue screen"])
        await expect(phone.get_by_role("heading", name="My meetings")).to_be_visible()
        await expect(chinese.get_by_role("heading", name="我的洽谈")).to_be_visible()
        when = await phone.locator("[data-slot=from]").first.inner_text()
        table = await phone.locator("[data-slot=point]").first.inner_text()

        await board.locator(f"[data-point='{table}'][data-time^='{when}']").click()
        await board.get_by_role("button", name="Call to the table").click()

        await expect(phone.get_by_text("Please come to the table").first).to_be_visible()
        await expect(screen.get_by_text("Please come").first).to_be_visible()
        await expect(board.locator(".badge", has_text="Called")).to_be_visible()


async def test_one_at_a_time_has_a_data_folder_and_starts_again_with_it(tmp_path: Path) -> None:
    arguments = ("--empty", "--port", str(free_port()), "--data", str(tmp_path / "data"))
    async with started(*arguments) as process:
        await answers(arguments[2])
        async with started(*arguments[:2], str(free_port()), *arguments[3:]) as second:
            _, complaint = await asyncio.wait_for(second.communicate(), END_SECONDS_MAX)
        await stopped(process)

    assert second.returncode == 1
    assert "already uses the data folder" in complaint.decode()
    assert complaint.count(b"\n") == 1
    async with started(*arguments) as process:
        await answers(arguments[2])
        await stopped(process)


async def stopped(process: Process) -> None:
    process.send_signal(signal.SIGINT)
    out, complaint = await asyncio.wait_for(process.communicate(), END_SECONDS_MAX)
    assert (process.returncode, out, complaint) == (0, b"", b"")


async def test_a_port_in_use_is_said_in_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with started("--port", str(port), "--data", str(tmp_path)) as process:
            _, complaint = await asyncio.wait_for(process.communicate(), END_SECONDS_MAX)

    assert process.returncode == 1
    assert complaint.decode().startswith(f"Port {port} is in use by another program")
    assert complaint.count(b"\n") == 1


async def answers(port: str) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", int(port))
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                await writer.wait_closed()
                return
