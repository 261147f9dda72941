"""Consuming: inbox row and effect commit together, then the offset.

What can never succeed is parked with its reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

import pydantic
import structlog

from shared.events.base import Event
from shared.log.records import Envelope, Log, Reader, Record, Unreadable
from shared.postgres import Connection, Database, is_outage

E = TypeVar("E", bound=Event)
Handler = Callable[[Connection, E, Envelope], Awaitable[None]]
Together = Callable[[Connection, Sequence[tuple[Envelope, Event]]], Awaitable[None]]
Subscriptions = Mapping[str, tuple[type[Event], Handler[Any]]]

ATTEMPTS_MAX = 5
BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0

PARKED_BEFORE = "An earlier event of the same key is parked."

log = structlog.get_logger()


def subscriptions(*pairs: tuple[type[Event], Handler[Any]]) -> Subscriptions:
    """Build a routing table from pairs made by `on`."""
    return {event.TYPE: (event, handler) for event, handler in pairs}


def on(event: type[E], handler: Handler[E]) -> tuple[type[Event], Handler[Any]]:
    """Pair an event with its handler; a handler of another event is a type error."""
    return event, handler


class Outage(Exception):
    """Something this handler needs is away for now; the record is tried again until it is back."""


class _NeedsCare(Exception):
    """A batch is not as plain as most: it is taken record by record."""


class Consumer:
    """One named consumer of some topics, with its own inbox in its own database."""

    def __init__(
        self,
        name: str,
        database: Database,
        routes: Subscriptions,
        *,
        together: Together | None = None,
        gather_seconds: float = 0.0,
        taken: Callable[[], None] | None = None,
    ) -> None:
        """Give `together` the events of a batch, where that is less work than one by one.

        Effects are taken `gather_seconds` late, where others on this machine come first. `taken` is
        called when those of a batch are committed.
        """
        self._name = name
        self._database = database
        self._routes = routes
        self._together = together
        self._gather_seconds = gather_seconds
        self._taken = taken

    async def run(self, log_: Log, topics: Sequence[str]) -> None:
        """Consume for ever. What a handler needs and is away is waited for, and nothing skipped.

        An outage of the log, or of the reader's own connections, is raised: they are opened anew
        by running this again.
        """
        backoff = BACKOFF_SECONDS_MIN
        async with log_.reader(self._name, topics, self._database) as reader:
            while True:
                try:
                    await self.step(reader)
                    backoff = BACKOFF_SECONDS_MIN
                except Outage as outage:
                    log.warning(
                        "waiting for an outage to end", consumer=self._name, error=str(outage)
                    )
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
                    await reader.rewind()

    async def step(self, reader: Reader) -> int:
        """Handle one batch, commit, and say how many records it had; raises `Outage`."""
        records = await reader.poll()
        if records:
            await asyncio.sleep(self._gather_seconds)
            await self._handle_all(records)
            if self._taken:
                self._taken()
            await reader.commit()
        return len(records)

    async def _handle_all(self, records: Sequence[Record]) -> None:
        try:
            if not await self._take_together(records):
                for record in records:
                    await self._handle(record)
        except Exception as error:
            if is_outage(error):
                raise Outage(repr(error)) from error
            raise

    async def _take_together(self, records: Sequence[Record]) -> bool:
        """Take a batch in one transaction; False, with no effect, when a record needs care.

        One commit for many records; one by one shows which of them is at fault.
        """
        if len(records) == 1:
            return False
        try:
            if batch := self._readable(records):
                await self._take_plainly(batch, [record.key for record in records])
        except Exception as error:
            if isinstance(error, Outage) or is_outage(error):
                raise
            return False
        return True

    async def _take_plainly(
        self, batch: Sequence[tuple[Envelope, Event]], keys: Sequence[bytes | None]
    ) -> None:
        async with self._database.transaction() as connection:
            new = await self._note_new(connection, [envelope for envelope, _ in batch])
            # After a wait for another member of the group, which may have parked one of the keys.
            await self._refuse_parked(connection, keys)
            # A record may be in a batch twice.
            fresh = {e.event_id: (e, event) for e, event in batch if e.event_id in new}
            if self._together is None:
                for envelope, event in fresh.values():
                    await self._take_effect(connection, envelope, event)
            elif fresh:
                await self._together(connection, list(fresh.values()))

    def _readable(self, records: Sequence[Record]) -> list[tuple[Envelope, Event]]:
        """Read what concerns this consumer; raises for the first record that cannot be read."""
        found = [(Envelope.of(record), record.value) for record in records]
        return [
            (envelope, self._routes[envelope.type][0].model_validate_json(value))
            for envelope, value in found
            if envelope.type in self._routes
        ]

    async def _refuse_parked(self, connection: Connection, keys: Sequence[bytes | None]) -> None:
        if await connection.fetchval(
            "SELECT EXISTS (SELECT FROM dead_letter WHERE consumer = $1 AND released_at IS NULL "
            "AND key = ANY($2::bytea[]))",
            self._name,
            keys,
        ):
            raise _NeedsCare

    async def _note_new(self, connection: Connection, envelopes: Sequence[Envelope]) -> set[UUID]:
        """Write the inbox rows and give the ids that were not there."""
        rows = await connection.fetch(
            "INSERT INTO inbox (consumer, event_id) SELECT $1, unnest($2::uuid[]) "
            "ON CONFLICT DO NOTHING RETURNING event_id",
            self._name,
            [envelope.event_id for envelope in envelopes],
        )
        return {row["event_id"] for row in rows}

    async def _take_effect(self, connection: Connection, envelope: Envelope, event: Event) -> None:
        _, handler = self._routes[envelope.type]
        with structlog.contextvars.bound_contextvars(correlation_id=envelope.correlation_id):
            await handler(connection, event, envelope)

    async def _handle(self, record: Record) -> None:
        try:
            envelope = Envelope.of(record)
        except Unreadable as error:
            await self._park_unreadable(record, str(error))
            return
        if envelope.type not in self._routes:
            return
        failure = await self._try(record, envelope)
        if failure:
            await self._park(record, envelope, failure)

    async def _try(self, record: Record, envelope: Envelope) -> str | None:
        """Take the record's effect, or say why that will never work."""
        event_type, _ = self._routes[envelope.type]
        try:
            event = event_type.model_validate_json(record.value)
        except pydantic.ValidationError as error:
            first = error.errors()[0]["loc"]
            count = error.error_count()
            return f"The payload is not a {envelope.type}: {count} faults, first {first}."
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                async with self._database.transaction() as connection:
                    await self._once(connection, record, envelope, event)
            except Exception as error:
                if isinstance(error, Outage) or is_outage(error):
                    raise
                # Whatever a handler raises for good must not stop other keys.
                log.warning(
                    "handler failed",
                    consumer=self._name,
                    type=envelope.type,
                    attempt=attempt,
                    exc_info=error,
                )
                failure = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.02 * attempt)
            else:
                return None
        return failure

    async def _once(
        self,
        connection: Connection,
        record: Record,
        envelope: Envelope,
        event: Event,
    ) -> None:
        """Take an event's effect unless it was taken before, or its key is parked."""
        # One statement: where two members of a group overlap, this one waits until the other has
        # ended with the event before, and then sees whether that was parked.
        is_key_parked = await connection.fetchval(
            "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING "
            "RETURNING EXISTS (SELECT FROM dead_letter WHERE consumer = $1 AND topic = $3 "
            "AND key = $4 AND released_at IS NULL)",
            self._name,
            envelope.event_id,
            record.topic,
            record.key,
        )
        if is_key_parked:
            await self._bury(connection, record, record.key, PARKED_BEFORE)
        elif is_key_parked is False:
            await self._take_effect(connection, envelope, event)

    async def _park(self, record: Record, envelope: Envelope, reason: str) -> None:
        async with self._database.transaction() as connection:
            if await connection.fetchval(
                "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) "
                "ON CONFLICT DO NOTHING RETURNING true",
                self._name,
                envelope.event_id,
            ):
                await self._bury(connection, record, record.key, reason)

    async def _park_unreadable(self, record: Record, reason: str) -> None:
        """Park a record that is not one of ours, without its key: it has no order to break."""
        async with self._database.transaction() as connection:
            # It has no id that an inbox could know it by.
            if not await connection.fetchval(
                "SELECT EXISTS (SELECT FROM dead_letter WHERE consumer = $1 AND topic = $2 "
                "AND key IS NULL AND headers = $3 AND payload = $4 AND released_at IS NULL)",
                self._name,
                record.topic,
                _storable_headers(record),
                record.value,
            ):
                await self._bury(connection, record, None, reason)

    async def _bury(
        self, connection: Connection, record: Record, key: bytes | None, reason: str
    ) -> None:
        await connection.execute(
            "INSERT INTO dead_letter (consumer, topic, key, headers, payload, reason) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            self._name,
            record.topic,
            key,
            _storable_headers(record),
            record.value,
            _storable(reason),
        )
        log.error("record parked", consumer=self._name, topic=record.topic, reason=reason)


def _storable_headers(record: Record) -> dict[str, str]:
    return {
        _storable(name): _storable(value.decode(errors="replace")) for name, value in record.headers
    }


def _storable(text: str) -> str:
    """Replace what PostgreSQL's text cannot hold: what is parked may be anything."""
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
