"""A matching service over a durable PostgreSQL, as a process of its own, with an empty log."""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.house import SECRET, database, running
from services.embedded.servers.child import free_port
from services.embedded.servers.postgres import postgres
from shared.postgres import migrate

MIGRATIONS = Path(__file__).parents[1] / "services" / "matching" / "migrations"


@dataclass(frozen=True)
class MatchingHouse:
    """What runs: the address of the database, the port and process of the service."""

    database_url: str
    port: int
    pid: int


@asynccontextmanager
async def matching_house(
    fill: Callable[[str], Awaitable[None]] | None = None,
) -> AsyncIterator[MatchingHouse]:
    """Start PostgreSQL and matching; stop both. `fill` is what is done to the database between."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(postgres(folder / "postgres"))
            url = await database(server.url, "matching")
            # Registration's log, which says nothing.
            heard = await database(server.url, "registration")
            await migrate(heard, [])
            if fill:
                await migrate(url, [MIGRATIONS])
                await fill(url)
            port = free_port()
            command = [sys.executable, "-m", "services.matching"]
            served = running(command, port, _environment(url, heard, port))
            yield MatchingHouse(url, port, await stack.enter_async_context(served))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(database_url: str, heard_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TRADEWIND_MODE": "development",
        "TRADEWIND_PORT": str(port),
        "TRADEWIND_DATABASE_URL": database_url,
        "TRADEWIND_LOG_URL": "postgresql:",
        "TRADEWIND_LOG_DATABASES": json.dumps({"registration": heard_url}),
        "TRADEWIND_SECRET_KEY": SECRET,
        "TRADEWIND_LOG_LEVEL": "error",
    }
