"""Real servers and browsers for tests: an application behind a port, and Chromium."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import playwright
import uvicorn
from playwright.async_api import Browser, BrowserContext, Playwright, async_playwright, expect

from services.embedded.servers.child import free_port
from shared.access import Tokens
from shared.http import SESSION_COOKIE, App, create_app, equip
from shared.process import serve
from shared.service import Service
from tests.promises import Promises

CHROMIUM = ["--no-sandbox", "--disable-dev-shm-usage"]
PLAYWRIGHT = Path(playwright.__file__).parent
START_SECONDS_MAX = 60
MILLISECONDS_MAX = 60_000
"""For what a page must come to show: a machine that is busy with other tests may take its time."""

expect.set_options(timeout=MILLISECONDS_MAX)


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
    address = f"http://127.0.0.1:{port}"
    _BEHIND[address] = server
    yield address
    del _BEHIND[address]
    server.should_exit = True
    await task


_BEHIND: dict[str, uvicorn.Server] = {}


async def context_of(
    browser: Browser, address: str, session: str, **options: Any
) -> BrowserContext:
    """Open a browser's context in which somebody is signed in, by the token of a session."""
    context = await browser.new_context(**options)
    context.set_default_timeout(MILLISECONDS_MAX)
    await context.add_cookies([{"name": SESSION_COOKIE, "value": session, "url": address}])
    return context


async def lose_network(context: BrowserContext, address: str) -> None:
    """Let a browser reach nothing.

    Chromium forgets that it is to be offline for a service worker that starts anew: so nobody
    listens at the address either.
    """
    await context.set_offline(True)
    server = _BEHIND[address]
    for listening in server.servers:
        listening.close()
    for connection in [*server.server_state.connections]:
        connection.transport.abort()


async def find_network(context: BrowserContext, address: str) -> None:
    """Let a browser reach the address again."""
    server = _BEHIND[address]
    config = server.config

    def protocol() -> asyncio.Protocol:
        kind: Any = config.http_protocol_class
        made: asyncio.Protocol = kind(config=config, server_state=server.server_state, app_state={})
        return made

    loop = asyncio.get_running_loop()
    server.servers = [await loop.create_server(protocol, config.host, config.port)]
    await context.set_offline(False)


class _Driver:
    """What drives browsers, and the one that tests have one after the other: to start both takes
    longer than what most tests do with them.
    """

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def launch(self, *arguments: str) -> Browser:
        """Start a browser of one's own."""
        if self._playwright is None:
            self._playwright = await async_playwright().start()
        return await self._playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[*CHROMIUM, *arguments]
        )

    async def shared(self) -> Browser:
        """Give the one for all, anew after a test that broke it."""
        if self._browser is None or not self._browser.is_connected():
            self._browser = await self.launch()
        return self._browser

    async def stop(self) -> None:
        """End all that was started."""
        if self._browser:
            await self._browser.close()
        if self._playwright:
            await self._playwright.stop()
        self._playwright = self._browser = None


DRIVER = _Driver()


def is_of_the_driver(task: asyncio.Task[Any]) -> bool:
    """Say whether a task is of what drives browsers, which outlives a test."""
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(PLAYWRIGHT)


@asynccontextmanager
async def chromium(*arguments: str) -> AsyncIterator[Browser]:
    """Give Chromium without a context; those that are opened in it end with the block.

    A context shares nothing with another: no cookie, cache, worker or connection.
    """
    browser = await (DRIVER.launch(*arguments) if arguments else DRIVER.shared())
    yield browser
    if arguments:
        await browser.close()
    else:
        for context in browser.contexts:
            await context.close()
