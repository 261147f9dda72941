"""Consuming: inbox row and effect commit together, then the offset.

What can never succeed is parked with its reason.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import pydantic
import structlog

from shared.events.base import Event
from shared.log.records import Envelope, Log, Reader, Record, Unreadable
from shared.postgres import Connection, Database, is_outage

E = TypeVar("E", bound=Event)
Handler = Callable[[Connection, E, Envelope], Awaitable[None]]
Subscriptions = Mapping[str, tuple[type[Event], Handler[Any]]]

ATTEMPTS_MAX = 5
BACKOFF_SECONDS_MAX = 5.0

log = structlog.get_logger()


def subscriptions(*pairs: tuple[type[Event], Handler[Any]]) -> Subscriptions:
    """Build a routing table from pairs made by `on`."""
    return {event.TYPE: (event, handler) for event, handler in pairs}


def on(event: type[E], handler: Handler[E]) -> tuple[type[Event], Handler[Any]]:
    """Pair an event with its handler; a handler of another event is a type error."""
    return event, handler


class Outage(Exception):
    """Something this handler needs is away for now; the record is tried again until it is back."""


def _will_pass(error: Exception) -> bool:
    return isinstance(error, Outage) or is_outage(error)


class Consumer:
    """One named consumer of some topics, with its own inbox in its own database."""

    def __init__(self, name: str, database: Database, routes: Subscriptions) -> None:
        self._name = name
        self._database = database
        self._routes = routes

    async def run(self, log_: Log, topics: Sequence[str]) -> None:
        """Consume for ever. An outage is waited out; records are never skipped because of one."""
        backoff = 0.1
        async with log_.reader(self._name, topics, self._database) as reader:
            while True:
                try:
                    await self.step(reader)
                    backoff = 0.1
                except Exception as outage:
                    if not _will_pass(outage):
                        raise
                    log.warning(
                        "waiting for an outage to end", consumer=self._name, error=repr(outage)
                    )
                    await asyncio.sleep(backoff)
                    backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
                    await reader.rewind()

    async def step(self, reader: Reader) -> int:
        """Handle one batch, commit, and say how many records it had."""
        records = await reader.poll()
        if records:
            parked = await self._parked()
            for record in records:
                await self._handle(record, parked)
            await reader.commit()
        return len(records)

    async def _parked(self) -> set[tuple[str, bytes]]:
        async with self._database.reading() as connection:
            rows = await connection.fetch(
                "SELECT DISTINCT topic, key FROM dead_letter "
                "WHERE consumer = $1 AND released_at IS NULL AND key IS NOT NULL",
                self._name,
            )
        return {(row["topic"], row["key"]) for row in rows}

    async def _handle(self, record: Record, parked: set[tuple[str, bytes]]) -> None:
        try:
            envelope = Envelope.of(record)
        except Unreadable as error:
            # Not one of ours: there is no key whose order it could break.
            await self._park(record, None, str(error))
            return
        if envelope.type not in self._routes:
            return
        if record.key is not None and (record.topic, record.key) in parked:
            await self._park(record, envelope, "An earlier event of the same key is parked.")
            return
        failure = await self._try(record, envelope)
        if failure:
            await self._park(record, envelope, failure)
            if record.key is not None:
                parked.add((record.topic, record.key))

    async def _try(self, record: Record, envelope: Envelope) -> str | None:
        """Take the record's effect, or say why that will never work."""
        event_type, handler = self._routes[envelope.type]
        try:
            event = event_type.model_validate_json(record.value)
        except pydantic.ValidationError as error:
            first = error.errors()[0]["loc"]
            count = error.error_count()
            return f"The payload is not a {envelope.type}: {count} faults, first {first}."
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with structlog.contextvars.bound_contextvars(
                    correlation_id=envelope.correlation_id
                ):
                    await self._take_effect(event, envelope, handler)
            except Exception as error:
                if _will_pass(error):
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

    async def _take_effect(self, event: Event, envelope: Envelope, handler: Handler[Any]) -> None:
        async with self._database.transaction() as connection:
            if await _is_new(connection, self._name, envelope):
                await handler(connection, event, envelope)

    async def _park(self, record: Record, envelope: Envelope | None, reason: str) -> None:
        async with self._database.transaction() as connection:
            if envelope and not await _is_new(connection, self._name, envelope):
                return
            await connection.execute(
                "INSERT INTO dead_letter (consumer, topic, key, headers, payload, reason) "
                "VALUES ($1, $2, $3, $4, $5, $6)",
                self._name,
                record.topic,
                record.key if envelope else None,
                {name: value.decode(errors="replace") for name, value in record.headers},
                record.value,
                reason,
            )
        log.error("record parked", consumer=self._name, topic=record.topic, reason=reason)


async def _is_new(connection: Connection, consumer: str, envelope: Envelope) -> bool:
    return bool(
        await connection.fetchval(
            "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) "
            "ON CONFLICT DO NOTHING RETURNING true",
            consumer,
            envelope.event_id,
        )
    )
