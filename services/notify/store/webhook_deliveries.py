"""Deliveries to webhooks: the queue, in order for each endpoint and aggregate, and the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

import asyncpg

from services.notify.store.feed import VISIBLE
from shared.postgres import Connection, columns

Shown = Literal["all", "waiting", "delivered", "failed"]

LEASE = timedelta(seconds=120)
"""Longer than a round of attempts takes: then a process has ended with it."""
LOOKED_AT = 200
"""Due deliveries of an endpoint that are looked at for one round."""

_WANTED = "(cardinality(viewer.types) = 0 OR feed_event.type = ANY(viewer.types))"
_NEW = (
    "INSERT INTO webhook_delivery (webhook_id, event_id, type, key, body, next_attempt_at, "  # noqa: S608  # our own words
    "created_at) SELECT viewer.id, event_id, feed_event.type, key, hook, $1::timestamptz, $1 "
    "FROM feed_event JOIN webhook AS viewer ON "
    f"{VISIBLE} AND {_WANTED} "
)
_AFRESH = "state = 'waiting', attempts = 0, refusals = 0, ended_at = NULL"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: int
    event_id: UUID
    body: str
    attempts: int
    """With the one that is made now."""
    refusals: int = 0
    """Without it."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of an attempt, and of its delivery: when it is tried again, or None."""

    delivery: int
    state: str
    refusals: int
    next_attempt_at: datetime | None
    at: datetime
    milliseconds: int
    status: int | None
    failure: str | None
    request_head: str
    response_head: str


async def queue(connection: Connection, position: int, now: datetime) -> None:
    """Queue what the feed has after a position for all who want it."""
    await connection.execute(
        f"{_NEW} WHERE position > $2 ORDER BY position ON CONFLICT DO NOTHING", now, position
    )


async def replay(
    connection: Connection, webhook_id: UUID, span: tuple[int, int], now: datetime
) -> int:
    """Queue once more what an endpoint may be told from one position up to another; count it."""
    done = await connection.execute(
        f"{_NEW} WHERE viewer.id = $2 AND position > $3 AND position <= $4 ORDER BY position "
        f"ON CONFLICT (webhook_id, event_id) DO UPDATE SET {_AFRESH}, next_attempt_at = $1",
        now,
        webhook_id,
        *span,
    )
    return int(done.rpartition(" ")[2])


async def replay_one(connection: Connection, webhook_id: UUID, id_: int, now: datetime) -> bool:
    """Queue a delivery once more; False: it is not one of this endpoint."""
    return bool(
        await connection.fetchval(
            f"UPDATE webhook_delivery SET {_AFRESH}, next_attempt_at = $3 "  # noqa: S608  # the same
            "WHERE webhook_id = $1 AND id = $2 RETURNING true",
            webhook_id,
            id_,
            now,
        )
    )


async def replay_failed(connection: Connection, webhook_id: UUID, now: datetime) -> int:
    """Queue once more what failed for good, and count it."""
    done = await connection.execute(
        f"UPDATE webhook_delivery SET {_AFRESH}, next_attempt_at = $2 "  # noqa: S608  # the same
        "WHERE webhook_id = $1 AND state = 'failed' AND key <> webhook_id",
        webhook_id,
        now,
    )
    return int(done.rpartition(" ")[2])


async def skip(connection: Connection, webhook_id: UUID, id_: int, now: datetime) -> bool:
    """Give up a delivery that waits, and let go what waits behind it; False: it does not wait."""
    key = await connection.fetchval(
        "UPDATE webhook_delivery SET state = 'failed', ended_at = $3 WHERE webhook_id = $1 "
        "AND id = $2 AND state = 'waiting' RETURNING key",
        webhook_id,
        id_,
        now,
    )
    if key is not None:
        await _let_go(connection, [(webhook_id, key)], now)
    return key is not None


async def claim(
    connection: Connection, webhook_id: UUID, now: datetime, limit: int
) -> list[Delivery]:
    """Take an endpoint's due deliveries for the length of a lease; of each aggregate the first.

    Those behind one that waits for its next attempt wait with it.
    """
    rows = await connection.fetch(
        # In steps that no statistics can turn about: each due one looks for its first.
        "WITH due AS MATERIALIZED (SELECT id, key FROM webhook_delivery WHERE webhook_id = $1 "
        "AND state = 'waiting' AND next_attempt_at <= $2 ORDER BY next_attempt_at, id LIMIT $5), "
        "placed AS MATERIALIZED (SELECT due.id, first.id AS first, first.next_attempt_at FROM due "
        "CROSS JOIN LATERAL (SELECT id, next_attempt_at FROM webhook_delivery "
        "WHERE webhook_id = $1 AND key = due.key AND state = 'waiting' ORDER BY id LIMIT 1) "
        "AS first), "
        "deferred AS (UPDATE webhook_delivery SET next_attempt_at = placed.next_attempt_at "
        "FROM placed WHERE webhook_delivery.id = placed.id AND first <> placed.id "
        "AND placed.next_attempt_at > $2) "
        "UPDATE webhook_delivery SET attempts = attempts + 1, "
        "next_attempt_at = $2::timestamptz + $4 WHERE id IN (SELECT id FROM webhook_delivery "
        "WHERE id = ANY(ARRAY(SELECT id FROM placed WHERE first = id ORDER BY id LIMIT $3)) "
        "AND state = 'waiting' AND next_attempt_at <= $2 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, event_id, body, attempts, refusals",
        webhook_id,
        now,
        limit,
        LEASE,
        LOOKED_AT,
    )
    return sorted((Delivery(**row) for row in rows), key=lambda delivery: delivery.id)


async def test_fire(
    connection: Connection, webhook_id: UUID, event: tuple[UUID, str, str], now: datetime
) -> Delivery:
    """Write a delivery of a test, its id, type and body, as one under way."""
    event_id, type_, body = event
    id_ = await connection.fetchval(
        "INSERT INTO webhook_delivery (webhook_id, event_id, type, key, body, attempts, "
        "next_attempt_at, created_at) VALUES ($1, $2, $3, $2, $4, 1, $5::timestamptz + $6, $5) "
        "RETURNING id",
        webhook_id,
        event_id,
        type_,
        body,
        now,
        LEASE,
    )
    return Delivery(id_, event_id, body, 1)


async def record(connection: Connection, attempts: Sequence[Attempt]) -> None:
    """Write what came of attempts; what waited behind those that are over is due now.

    What was skipped meanwhile stays so, unless it was taken after all.
    """
    rows = await connection.fetch(
        "UPDATE webhook_delivery SET state = CASE WHEN webhook_delivery.state = 'waiting' "
        "OR done.state = 'delivered' THEN done.state ELSE webhook_delivery.state END, "
        "refusals = done.refusals, "
        "next_attempt_at = coalesce(done.next_attempt_at, webhook_delivery.next_attempt_at), "
        "ended_at = CASE WHEN done.state = 'waiting' THEN ended_at ELSE done.at END "
        "FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::timestamptz[], "
        "$5::timestamptz[]) AS done (id, state, refusals, next_attempt_at, at) "
        "WHERE webhook_delivery.id = done.id "
        "RETURNING webhook_delivery.id, webhook_id, key, webhook_delivery.state",
        *columns(
            [
                (one.delivery, one.state, one.refusals, one.next_attempt_at, one.at)
                for one in attempts
            ],
            5,
        ),
    )
    over = [(row["webhook_id"], row["key"]) for row in rows if row["state"] != "waiting"]
    await _let_go(connection, over, max(one.at for one in attempts))
    # Some may be forgotten by now.
    left = {row["id"] for row in rows}
    await connection.copy_records_to_table(
        "webhook_attempt",
        columns=(
            *("delivery", "at", "milliseconds", "status", "failure"),
            *("request_head", "response_head"),
        ),
        records=[
            (
                *(one.delivery, one.at, one.milliseconds, one.status, one.failure),
                *(one.request_head, one.response_head),
            )
            for one in attempts
            if one.delivery in left
        ],
    )


async def _let_go(connection: Connection, over: Sequence[tuple[UUID, UUID]], now: datetime) -> None:
    """Have what waited behind the first of an endpoint and aggregate sent now."""
    await connection.execute(
        "UPDATE webhook_delivery SET next_attempt_at = $3 "
        "FROM unnest($1::uuid[], $2::uuid[]) AS over (webhook_id, key) "
        "WHERE webhook_delivery.webhook_id = over.webhook_id AND webhook_delivery.key = over.key "
        "AND state = 'waiting' AND attempts = 0 AND next_attempt_at > $3",
        *columns(over, 2),
        now,
    )


async def log(
    connection: Connection, webhook_id: UUID, shown: Shown, after: int, limit: int
) -> list[asyncpg.Record]:
    """List an endpoint's deliveries, newest first; those that wait as they are sent."""
    sign, order = (">", "ASC") if shown == "waiting" else ("<", "DESC")
    return await connection.fetch(
        "SELECT id, event_id, type, body, state, attempts, next_attempt_at, created_at, ended_at "  # noqa: S608  # our own words
        "FROM webhook_delivery WHERE webhook_id = $1 AND ($2 = 'all' OR state = $2) "
        f"AND ($3::bigint = 0 OR id {sign} $3) ORDER BY id {order} LIMIT $4",
        webhook_id,
        shown,
        after,
        limit,
    )


async def attempts(connection: Connection, deliveries: Sequence[int]) -> list[asyncpg.Record]:
    """List what was tried, in order."""
    return await connection.fetch(
        "SELECT delivery, at, milliseconds, status, failure, request_head, response_head "
        "FROM webhook_attempt WHERE delivery = ANY($1) ORDER BY id",
        deliveries,
    )


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Delete deliveries made before a time, and count them."""
    done = await connection.execute(
        "DELETE FROM webhook_delivery WHERE id IN (SELECT id FROM webhook_delivery "
        "WHERE created_at < $1 LIMIT $2)",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
