"""Real servers and browsers for tests: an application behind a port, and Chromium."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from playwright.async_api import Browser, async_playwright

from services.embedded.servers.child import free_port
from shared.access import Tokens
from shared.http import App, create_app, equip
from shared.process import serve
from shared.service import Service
from tests.promises import Promises

CHROMIUM = ["--no-sandbox", "--disable-dev-shm-usage"]
START_SECONDS_MAX = 20


_FREE: dict[str, list[App]] = {}


@contextmanager
def lent(service: Service, tokens: Tokens) -> Iterator[App]:
    """Give the application of a service that tests have one after the other.

    To understand its routes takes a second; what they use is each test's own. What it answers is
    held against the document.
    """
    free = _FREE.setdefault(service.name, [])
    if not free:
        app = create_app([service], tokens)
        app.add_middleware(Promises)
        free.append(app)
    app = free.pop()
    equip(app, [service], tokens)
    yield app
    free.append(app)


@asynccontextmanager
async def serving(service: Service, tokens: Tokens) -> AsyncIterator[int]:
    """Serve as a process of ours does, its protocol and its signals included; gives the port."""
    port = free_port()
    app = create_app([service], tokens)
    task = asyncio.create_task(serve(app, [service], "127.0.0.1", port, quiet=True))
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                break
            except OSError:
                await asyncio.sleep(0.05)
    writer.close()
    yield port
    signal.raise_signal(signal.SIGTERM)
    await task


@asynccontextmanager
async def behind_an_address(app: Any) -> AsyncIterator[str]:
    """Put an application that tests call directly behind an address for browsers."""
    port = free_port()
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(START_SECONDS_MAX):
        while not server.started:
            await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await task


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Open Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*CHROMIUM, *arguments]
        )
        yield browser
        await browser.close()
