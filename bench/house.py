"""A registration service over a durable PostgreSQL, as separate processes, and a mission in it."""

import asyncio
import json
import os
import shutil
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg

from services.embedded.servers.child import free_port
from services.embedded.servers.postgres import postgres
from shared.access import Principal, Tokens

SECRET = "a secret that only the benchmark knows"  # noqa: S105  # of servers that live for minutes
CAPACITY_MAX = 100_000
START_SECONDS_MAX = 60
NAMES = {"en": "Benchmark", "zh": "基准测试"}


@dataclass(frozen=True)
class House:
    """What runs: the address of PostgreSQL, the port and process of the service."""

    postgres_url: str
    database_url: str
    port: int
    pid: int

    async def post(self, path: str, body: object) -> dict[str, Any]:
        """Ask the service as mission staff."""
        who = Principal("mission_staff", uuid4())
        token = Tokens(SECRET).sign(who, "session", datetime.now(UTC))
        request = urllib.request.Request(  # an address of ours
            f"http://127.0.0.1:{self.port}/api/v1{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        return await asyncio.to_thread(_answer, request)

    async def item(self, capacity: int = CAPACITY_MAX) -> str:
        """Plan a mission with one programme item, and give the item's id."""
        mission = await self.post(
            "/missions",
            {
                "slug": f"bench-{uuid4().hex}",
                "title": NAMES,
                "summary": NAMES,
                "starts_on": "2030-11-06",
                "ends_on": "2030-11-11",
                "home_country": "US",
                "host_country": "CN",
                "sectors": {"batteries": NAMES},
            },
        )
        stop = await self.post(
            f"/missions/{mission['id']}/stops",
            {
                "slug": "stop",
                "city": NAMES,
                "title": NAMES,
                "timezone": "Asia/Shanghai",
                "date": "2030-11-07",
            },
        )
        item = await self.post(
            f"/stops/{stop['id']}/programme-items",
            {
                "slug": "item",
                "kind": "conference",
                "title": NAMES,
                "starts_at": "2030-11-07T02:00:00Z",
                "ends_at": "2030-11-07T04:00:00Z",
                "capacity": capacity,
            },
        )
        return str(item["id"])

    def memory_mib(self) -> float:
        """Give what the service holds in memory, its share of what is shared included, in MiB."""
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("The kernel tells no Pss.")


def _answer(request: urllib.request.Request) -> dict[str, Any]:
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # of ours
        content: dict[str, Any] = json.load(response)
        return content


@asynccontextmanager
async def house() -> AsyncIterator[House]:
    """Start PostgreSQL, with everything it does for durability, and the service; stop both."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as stack:
            server = await stack.enter_async_context(postgres(folder / "postgres"))
            url = await database(server.url, "registration")
            port = free_port()
            command = [sys.executable, "-m", "services.registration"]
            served = running(command, port, _environment(url, port))
            yield House(server.url, url, port, await stack.enter_async_context(served))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def database(server_url: str, name: str) -> str:
    """Make an empty database and give its address."""
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    await connection.close()
    return f"{server_url.rpartition('/')[0]}/{name}"


def _environment(database_url: str, port: int) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TRADEWIND_MODE": "development",
        "TRADEWIND_PORT": str(port),
        "TRADEWIND_DATABASE_URL": database_url,
        "TRADEWIND_LOG_URL": "postgresql:",
        "TRADEWIND_SECRET_KEY": SECRET,
        "TRADEWIND_LOG_LEVEL": "warning",
        # The load comes from addresses of its own making, as a gateway would name them.
        "TRADEWIND_GATEWAYS": "127.0.0.1",
        # What is measured is the queue behind it.
        "TRADEWIND_WAITING_ROOM_SECONDS": "0",
    }


async def listening(port: int) -> None:
    """Wait until somebody listens on a port; raises `TimeoutError`."""
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.1)
            else:
                writer.close()
                return


@asynccontextmanager
async def running(
    command: Sequence[str], port: int, environment: Mapping[str, str] | None = None
) -> AsyncIterator[int]:
    """Run a server until the end of the block; gives its process id once it listens."""
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        await listening(port)
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
