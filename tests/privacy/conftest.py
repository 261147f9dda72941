"""The three services as processes, on servers that a test may look into from end to end."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx2
import pytest
from redis.asyncio import Redis

from services.embedded.servers.child import free_port
from shared.access import Principal, Tokens
from shared.log import outbox
from shared.postgres import Database

ROOT = Path(__file__).parents[2]
SECRET = "only for tests, and long enough for them"
SERVICES = ("registration", "matching", "notify")
READY_SECONDS_MAX = 240
SEEN_SECONDS_MAX = 120


@dataclass
class House:
    """Three services, and what they leave behind."""

    urls: dict[str, str]
    databases: dict[str, str]
    redis_url: str
    logs: dict[str, Path]
    processes: list[Process] = field(default_factory=list)
    tokens: Tokens = field(default_factory=lambda: Tokens(SECRET))

    def headers(self, who: Principal | None, **more: str) -> dict[str, str]:
        if who is None:
            return more
        token = self.tokens.sign(who, "session", datetime.now(UTC))
        return more | {"Authorization": f"Bearer {token}"}

    async def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        who: Principal | None = None,
        **headers: str,
    ) -> httpx2.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx2.AsyncClient(base_url=self.urls[service], timeout=60) as client:
            return await client.request(method, path, json=body, headers=self.headers(who, **given))

    async def made(self, service: str, path: str, body: object, who: Principal) -> dict[str, Any]:
        """Make something; a service that has not heard of its parts yet is asked again."""

        async def make() -> dict[str, Any] | None:
            answer = await self.ask(service, "POST", path, body, who, Idempotency_Key=uuid4().hex)
            if answer.status_code in (404, 409):
                return None
            assert answer.status_code in (200, 201, 202), answer.text
            content: dict[str, Any] = answer.json()
            return content

        return await self.seen(make)

    async def seen(self, look: Callable[[], Awaitable[Any]]) -> Any:
        """Look until there is something."""
        async with asyncio.timeout(SEEN_SECONDS_MAX):
            while not (found := await look()):
                await asyncio.sleep(0.1)
        return found

    async def rows(self, service: str, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.databases[service])
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    async def dump(self, service: str) -> str:
        """Write every row of every table, as COPY does, and in the letters that bytes stand for."""
        connection = await asyncpg.connect(self.databases[service])
        parts: list[str] = []

        async def keep(data: bytes) -> None:
            parts.append(data.decode(errors="replace"))

        try:
            tables = await connection.fetch(
                "SELECT tablename, (SELECT string_agg(attname, ',') FROM pg_attribute "
                "WHERE attrelid = tablename::regclass AND atttypid = 'bytea'::regtype "
                "AND NOT attisdropped) AS bytes FROM pg_tables WHERE schemaname = 'public'"
            )
            for table in tables:
                await connection.copy_from_table(table["tablename"], output=keep)
                for column in filter(None, (table["bytes"] or "").split(",")):
                    rows = await connection.fetch(
                        f"SELECT {column} AS content FROM {table['tablename']} "  # noqa: S608
                        f"WHERE {column} IS NOT NULL"
                    )
                    parts += [row["content"].decode(errors="replace") for row in rows]
        finally:
            await connection.close()
        return "\n".join(parts)

    async def records(self) -> str:
        """Write every record as it goes to Kafka: key, headers and value."""
        parts = []
        for service in ("registration", "matching"):
            async with (
                Database.connect(self.databases[service], size=1) as database,
                database.reading() as connection,
            ):
                found, _ = await outbox.after(connection, 0, limit=100_000)
            parts += [
                f"{record.key!r} {_text(record.headers)} {_text(record.value)}" for record in found
            ]
        return "\n".join(parts)

    async def redis(self) -> str:
        """Write every key of Redis with its value, whatever its kind."""
        parts = []
        async with Redis.from_url(self.redis_url) as client:
            async for key in client.scan_iter("*"):
                value = await _value(client, key)
                parts.append(f"{_text(key)} {_text(value)}")
        return "\n".join(parts)

    def logged(self) -> str:
        """Give everything that the processes wrote."""
        return "\n".join(file.read_text(errors="replace") for file in self.logs.values())

    async def public_places(self) -> dict[str, str]:
        """Give the content of each place where nothing about a person may be."""
        return {
            "records": await self.records(),
            "redis": await self.redis(),
            "logs": self.logged(),
        }


async def _value(client: Redis, key: bytes) -> object:
    match await client.type(key):
        case b"hash":
            return await client.hgetall(key)
        case b"stream":
            return await client.xrange(key)
        case b"string":
            return await client.get(key)
        case b"list":
            return await client.lrange(key, 0, -1)
        case b"set":
            return await client.smembers(key)
        case b"zset":
            return await client.zrange(key, 0, -1, withscores=True)
        case other:
            raise AssertionError(f"a kind of key that nobody looks into: {other!r}")


def _text(value: object) -> str:
    """Write bytes as the letters they stand for, however deep they lie."""
    match value:
        case bytes():
            text = value.decode(errors="replace")
            # JSON may write letters as \\u4e00.
            with contextlib.suppress(ValueError):
                text += json.dumps(json.loads(text), ensure_ascii=False)
            return text
        case dict():
            return " ".join(f"{_text(k)} {_text(v)}" for k, v in value.items())
        case list() | tuple() | set():
            return " ".join(_text(part) for part in value)
        case _:
            return str(value)


@pytest.fixture
async def house(
    new_database: Callable[[], Awaitable[str]], redis_db: str, tmp_path: Path
) -> AsyncIterator[House]:
    ports = {name: free_port() for name in SERVICES}
    house = House(
        urls={name: f"http://127.0.0.1:{port}" for name, port in ports.items()},
        databases={name: await new_database() for name in SERVICES},
        redis_url=redis_db,
        logs={name: tmp_path / f"{name}.log" for name in SERVICES},
    )
    try:
        for name in SERVICES:
            # One after the other: each reads the outbox tables of those before it.
            house.processes.append(await start(house, name, ports[name]))
            await ready(house, name)
        yield house
    finally:
        for process in house.processes:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in house.processes:
            await process.wait()


async def start(house: House, name: str, port: int) -> Process:
    environment = {
        "MODE": "development",
        "PORT": str(port),
        "DATABASE_URL": house.databases[name],
        "LOG_URL": "postgresql:",
        "LOG_DATABASES": json.dumps(
            {topic: house.databases[topic] for topic in ("registration", "matching")}
        ),
        "SECRET_KEY": SECRET,
        "REDIS_URL": house.redis_url,
        "MAILBOX": "true" if name == "notify" else "false",
        "INTERNAL_URL": house.urls["registration"],
        "MATCHING_URL": house.urls["matching"],
        "NOTIFY_URL": house.urls["notify"],
        "LOG_LEVEL": "debug",
    }
    variables = {f"TRADEWIND_{key}": value for key, value in environment.items()}
    with house.logs[name].open("wb") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"services.{name}",
            stdout=file,
            stderr=file,
            cwd=ROOT,
            env=os.environ | variables,
        )


async def ready(house: House, name: str) -> None:
    async with asyncio.timeout(READY_SECONDS_MAX):
        while True:
            with contextlib.suppress(httpx2.HTTPError):
                if (await house.ask(name, "GET", "/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


@dataclass
class Mission:
    """A mission with a stop where two may meet."""

    id: UUID
    stop: UUID
    item: UUID
    boss: Principal


@pytest.fixture
async def mission(house: House) -> Mission:
    boss = Principal("mission_staff", uuid4())
    start_ = datetime.now(UTC).replace(microsecond=0)
    begins, ends = start_.replace(year=start_.year + 1), start_.replace(year=start_.year + 1)
    begins, ends = begins.replace(hour=2, minute=0), ends.replace(hour=6, minute=0)
    made = await house.made(
        "registration",
        "/api/v1/missions",
        {
            "slug": "sample",
            "title": {"en": "Sample Mission", "zh": "示例代表团"},
            "summary": {"en": "Sample companies meet.", "zh": "示例企业对接。"},
            "starts_on": str(begins.date()),
            "ends_on": str(begins.date()),
            "home_country": "US",
            "host_country": "CN",
            "sectors": {"batteries": {"en": "Batteries", "zh": "电池"}},
        },
        boss,
    )
    stop = await house.made(
        "registration",
        f"/api/v1/missions/{made['id']}/stops",
        {
            "slug": "guangzhou",
            "city": {"en": "Guangzhou", "zh": "广州"},
            "title": {"en": "Matchmaking", "zh": "对接会"},
            "timezone": "Asia/Shanghai",
            "date": str(begins.date()),
        },
        boss,
    )
    item = await house.made(
        "registration",
        f"/api/v1/stops/{stop['id']}/programme-items",
        {
            "slug": "talks",
            "kind": "matchmaking",
            "title": {"en": "Talks", "zh": "洽谈"},
            "starts_at": begins.isoformat(),
            "ends_at": ends.isoformat(),
            "capacity": 10,
        },
        boss,
    )
    return Mission(UUID(made["id"]), UUID(stop["id"]), UUID(item["id"]), boss)
