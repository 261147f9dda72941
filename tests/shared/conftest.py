"""A stage for the tests of the log: a publisher and a consumer, each with a database of its own."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from anyio.from_thread import BlockingPortal

from shared.events.registration import SignInRequested
from shared.log import outbox
from shared.log.consumer import Consumer, Handler, Subscriptions, on, subscriptions
from shared.log.kafka import KafkaLog
from shared.log.postgres import PostgresLog
from shared.log.records import Envelope, Log, Record
from shared.log.sequencer import number
from shared.postgres import Connection, Database, migrate
from shared.process import cancel, persist

TOPIC = "registration"
NOW = datetime(2023, 4, 10, 1, 30, tzinfo=UTC)
MISSION = uuid4()
WAIT_SECONDS_MAX = 120

PARTS = ("publisher", "reader")
TABLES = """
    CREATE TABLE aggregate (key uuid PRIMARY KEY, version bigint NOT NULL);
    CREATE TABLE effect (
        id bigint GENERATED ALWAYS AS IDENTITY, consumer text, key uuid, sequence bigint
    );
"""
EMPTY = """
    TRUNCATE aggregate, effect, outbox, inbox, dead_letter, log_cursor;
    UPDATE outbox_head SET position = 0;
"""


async def announce(connection: Connection, key: UUID, *, is_last: bool = False) -> int:
    """Do what a command does: take the aggregate's row lock, raise its version, and append."""
    version: int = await connection.fetchval(
        "INSERT INTO aggregate (key, version) VALUES ($1, 1) ON CONFLICT (key) "
        "DO UPDATE SET version = aggregate.version + 1 RETURNING version",
        key,
    )
    event = SignInRequested(person_id=key, mission_id=MISSION)
    await outbox.append_all(connection, [(event, version)], now=NOW, is_last=is_last)
    return version


@dataclass
class Stage:
    """One publisher, its log, and consumers that write down what they did, in order."""

    publisher: Database
    reader: Database
    log: Log
    kafka_servers: str | None = None
    prefix: str = ""
    failures: dict[UUID, Exception] = field(default_factory=dict)
    waits: dict[UUID, asyncio.Event] = field(default_factory=dict)
    seen: int = 0
    said: dict[UUID, int] = field(default_factory=lambda: defaultdict(int))
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def say(self, *keys: UUID, is_last: bool = False) -> None:
        """Commit one event of each key, each in its own transaction."""
        for key in keys:
            async with self.publisher.transaction() as connection:
                self.said[key] = await announce(connection, key, is_last=is_last)

    @asynccontextmanager
    async def publishing(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Run the sequencer and the publisher; gives their tasks."""
        async with running(
            lambda: number(self.publisher), lambda: self.log.publish(self.publisher)
        ) as tasks:
            self.tasks += tasks
            yield tasks

    @asynccontextmanager
    async def consuming(self, *names: str) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Run a consumer of each name."""
        async with running(*(self._loop(name) for name in names)) as tasks:
            self.tasks += tasks
            yield tasks

    @asynccontextmanager
    async def at_work(self, *names: str) -> AsyncIterator[None]:
        """Run everything, with one consumer of each name."""
        async with self.publishing(), self.consuming(*names or ("a",)):
            yield

    def consumer(self, name: str) -> Consumer:
        return Consumer(name, self.reader, self._routes(name))

    def _loop(self, name: str) -> Callable[[], Awaitable[None]]:
        consumer = self.consumer(name)
        return lambda: consumer.run(self.log, [TOPIC])

    def _routes(self, name: str) -> Subscriptions:
        return subscriptions(on(SignInRequested, self._handler(name)))

    def _handler(self, name: str) -> Handler[SignInRequested]:
        async def write_down(
            connection: Connection, event: SignInRequested, envelope: Envelope
        ) -> None:
            self.seen += 1
            if event.person_id in self.waits:
                await self.waits[event.person_id].wait()
            await connection.execute(
                "INSERT INTO effect (consumer, key, sequence) VALUES ($1, $2, $3)",
                name,
                event.person_id,
                envelope.sequence,
            )
            if error := self.failures.get(event.person_id):
                raise error

        return write_down

    async def effects(self, consumer: str = "a") -> dict[UUID, list[int]]:
        """Give the sequences each key had an effect with, in the order of the effects."""
        async with self.reader.reading() as connection:
            rows = await connection.fetch(
                "SELECT key, sequence FROM effect WHERE consumer = $1 ORDER BY id", consumer
            )
        found: dict[UUID, list[int]] = defaultdict(list)
        for row in rows:
            found[row["key"]].append(row["sequence"])
        return dict(found)

    def all_said(self) -> dict[UUID, list[int]]:
        """Give what `effects` is in the end: every event once, in the order of its versions."""
        return {key: list(range(1, last + 1)) for key, last in self.said.items()}

    async def everything_took_effect(self, consumer: str = "a") -> None:
        """Wait for as many effects as there are events, then compare them."""
        wanted = self.all_said()
        total = sum(map(len, wanted.values()))

        async def is_all_there() -> bool:
            return sum(map(len, (await self.effects(consumer)).values())) >= total

        await self.until(is_all_there)
        assert await self.effects(consumer) == wanted

    async def parked(self, count: int) -> list[tuple[UUID | None, str]]:
        """Wait for `count` records in the dead letters, and give key and reason of each."""

        async def rows() -> list[tuple[UUID | None, str]]:
            async with self.reader.reading() as connection:
                found = await connection.fetch("SELECT key, reason FROM dead_letter ORDER BY id")
            return [(row["key"] and UUID(row["key"].decode()), row["reason"]) for row in found]

        async def is_there() -> bool:
            return len(await rows()) >= count

        await self.until(is_there)
        return await rows()

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        """Wait until `condition` holds, through any outage; what ended a loop is raised."""
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            while True:
                for task in self.tasks:
                    if task.done() and not task.cancelled():
                        task.result()
                with suppress(OSError, ConnectionError):
                    if await condition():
                        return
                await asyncio.sleep(0.02)

    async def positions(self) -> list[int | None]:
        async with self.publisher.reading() as connection:
            rows = await connection.fetch("SELECT position FROM outbox ORDER BY position, id")
        return [row["position"] for row in rows]

    async def forget_cursors(self) -> None:
        """Have everything delivered again, as after a publisher's or a reader's lost cursor."""
        for database in (self.publisher, self.reader):
            async with database.transaction() as connection:
                await connection.execute("DELETE FROM log_cursor")

    async def plant(self, record: Record, *, type_: str = SignInRequested.TYPE) -> None:
        """Put a record on the topic that no command of ours would."""
        if self.kafka_servers is None:
            await self._plant_in_outbox(record, type_)
            return
        assert isinstance(self.log, KafkaLog)
        await self.log.prepare([TOPIC])
        async with AIOKafkaProducer(bootstrap_servers=self.kafka_servers) as producer:
            await producer.send_and_wait(
                f"{self.prefix}.{record.topic}",
                value=record.value,
                key=record.key,
                headers=list(record.headers),
            )

    async def _plant_in_outbox(self, record: Record, type_: str) -> None:
        async with self.publisher.transaction() as connection:
            await connection.execute(
                "INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, "
                "correlation_id, payload) VALUES ($1, $2, $3, $4, $5, $6, '', $7)",
                uuid4(),
                record.topic,
                UUID((record.key or b"").decode()),
                secrets.randbelow(2**40) + 2**40,
                type_,
                NOW,
                record.value,
            )

    def record(self, key: UUID, value: bytes, *, type_: str = SignInRequested.TYPE) -> Record:
        """Make a record with a proper envelope and any value."""
        envelope = Envelope(uuid4(), type_, f"/{TOPIC}", str(key), NOW, 1, "")
        return Record(TOPIC, str(key).encode(), envelope.headers(), value)


@asynccontextmanager
async def running(*loops: Callable[[], Awaitable[None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run loops as a process does, and cancel them at the end; what ended one is raised."""
    tasks = [asyncio.create_task(persist(str(nth), loop)) for nth, loop in enumerate(loops)]
    try:
        yield tasks
    finally:
        await cancel(tasks)
    for task in tasks:
        if not task.cancelled() and (end := task.exception()):
            raise end


@pytest.fixture(params=["postgres", "kafka"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which of the two logs."""
    return str(request.param)


class Announce(Protocol):
    """Append an event of a key, as a command does; gives its version."""

    def __call__(
        self, connection: Connection, key: UUID, *, is_last: bool = False
    ) -> Awaitable[int]: ...


Raise = Callable[..., Awaitable[Stage]]


@pytest.fixture(name="announce")
def announcing() -> Announce:
    """The function that appends an event as a command does."""
    return announce


@pytest.fixture
async def raised() -> AsyncIterator[Raise]:
    """A function that puts up a stage on two prepared databases, and maybe on a Kafka."""
    async with AsyncExitStack() as stack:

        async def put_up(publisher: str, reader: str, kafka_servers: str | None = None) -> Stage:
            prefix = f"test-{secrets.token_hex(4)}"
            log: Log = (
                KafkaLog(kafka_servers, prefix=prefix, partitions=3)
                if kafka_servers
                else PostgresLog({TOPIC: publisher})
            )
            return Stage(
                publisher=await stack.enter_async_context(Database.connect(publisher)),
                reader=await stack.enter_async_context(Database.connect(reader)),
                log=log,
                kafka_servers=kafka_servers,
                prefix=prefix,
            )

        yield put_up


@pytest.fixture(scope="session")
def stage_databases(postgres_url: str, portal: BlockingPortal) -> Iterator[tuple[str, str]]:
    """Two databases for all stages, one after the other: to make one takes a third of a second."""
    name = f"stage_{secrets.token_hex(4)}"

    def address(part: str) -> str:
        return urlsplit(postgres_url)._replace(path=f"/{name}_{part}").geturl()

    async def in_server(command: str) -> None:
        connection = await asyncpg.connect(postgres_url)
        for part in PARTS:
            await connection.execute(f"{command} DATABASE {name}_{part}")
        await connection.close()

    portal.call(in_server, "CREATE")
    addresses = (address(PARTS[0]), address(PARTS[1]))
    for one in addresses:
        portal.call(prepare, one)
    yield addresses
    portal.call(in_server, "DROP")


async def prepare(dsn: str) -> None:
    """Make the tables of a stage."""
    await migrate(dsn, [])
    connection = await asyncpg.connect(dsn)
    await connection.execute(TABLES)
    await connection.close()


@pytest.fixture
def prepared() -> Callable[[str], Awaitable[None]]:
    """The function that makes the tables of a stage, for a server of a test's own."""
    return prepare


@pytest.fixture
async def stage(
    kind: str, raised: Raise, stage_databases: tuple[str, str], request: pytest.FixtureRequest
) -> Stage:
    """A stage on one of the two logs."""
    servers = request.getfixturevalue("kafka_servers") if kind == "kafka" else None
    stage = await raised(*stage_databases, servers)
    for database in (stage.publisher, stage.reader):
        async with database.transaction() as connection:
            await connection.execute(EMPTY)
    return stage
