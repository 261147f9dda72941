"""The log of the real shape: one Kafka topic a publisher, the key is the aggregate's id."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code
from aiokafka.structs import TopicPartition

from shared.log import outbox as rows
from shared.log.records import Record
from shared.postgres import Database, own_connection, stand_by

PUBLISHER = "kafka"
PUBLISHER_LOCK = 7_411_003
BATCH_SIZE_MAX = 500
POLL_MILLISECONDS = 500
LOOK_SECONDS = 0.25
SEND_SECONDS_MAX = 30

log = structlog.get_logger()


class KafkaLog:
    """Topics are named `<prefix>.<publisher>` and made with `partitions` when missing."""

    def __init__(
        self, servers: str, *, prefix: str = "tradewind", partitions: int = 12, replicas: int = 1
    ) -> None:
        self._servers = servers
        self._prefix = prefix
        self._partitions = partitions
        self._replicas = replicas

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make the topics that are missing.

        Raises `KafkaError` when the broker cannot be reached.
        """
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers)
        try:
            await admin.start()
            answer = await admin.create_topics(
                [NewTopic(self._name(topic), self._partitions, self._replicas) for topic in topics]
            )
            for _, code, *_ in answer.topic_errors:
                if code not in (0, TopicAlreadyExistsError.errno):
                    raise for_code(code)
        finally:
            await admin.close()

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
            bootstrap_servers=self._servers,
            enable_idempotence=True,
            linger_ms=0,
            max_batch_size=131_072,
        )
        try:
            await producer.start()
            yield producer
        finally:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(producer.stop(), timeout=5)

    async def _publish(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        producer: AIOKafkaProducer,
        woken: asyncio.Event,
    ) -> None:
        position = await connection.fetchval(
            "SELECT coalesce(max(position), 0) FROM log_cursor WHERE reader = $1", PUBLISHER
        )
        while True:
            woken.clear()
            records, position = await rows.after(connection, position, limit=BATCH_SIZE_MAX)
            if not records:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), LOOK_SECONDS)
                continue
            sent = [
                await producer.send(
                    self._name(record.topic),
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                )
                for record in records
            ]
            # An idempotent send never times out by itself while the broker is away.
            await asyncio.wait_for(asyncio.gather(*sent), SEND_SECONDS_MAX)
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
            bootstrap_servers=self._servers,
            group_id=f"{self._prefix}.{consumer}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=100,
            session_timeout_ms=15_000,
            heartbeat_interval_ms=3_000,
            rebalance_timeout_ms=60_000,
            metadata_max_age_ms=30_000,
        )
        try:
            client.subscribe([self._name(topic) for topic in topics], listener=_Rebalance())
            await client.start()
            yield KafkaReader(client, self._prefix)
        finally:
            await client.stop()

    def _name(self, topic: str) -> str:
        return f"{self._prefix}.{topic}"


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

    async def poll(self) -> Sequence[Record]:
        """Hand out the next records; empty after half a second without any."""
        # Never cancelled by a time-out of ours: that leaves aiokafka's stall detection switched off
        # for good.
        batches = await self._client.getmany(timeout_ms=POLL_MILLISECONDS)
        return [
            Record(
                topic=message.topic.removeprefix(f"{self._prefix}."),
                key=message.key,
                headers=tuple(message.headers),
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

    async def rewind(self) -> None:
        """Go back to the committed offsets."""
        await self._client.seek_to_committed()
