"""An installation in a process beside this one, which starts it again when it dies."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.embedded.installation import LogKind, secret_of
from services.embedded.running import HOST
from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, free_port, supervised
from services.embedded.servers.folder import claim
from shared.access import Tokens

ASK_SECONDS_MAX = 5


@dataclass(frozen=True, slots=True)
class Beside:
    """An installation that runs: its address, what signs its sessions, and its data folder."""

    url: str
    tokens: Tokens
    data: Path


@asynccontextmanager
async def beside(log: LogKind) -> AsyncIterator[Beside]:
    """Run an empty installation on a folder of its own, which is deleted afterwards.

    Raises `ServerKeepsFailing` when it cannot be kept alive.
    """
    folder = _folder()
    try:
        async with claim(folder / "process", OURS) as held:
            program = _program(folder / "data", log)
            async with supervised(program, held) as server:
                data = folder / "data"
                yield Beside(server.url, Tokens(secret_of(data)), data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-rehearsal-"))
    # The account of the servers passes through it to their own folders.
    folder.chmod(0o711)
    return folder


def _program(data: Path, log: LogKind) -> Program:
    port = free_port()
    options = {"--port": str(port), "--data": str(data), "--log": log}
    words = [word for option in options.items() for word in option]
    return Program(
        name="Tradewind",
        command=[sys.executable, "-m", "services", "--empty", *words],
        url=f"http://{HOST}:{port}",
        ask=lambda: ask(port),
        stop_signal=signal.SIGTERM,
        stop_seconds=60.0,
        # The servers of the process before it must end first: they hold the data.
        backoff_seconds=0.5,
    )


async def ask(port: int) -> None:
    """Return when the installation is ready; raise OSError while it is not."""
    async with asyncio.timeout(ASK_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(HOST, port)
        try:
            writer.write(f"GET /readyz HTTP/1.0\r\nHost: {HOST}:{port}\r\n\r\n".encode())
            if b" 200 " not in await reader.readline():
                raise ConnectionError("not ready")
        finally:
            writer.close()
            await writer.wait_closed()
