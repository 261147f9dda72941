"""A hall: notify as a process of its own, its servers, and the log that tells it of meetings."""

import asyncio
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from anyio.from_thread import BlockingPortal
from redis.asyncio import Redis

from services import notify
from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim
from services.embedded.servers.kafka import kafka
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.notify.store import facts
from shared.access import Principal, Tokens
from shared.events.base import Bilingual, Event
from shared.events.registration import MissionAnnounced, StopPlanned
from shared.log import outbox
from shared.log.kafka import KafkaLog
from shared.log.postgres import PostgresLog
from shared.log.records import Log
from shared.log.sequencer import number
from shared.postgres import Database, migrate
from shared.process import cancel, persist

ROOT = Path(__file__).parents[2]
SECRET = "only for tests, and long enough for them"
NAMES = Bilingual(en="Sample", zh="示例")
DUMP = "dump.rdb"
JARS = ROOT / ".cache" / "kafka"


@dataclass(frozen=True)
class Hall:
    """What runs; each part may be killed, and starts again."""

    redis: Server
    notify: Server
    kafka: Server | None
    notify_url: str
    matching_url: str
    twist: Path
    """What is run before notify, each time that it starts."""
    portal: BlockingPortal
    mission: UUID = field(default_factory=uuid4)

    @property
    def port(self) -> int:
        """Where notify listens."""
        return int(self.notify.url.rpartition(":")[2])

    def token(self, person_id: UUID | None) -> str:
        """Sign the session of a delegate, or of mission staff."""
        who = (
            Principal("delegate", person_id, self.mission)
            if person_id
            else Principal("mission_staff", uuid4(), self.mission)
        )
        return Tokens(SECRET).sign(who, "session", datetime.now(UTC))

    async def stop(self) -> UUID:
        """Plan another stop."""
        stop_id = uuid4()
        async with Database.connect(self.notify_url) as held, held.transaction() as connection:
            await facts.put_mission(connection, _mission(self.mission), 1)
            await facts.put_stop(connection, stop_planned(self.mission, stop_id), 1)
        return stop_id

    def log(self) -> Log:
        """Give the log, as a publisher sees it."""
        if self.kafka:
            return KafkaLog(self.kafka.url)
        return PostgresLog(dict.fromkeys(("registration", "matching"), self.matching_url))

    @asynccontextmanager
    async def publisher(self) -> AsyncIterator["Publisher"]:
        """Open matching's end of the log."""
        async with Database.connect(self.matching_url) as database:
            log = self.log()
            loops = [
                asyncio.create_task(persist("sequencer", lambda: number(database))),
                asyncio.create_task(persist("publisher", lambda: log.publish(database))),
            ]
            try:
                yield Publisher(database)
            finally:
                ended = [loop for loop in loops if loop.done()]
                await cancel(loops)
            for loop in ended:
                loop.result()

    async def back(self, server: Server) -> None:
        """Wait until a server that was killed answers again."""
        await asyncio.to_thread(self.portal.call, server.ready)

    async def flush(self) -> None:
        """Empty Redis."""
        async with Redis.from_url(self.redis.url) as client:
            await client.flushall()

    async def save(self) -> None:
        """Have Redis write down what it holds; a restart comes back with that, and no more."""
        async with Redis.from_url(self.redis.url) as client:
            await client.save()

    async def restart_redis(self) -> None:
        """Kill Redis; it comes back with what was saved last."""
        self.redis.kill()
        await self.back(self.redis)

    async def empty_redis(self) -> None:
        """Kill Redis; it comes back with nothing."""
        (self.redis.folder / DUMP).unlink(missing_ok=True)
        await self.restart_redis()

    async def hang_redis(self, seconds: float) -> None:
        """Let Redis answer nobody for a while."""
        os.kill(self.redis.pid, signal.SIGSTOP)
        await asyncio.sleep(seconds)
        os.kill(self.redis.pid, signal.SIGCONT)

    async def restart_notify(self) -> None:
        """Kill notify."""
        self.notify.kill()
        await self.back(self.notify)

    async def restart_kafka(self) -> None:
        """Kill the broker."""
        assert self.kafka
        self.kafka.kill()
        await self.back(self.kafka)

    async def tell_all_again(self) -> None:
        """Kill notify, and have it hear everything once more, as if it had heard nothing."""
        connection = await asyncpg.connect(self.notify_url)
        try:
            self.notify.kill()
            await connection.execute("DELETE FROM inbox")
            await connection.execute("DELETE FROM log_cursor")
        finally:
            await connection.close()
        await self.back(self.notify)


@dataclass(frozen=True)
class Publisher:
    """Matching's outbox; what registration tells goes through it as well."""

    database: Database

    async def tell(self, events: Sequence[tuple[Event, int]]) -> None:
        """Commit events, each with its number among those of its key."""
        async with self.database.transaction() as connection:
            await outbox.append_all(connection, events, now=datetime.now(UTC))


@asynccontextmanager
async def hall(
    folder: Path, portal: BlockingPortal, jars: Path | None = None
) -> AsyncIterator[Hall]:
    """Start everything; the log is Kafka where there are its jars, else PostgreSQL."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(postgres(folder / "postgres", durable=False))
        redis = await stack.enter_async_context(valkey(folder / "redis"))
        broker = (
            await stack.enter_async_context(kafka(folder / "kafka", jars=jars)) if jars else None
        )
        own, elsewhere = [await _database(server.url, name) for name in ("notify", "matching")]
        await migrate(own, [Path(notify.__file__).parent / "migrations"])
        await migrate(elsewhere, [])
        log = f"kafka://{broker.url}" if broker else "postgresql:"
        environment = {
            "MODE": "development",
            "PORT": (port := free_port()),
            "DATABASE_URL": own,
            "LOG_URL": log,
            "LOG_DATABASES": json.dumps({"registration": elsewhere, "matching": elsewhere}),
            "REDIS_URL": redis.url,
            "SECRET_KEY": SECRET,
            "LOG_LEVEL": "error",
        }
        held = await stack.enter_async_context(claim(folder / "notify", OURS))
        twist = folder / "twist.py"
        twist.touch()
        program = _program([f"TRADEWIND_{k}={v}" for k, v in environment.items()], port, twist)
        service = await stack.enter_async_context(supervised(program, held))
        yield Hall(redis, service, broker, own, elsewhere, twist, portal)


@contextmanager
def opened(portal: BlockingPortal, jars: Path | None = None) -> Iterator[Hall]:
    """Start everything in a folder that is deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    folder.chmod(0o711)
    try:
        with portal.wrap_async_context_manager(hall(folder, portal, jars)) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(variables: Sequence[str], port: int, twist: Path) -> Program:
    started = "runpy.run_module('services.notify', run_name='__main__')"
    code = f"import runpy; runpy.run_path('{twist}'); {started}"

    async def ask() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()

    return Program(
        name="notify",
        command=["env", f"PYTHONPATH={ROOT}", *variables, sys.executable, "-c", code],
        url=f"http://127.0.0.1:{port}",
        ask=ask,
        stop_signal=signal.SIGTERM,
    )


async def _database(server_url: str, name: str) -> str:
    connection = await asyncpg.connect(server_url)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    await connection.close()
    return f"{server_url.rpartition('/')[0]}/{name}"


def _mission(mission_id: UUID) -> MissionAnnounced:
    return MissionAnnounced(
        mission_id=mission_id,
        slug="sample",
        title=NAMES,
        starts_on=date(2030, 11, 6),
        ends_on=date(2030, 11, 11),
        is_rehearsal=False,
    )


def stop_planned(mission_id: UUID, stop_id: UUID) -> StopPlanned:
    """Make the event of a stop."""
    return StopPlanned(
        stop_id=stop_id,
        mission_id=mission_id,
        slug=stop_id.hex,
        city=NAMES,
        title=NAMES,
        venue=NAMES,
        timezone="Asia/Shanghai",
        on=date(2030, 11, 7),
    )
