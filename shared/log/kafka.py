"""The log of the real shape: one Kafka topic a publisher, the key is the aggregate's id."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiokafka.conn
import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.structs import TopicPartition

from shared.log import outbox as rows
from shared.log.connection import Connection
from shared.log.records import Record
from shared.log.security import IN_THE_CLEAR, Security
from shared.postgres import Database, own_connection, stand_by
from shared.waiting import moment

PREFIX = "tradewind"
PUBLISHER = "kafka"
PUBLISHER_LOCK = 7_411_003
BATCH_SIZE_MAX = 500
POLL_MILLISECONDS = 500
LOOK_SECONDS = 0.25
SEND_SECONDS_MAX = 30
STOP_SECONDS_MAX = 5

# It has no argument for the kind of connection.
aiokafka.conn.AIOKafkaConnection = Connection

log = structlog.get_logger()


class KafkaLog:
    """Topics are named `<prefix>.<publisher>` and made with `partitions` when missing."""

    def __init__(
        self,
        servers: str,
        *,
        prefix: str = PREFIX,
        partitions: int = 12,
        replicas: int = 1,
        security: Security = IN_THE_CLEAR,
    ) -> None:
        self.cluster = {"bootstrap_servers": servers, **security.options()}
        """What every client of it is told (aiokafka's arguments)."""
        self._prefix = prefix
        self._partitions = partitions
        self._replicas = replicas

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make the topics that are missing.

        Raises `KafkaError` when the broker cannot be reached.
        """
        admin = AIOKafkaAdminClient(**self.cluster)
        try:
            await start(admin.start())
            answer = await self._create(admin, topics)
            for _, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)
        finally:
            await admin.close()

    async def _create(self, admin: AIOKafkaAdminClient, topics: Sequence[str]) -> Any:
        wanted = [
            NewTopic(self.name_of(topic), self._partitions, self._replicas) for topic in topics
        ]
        try:
            return await admin.create_topics(wanted)
        except AttributeError as error:
            # aiokafka asks None for its address while a cluster just back has no controller.
            raise NodeNotReadyError("The cluster has no controller yet.") from error

    async def publish(self, outbox: Database) -> None:
        """Send positioned rows in order; remember the position once the broker has acknowledged.

        A crash between the two sends a batch again; the consumers' inbox absorbs that.
        """
        connection = await own_connection(outbox.dsn)
        woken = asyncio.Event()
        try:
            await connection.add_listener(rows.CHANNEL, lambda *_: woken.set())
            await stand_by(connection, PUBLISHER_LOCK)
            # A new producer after each failure: an idempotent one can end in an error that only a
            # restart cures.
            async with self._producer() as producer:
                await self._publish(connection, producer, woken)
        finally:
            connection.terminate()

    @asynccontextmanager
    async def _producer(self) -> AsyncIterator[AIOKafkaProducer]:
        producer = AIOKafkaProducer(
            **self.cluster,
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=131_072,
        )
        try:
            await start(producer.start())
            yield producer
        finally:
            await _stop_producer(producer)

    async def _publish(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        producer: AIOKafkaProducer,
        woken: asyncio.Event,
    ) -> None:
        position = await connection.fetchval(
            "SELECT coalesce(max(position), 0) FROM log_cursor WHERE reader = $1", PUBLISHER
        )
        prepared: set[str] = set()
        while True:
            woken.clear()
            records, position = await rows.after(connection, position, limit=BATCH_SIZE_MAX)
            if not records:
                await moment(woken, LOOK_SECONDS)
                continue
            if new := {record.topic for record in records} - prepared:
                await self.prepare(sorted(new))
                prepared |= new
            sent = [
                await producer.send(
                    self.name_of(record.topic),
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                )
                for record in records
            ]
            # An idempotent send never times out by itself while the broker is away.
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await asyncio.gather(*sent)
            await connection.execute(
                "INSERT INTO log_cursor (reader, topic, position) VALUES ($1, '', $2) "
                "ON CONFLICT (reader, topic) DO UPDATE SET position = excluded.position",
                PUBLISHER,
                position,
            )

    @asynccontextmanager
    async def reader(
        self, consumer: str, topics: Sequence[str], own: Database
    ) -> AsyncIterator["KafkaReader"]:
        """Join the consumer group `consumer`; its members share the partitions."""
        del own
        await self.prepare(topics)
        client = AIOKafkaConsumer(
            **self.cluster,
            group_id=self.group_of(consumer),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=500,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=60_000,
            metadata_max_age_ms=30_000,
        )
        try:
            client.subscribe([self.name_of(topic) for topic in topics], listener=_Rebalance())
            await start(client.start())
            yield KafkaReader(client, self._prefix)
        finally:
            await stop_consumer(client)

    def name_of(self, topic: str) -> str:
        """Say what a topic is called in the cluster."""
        return f"{self._prefix}.{topic}"

    def group_of(self, consumer: str) -> str:
        """Say what the group of a consumer is called there."""
        return f"{self._prefix}.{consumer}"


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        log.info("partitions revoked", partitions=len(revoked))

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        log.info("partitions assigned", partitions=len(assigned))


class KafkaReader:
    """A member of a consumer group; offsets are committed after the work, never before."""

    def __init__(self, client: AIOKafkaConsumer, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._uncommitted: dict[TopicPartition, int] = {}
        """The first offset handed out since the last commit."""

    async def poll(self) -> Sequence[Record]:
        """Hand out the next records; empty after half a second without any."""
        # Never cancelled by a time-out of ours: that leaves aiokafka's stall detection switched off
        # for good.
        batches = await self._client.getmany(timeout_ms=POLL_MILLISECONDS)
        for partition, messages in batches.items():
            self._uncommitted.setdefault(partition, messages[0].offset)
        return [
            Record(
                topic=message.topic.removeprefix(f"{self._prefix}."),
                key=message.key,
                headers=tuple((name, value or b"") for name, value in message.headers),
                value=message.value or b"",
            )
            for messages in batches.values()
            for message in messages
        ]

    async def commit(self) -> None:
        """Commit the offsets.

        When the group moved on meanwhile the records come again, to somebody.
        """
        try:
            await self._client.commit()
        except KafkaError as error:
            log.warning("offsets not committed", error=type(error).__name__)
        self._uncommitted.clear()

    async def rewind(self) -> None:
        """Go back to where the last commit was."""
        # Not aiokafka's seek_to_committed: where a partition has no committed offset yet, that
        # stays where it is, and the records handed out are lost.
        for partition, offset in self._uncommitted.items():
            if partition in self._client.assignment():
                self._client.seek(partition, offset)
        self._uncommitted.clear()


async def start(starting: Coroutine[Any, Any, None]) -> None:
    """Start a client; cancelled in the middle of it, aiokafka would leave a connection open."""
    task = asyncio.create_task(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await _end(task)
        raise


async def _stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer, and cut it off where the broker does not answer.

    Left alone it would go on sending for ever; what it still has the next one sends again.
    """
    stopping = asyncio.ensure_future(producer.stop())
    await asyncio.wait([stopping], timeout=STOP_SECONDS_MAX)
    if not stopping.done():
        producer._message_accumulator.fail_all(KafkaError("The producer was stopped."))
        await producer.client.close()
        sender = producer._sender.sender_task
        # Its first answer to this is to wait for the requests under way.
        while sender and not sender.done():
            sender.cancel()
            await asyncio.wait([sender], timeout=0.1)
    await _end(stopping)


async def stop_consumer(client: AIOKafkaConsumer) -> None:
    """Leave the group, and cut the connections where the broker does not answer."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait([stopping], timeout=STOP_SECONDS_MAX)
    await client._client.close()
    await _end(stopping)


async def _end(task: asyncio.Future[None]) -> None:
    """Wait some seconds, and pass over what aiokafka raises.

    Its `stop` can raise CancelledError although nobody cancelled; passed on, that would end a loop
    of ours without a word.
    """
    await asyncio.wait([task], timeout=STOP_SECONDS_MAX)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()):
        log.warning("client not started or stopped in order", error=repr(error))
