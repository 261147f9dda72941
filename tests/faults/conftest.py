"""Registration as a process of its own over a PostgreSQL of its own: each may be killed."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx2
import pytest

from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim
from services.embedded.servers.postgres import postgres
from shared.access import Principal, Tokens

ROOT = Path(__file__).parents[2]
SECRET = "only for tests, and long enough for them"
NAMES = {"en": "Sample", "zh": "示例"}


@dataclass
class Pair:
    """The service and its database."""

    server: Server
    service: Server
    database_url: str
    client: httpx2.AsyncClient
    item: str = ""

    def headers(self) -> dict[str, str]:
        """Sign in as mission staff."""
        who = Principal("mission_staff", uuid4())
        token = Tokens(SECRET).sign(who, "session", datetime.now(UTC))
        return {"Authorization": f"Bearer {token}"}

    async def staff(self, method: str, path: str, body: object) -> dict[str, Any]:
        answer = await self.client.request(
            method, f"{self.service.url}/api/v1{path}", json=body, headers=self.headers()
        )
        assert answer.status_code in (200, 201), answer.text
        content: dict[str, Any] = answer.json()
        return content

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def crash_the_database(self) -> None:
        """Stop PostgreSQL as `pg_ctl stop -m immediate` does: nothing is written any more."""
        self.server.kill(signal.SIGQUIT)
        await asyncio.sleep(0.1)
        await self.server.ready()


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as stack:
            yield await build(folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def build(folder: Path, stack: AsyncExitStack) -> Pair:
    server = await stack.enter_async_context(postgres(folder / "postgres", durable=False))
    url = f"{server.url.rpartition('/')[0]}/registration"
    connection = await asyncpg.connect(server.url)
    await connection.execute("CREATE DATABASE registration TEMPLATE template0")
    await connection.close()
    held = await stack.enter_async_context(claim(folder / "registration", OURS))
    service = await stack.enter_async_context(supervised(program(url, free_port()), held))
    client = await stack.enter_async_context(httpx2.AsyncClient(timeout=60))
    pair = Pair(server, service, url, client)
    pair.item = await planned(pair)
    return pair


def program(url: str, port: int) -> Program:
    environment = {
        "MODE": "development",
        "PORT": port,
        "DATABASE_URL": url,
        "LOG_URL": "postgresql:",
        "SECRET_KEY": SECRET,
        "LOG_LEVEL": "error",
        # All clients have one address here, and are a rush.
        "LIMIT_REGISTRATIONS": 0,
        "WAITING_ROOM_SECONDS": 0,
    }
    variables = [f"TRADEWIND_{name}={value}" for name, value in environment.items()]
    path = f"PYTHONPATH={ROOT}"

    async def ask() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()

    return Program(
        name="registration",
        command=["env", path, *variables, sys.executable, "-m", "services.registration"],
        url=f"http://127.0.0.1:{port}",
        ask=ask,
        stop_signal=signal.SIGTERM,
    )


async def planned(pair: Pair) -> str:
    mission = await pair.staff(
        "POST",
        "/missions",
        {
            **{"slug": "sample", "title": NAMES, "summary": NAMES},
            **{"starts_on": "2030-11-06", "ends_on": "2030-11-11"},
            **{"home_country": "US", "host_country": "CN", "sectors": {"batteries": NAMES}},
        },
    )
    stop = await pair.staff(
        "POST",
        f"/missions/{mission['id']}/stops",
        {
            **{"slug": "stop", "city": NAMES, "title": NAMES},
            **{"timezone": "Asia/Shanghai", "date": "2030-11-07"},
        },
    )
    item = await pair.staff(
        "POST",
        f"/stops/{stop['id']}/programme-items",
        {
            **{"slug": "talks", "kind": "matchmaking", "title": NAMES, "capacity": 500},
            **{"starts_at": "2030-11-07T02:00:00Z", "ends_at": "2030-11-07T04:00:00Z"},
        },
    )
    return str(item["id"])
