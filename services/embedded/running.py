"""Running an installation in this process, until a signal."""

import asyncio
import socket
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from services.embedded.installation import Wanted, installed
from services.embedded.welcome import welcome
from services.rehearsal.client import Client, Refused, Unreachable
from services.rehearsal.example import Example
from services.rehearsal.loading import load
from services.rehearsal.scheduling import ScheduleFailedError
from shared.access import Principal, Tokens
from shared.http import create_app
from shared.process import serve

HOST = "127.0.0.1"
NOBODY = UUID(int=0)


class PortInUse(Exception):
    """Another program listens on the port; the message says what to do."""


def say(text: str = "") -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def run(wanted: Wanted, example: Path | None) -> None:
    """Serve an installation; with an example, load it once and show the way in for each role.

    Raises `PortInUse`, and `StaleDataFolder` where the data cannot be used.
    """
    refuse_used_port(wanted.port)
    read = Example.read(example) if example else None
    async with installed(wanted) as installation:
        app = create_app(installation.services, installation.tokens)
        serving = serve(app, installation.services, HOST, wanted.port, quiet=True)
        if read is None:
            await serving
            return
        url = f"http://{HOST}:{wanted.port}"
        await _with_guide(serving, lambda: _guide(url, installation.tokens, read))


async def _with_guide(serving: Awaitable[None], guide: Callable[[], Awaitable[None]]) -> None:
    """Serve, and show the guide meanwhile; whoever is served last ends both."""
    guiding = asyncio.ensure_future(guide())
    try:
        await serving
    finally:
        guiding.cancel()
        await asyncio.wait([guiding])
    if not guiding.cancelled() and (error := guiding.exception()):
        raise error


async def _guide(url: str, tokens: Tokens, example: Example) -> None:
    token = staff_token(tokens)
    async with Client.connect(url, token) as client:
        try:
            say(f"Tradewind answers at {url}. Loading {example.plan.mission.title.en} …")
            loaded = await load(client, example)
            await welcome(client, url, loaded)
        except (Refused, Unreachable, ScheduleFailedError) as error:
            say(
                f"The example could not be loaded: {error}\n"
                "Press Ctrl-C and start again: what is there is kept, and the rest is loaded."
            )


def staff_token(tokens: Tokens) -> str:
    """Sign a session of mission staff for every mission, as the operator of the installation."""
    who = Principal(role="mission_staff", subject=NOBODY)
    return tokens.sign(who, "session", datetime.now(UTC))


def refuse_used_port(port: int) -> None:
    """Raise `PortInUse` when something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            raise PortInUse(
                f"Port {port} is in use by another program: stop it, or choose another port, "
                f"for example: make run ARGS='--port {port + 1}'."
            ) from None
