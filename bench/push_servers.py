"""The servers of `bench.push`, each one process on one core: ours, centrifuge, a loop in C."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import quote
from uuid import UUID, uuid4

from bench.house import SECRET, database, running
from services import notify
from services.embedded.servers.child import free_port
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.notify.domain.live import stream_key
from services.notify.store import facts
from services.notify.store.live import Live
from shared.access import Principal, Tokens
from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, StopPlanned
from shared.postgres import Database, migrate
from shared.redis import command_client

PEERS = Path(__file__).parent / "peers" / "push"
SERVER_CORE = 0
EPOCH = "0123abcd"
NAMES = Bilingual(en="Benchmark", zh="基准测试")


@dataclass
class Runner:
    """One server that runs, and what its listeners need to know."""

    pid: int
    port: int
    feed: list[str]
    heads: list[str]
    names: list[str]


def compiled(folder: Path) -> None:
    """Build the peers and the listeners; raises `CalledProcessError`."""
    for name in ("listeners", "limit"):
        command = ["cc", "-O2", "-o", str(folder / name), str(PEERS / f"{name}.c")]
        subprocess.run(command, check=True)
    command = ["go", "build", "-o", str(folder / "centrifuge"), "."]
    subprocess.run(command, check=True, cwd=PEERS / "centrifuge")


def started(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> AbstractAsyncContextManager[int]:
    """Run a server on its core until the end of the block; gives its process id."""
    return running(["taskset", "-c", str(SERVER_CORE), *command], port, environment)


@asynccontextmanager
async def c_loop(folder: Path, count: int) -> AsyncIterator[Runner]:
    """Run the limit: the epoll loop."""
    port, feed = free_port(), free_port()
    async with started([str(folder / "limit"), str(port), str(feed)], port) as pid:
        heads = [f"GET /events/{place} HTTP/1.1\r\nHost: x\r\n" for place in range(count)]
        yield Runner(pid, port, [str(feed), "lines"], heads, [*map(str, range(count))])


@asynccontextmanager
async def centrifuge(folder: Path, count: int, *delay: str) -> AsyncIterator[Runner]:
    """Run centrifuge, on one core as the others."""
    port, feed = free_port(), free_port()
    command = [str(folder / "centrifuge"), "-address", f"127.0.0.1:{port}"]
    command += ["-feed", f"127.0.0.1:{feed}", *delay]
    environment = {"PATH": os.defpath, "GOMAXPROCS": "1"}
    async with started(command, port, environment) as pid:
        names = [f"u{place}" for place in range(count)]
        asked = (quote(json.dumps({"id": 1, "connect": {"data": name}})) for name in names)
        heads = [f"GET /connection/sse?cf_connect={text} HTTP/1.1\r\nHost: x\r\n" for text in asked]
        yield Runner(pid, port, [str(feed), "lines"], heads, names)


@asynccontextmanager
async def ours(home: "Home", count: int) -> AsyncIterator[Runner]:
    """Run notify."""
    port = free_port()
    async with started(
        [sys.executable, "-m", "services.notify"], port, home.environment(port)
    ) as pid:
        tokens, now = Tokens(SECRET), datetime.now(UTC)
        people = [uuid4() for _ in range(count)]
        heads = [
            f"GET /api/v1/live/me?stop_id={home.stop} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{tokens.sign(Principal('delegate', person, home.mission), 'session', now)}\r\n"
            for person in people
        ]
        feed = [str(home.redis_port), "redis", stream_key(home.stop), EPOCH]
        # The stop's latest changes are held whoever listens: they are no part of what streams take.
        await _looked_in(port, heads[0])
        yield Runner(pid, port, feed, heads, [*map(str, people)])


async def _looked_in(port: int, head: str) -> None:
    """Open a stream, and leave when it has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"{head}\r\n".encode())
    await reader.readuntil(b"event: snapshot")
    writer.close()


@dataclass(frozen=True)
class Home:
    """What notify needs around it."""

    database_url: str
    log_url: str
    """Where the other services' events would come from."""
    redis_url: str
    mission: UUID
    stop: UUID

    @property
    def redis_port(self) -> int:
        """Where Redis listens."""
        return int(self.redis_url.rpartition(":")[2].partition("/")[0])

    def environment(self, port: int) -> dict[str, str]:
        """Give the settings of notify."""
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "TRADEWIND_MODE": "development",
            "TRADEWIND_PORT": str(port),
            "TRADEWIND_DATABASE_URL": self.database_url,
            "TRADEWIND_LOG_URL": "postgresql:",
            "TRADEWIND_LOG_DATABASES": json.dumps(
                {"registration": self.log_url, "matching": self.log_url}
            ),
            "TRADEWIND_SECRET_KEY": SECRET,
            "TRADEWIND_LOG_LEVEL": "warning",
            "TRADEWIND_REDIS_URL": self.redis_url,
        }


@asynccontextmanager
async def home(folder: Path, stack: AsyncExitStack) -> AsyncIterator[Home]:
    """Start PostgreSQL and Redis, and put a stop there."""
    server = await stack.enter_async_context(postgres(folder / "postgres"))
    redis = await stack.enter_async_context(valkey(folder / "valkey"))
    own, elsewhere = [await database(server.url, name) for name in ("notify", "log")]
    found = Home(own, elsewhere, redis.url, uuid4(), uuid4())
    await migrate(found.database_url, [Path(notify.__file__).parent / "migrations"])
    await migrate(found.log_url, [])
    async with Database.connect(found.database_url) as held, held.transaction() as connection:
        await facts.put_mission(connection, _mission(found), 1)
        await facts.put_stop(connection, _stop(found), 1)
    async with command_client(redis.url) as client:
        await Live(client).rebuild(found.stop, [], epoch=EPOCH)
    yield found


def _mission(found: Home) -> MissionAnnounced:
    return MissionAnnounced(
        mission_id=found.mission,
        slug="bench",
        title=NAMES,
        starts_on=date(2030, 11, 6),
        ends_on=date(2030, 11, 11),
        is_rehearsal=False,
    )


def _stop(found: Home) -> StopPlanned:
    return StopPlanned(
        stop_id=found.stop,
        mission_id=found.mission,
        slug="stop",
        city=NAMES,
        title=NAMES,
        venue=NAMES,
        timezone="Asia/Shanghai",
        on=date(2030, 11, 7),
    )
