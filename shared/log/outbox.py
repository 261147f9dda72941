"""The outbox.

Events are written in the transaction of what they tell, and read again by position.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from shared.events.base import Event
from shared.ids import new_id
from shared.log.records import Envelope, Record
from shared.postgres import Connection, columns

CHANNEL = "outbox"
"""Whoever gives positions notifies here, once a batch.

Other transactions never notify (that takes a global lock).
"""

_COLUMNS = "event_id, topic, key, sequence, type, occurred_at, correlation_id, payload"
_GIVEN = (
    "unnest($1::uuid[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::timestamptz[], "
    "$7::text[], $8::bytea[])"
)
_APPEND = f"INSERT INTO outbox ({_COLUMNS}) SELECT * FROM {_GIVEN}"  # noqa: S608  # ours

# What waits comes first: it may tell of the same aggregates. Their rows are locked before, so that
# whatever was told of them is seen here; this may be decided while another one gives positions.
_APPEND_NUMBERED = f"""
    WITH head AS (
        UPDATE outbox_head SET position = position + cardinality($1::uuid[])
        WHERE NOT EXISTS (SELECT FROM outbox WHERE position IS NULL)
        RETURNING position - cardinality($1::uuid[]) AS last, pg_notify('{CHANNEL}', '')
    )
    INSERT INTO outbox ({_COLUMNS}, position)
    SELECT {_COLUMNS}, head.last + nth
    FROM {_GIVEN} WITH ORDINALITY AS given ({_COLUMNS}, nth) LEFT JOIN head ON true
    ORDER BY nth
"""  # noqa: S608  # the names are ours


@dataclass(slots=True)
class Written:
    """An event that was written without its model: `content` is the JSON that the model writes."""

    kind: type[Event]
    key: UUID
    content: bytes


async def append(connection: Connection, event: Event, *, sequence: int, now: datetime) -> None:
    """Announce `event` when this transaction commits.

    `sequence` is the aggregate's new version. Lock the aggregate's row first: the order of the rows
    here is then the order of its versions. A second event with the same version raises
    `asyncpg.UniqueViolationError`.
    """
    await append_all(connection, [(event, sequence)], now=now)


async def append_all(
    connection: Connection,
    events: Sequence[tuple[Event, int] | tuple[Event | Written, int, str | None]],
    *,
    now: datetime,
    is_last: bool = False,
) -> None:
    """Announce events, each with its sequence; else as `append`.

    Events of several requests in one transaction each bring their request's correlation id.
    `is_last`: nothing else is done before the commit. They are given their positions here then,
    if nothing waits for one, which spares the sequencer to write each row again. No other
    transaction gives positions before this one ends: one that took more locks could be waited for
    by whom it waits for.
    """
    given = structlog.contextvars.get_contextvars().get("correlation_id")
    rows = [
        (
            event_id := new_id(),
            kind.TOPIC,
            key,
            sequence,
            kind.TYPE,
            now,
            (correlation[0] if correlation else None) or given or str(event_id),
            content,
        )
        for event, sequence, *correlation in events
        for kind, key, content in (_parts(event),)
    ]
    await connection.execute(_APPEND_NUMBERED if is_last else _APPEND, *columns(rows, 8))


def _parts(event: Event | Written) -> tuple[type[Event], UUID, bytes]:
    if isinstance(event, Written):
        return event.kind, event.key, event.content
    return type(event), event.key, event.model_dump_json().encode()


async def after(
    connection: Connection, position: int, *, limit: int
) -> tuple[Sequence[Record], int]:
    """Read the records after `position`, and the position of the last of them.

    Positions have no gaps.
    """
    rows = await connection.fetch(
        "SELECT position, event_id, topic, key, sequence, type, occurred_at, correlation_id, "
        "payload FROM outbox WHERE position > $1 ORDER BY position LIMIT $2",
        position,
        limit,
    )
    return [_record(row) for row in rows], rows[-1]["position"] if rows else position


def _record(row: asyncpg.Record) -> Record:
    envelope = Envelope(
        event_id=row["event_id"],
        type=row["type"],
        source=f"/{row['topic']}",
        subject=str(row["key"]),
        occurred_at=row["occurred_at"],
        sequence=row["sequence"],
        correlation_id=row["correlation_id"],
    )
    return Record(
        topic=row["topic"],
        key=str(row["key"]).encode(),
        headers=envelope.headers(),
        value=row["payload"],
    )
