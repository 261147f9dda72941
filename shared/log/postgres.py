"""The log of the embedded shape: each publisher's outbox table, read by position."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from zlib import crc32

import asyncpg

from shared.log import outbox
from shared.log.records import Record
from shared.postgres import Database, own_connection, stand_by
from shared.waiting import moment

BATCH_SIZE_MAX = 500
POLL_SECONDS = 0.5


class PostgresLog:
    """Reads the outbox of each publisher.

    `databases` maps a topic to its publisher's database address.
    """

    def __init__(self, databases: Mapping[str, str]) -> None:
        self._databases = databases

    async def publish(self, outbox: Database) -> None:
        """Do nothing, for ever: a positioned row is published."""
        del outbox
        await asyncio.Event().wait()

    @asynccontextmanager
    async def reader(
        self, consumer: str, topics: Sequence[str], own: Database
    ) -> AsyncIterator["PostgresReader"]:
        """Read `topics`.

        A second reader of the same name waits as a stand-by, so that order per key holds.
        """
        woken = asyncio.Event()
        async with AsyncExitStack() as stack:
            cursor = await own_connection(own.dsn)
            stack.callback(cursor.terminate)
            await stand_by(cursor, crc32(consumer.encode()))
            sources = {}
            for topic in topics:
                sources[topic] = await own_connection(self._databases[topic])
                stack.callback(sources[topic].terminate)
                await sources[topic].add_listener(outbox.CHANNEL, lambda *_: woken.set())
            reader = PostgresReader(consumer, sources, cursor, woken)
            await reader.rewind()
            yield reader


class PostgresReader:
    """Cursors over positions, one a topic, kept in the consumer's own database."""

    def __init__(
        self,
        consumer: str,
        sources: Mapping[str, "asyncpg.Connection[Any]"],
        cursor: "asyncpg.Connection[Any]",
        woken: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._sources = sources
        self._cursor = cursor
        self._woken = woken
        self._positions: dict[str, int] = {}
        self._may_have_more = True

    async def poll(self) -> Sequence[Record]:
        """Hand out the next records of every topic; empty after half a second without any."""
        if not self._may_have_more:
            await moment(self._woken, POLL_SECONDS)
        self._woken.clear()
        records = await self._read()
        self._may_have_more = bool(records)
        return records

    async def _read(self) -> list[Record]:
        records: list[Record] = []
        for topic, source in self._sources.items():
            found, self._positions[topic] = await outbox.after(
                source, self._positions[topic], limit=BATCH_SIZE_MAX
            )
            records += found
        return records

    async def commit(self) -> None:
        """Remember the positions."""
        await self._cursor.executemany(
            "INSERT INTO log_cursor (reader, topic, position) VALUES ($1, $2, $3) "
            "ON CONFLICT (reader, topic) DO UPDATE SET position = excluded.position",
            [(self._consumer, topic, position) for topic, position in self._positions.items()],
        )

    async def rewind(self) -> None:
        """Go back to the positions of the last commit."""
        rows = await self._cursor.fetch(
            "SELECT topic, position FROM log_cursor WHERE reader = $1", self._consumer
        )
        self._positions = dict.fromkeys(self._sources, 0) | {
            row["topic"]: row["position"] for row in rows
        }
        self._may_have_more = True
