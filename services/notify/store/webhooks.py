"""Webhooks: endpoints, their secrets, and how they fare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.domain.webhooks import Health, Scheme
from shared.postgres import Connection

# A test has the endpoint itself for its aggregate, and is never sent again by itself.
_COLUMNS = (
    "id, mission_id, partner_id, stop_ids, url, name, types, state, reason, revision, "
    "created_at, created_by, failures, failing_since, resting_until, "
    "(SELECT count(*) FROM webhook_delivery WHERE webhook_id = webhook.id "
    "AND webhook_delivery.state = 'waiting') AS waiting, "
    "(SELECT count(*) FROM webhook_delivery WHERE webhook_id = webhook.id "
    "AND webhook_delivery.state = 'failed' AND key <> webhook.id) AS failed, "
    "(SELECT max(ended_at) FROM webhook_delivery WHERE webhook_id = webhook.id "
    "AND webhook_delivery.state = 'delivered') AS delivered_at"
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a round of attempts goes."""

    id: UUID
    url: str
    health: Health
    sealed: Sequence[tuple[Scheme, bytes]]


async def add(connection: Connection, facts: dict[str, Any]) -> None:
    """Write a new endpoint."""
    await connection.execute(
        "INSERT INTO webhook (id, mission_id, partner_id, stop_ids, url, name, types, created_at, "
        "created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(facts[name] for name in ("id", "mission_id", "partner_id", "stop_ids", "url", "name")),
        *(facts[name] for name in ("types", "created_at", "created_by")),
    )


async def lock_owner(connection: Connection, mission_id: UUID, partner_id: UUID | None) -> None:
    """Let nobody else add an endpoint for the same until this transaction ends."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
        f"webhook {partner_id or mission_id}",
    )


async def of(
    connection: Connection, mission_id: UUID, partner_id: UUID | None
) -> list[asyncpg.Record]:
    """List a partner's endpoints, or the mission's own, the oldest first."""
    return await connection.fetch(
        f"SELECT {_COLUMNS} FROM webhook WHERE mission_id = $1 "  # noqa: S608  # our own words
        "AND partner_id IS NOT DISTINCT FROM $2 ORDER BY created_at, id",
        mission_id,
        partner_id,
    )


async def read(connection: Connection, id_: UUID) -> asyncpg.Record | None:
    """Read an endpoint."""
    return await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM webhook WHERE id = $1",  # noqa: S608  # our own words
        id_,
    )


async def lock(connection: Connection, id_: UUID) -> asyncpg.Record | None:
    """Read an endpoint, for as long as the transaction lasts nobody else's."""
    await connection.execute("SELECT FROM webhook WHERE id = $1 FOR UPDATE", id_)
    return await read(connection, id_)


async def edit(connection: Connection, id_: UUID, facts: dict[str, Any]) -> None:
    """Write an endpoint's address, name, types and state; whatever state, it starts afresh."""
    await connection.execute(
        "UPDATE webhook SET url = $2, name = $3, types = $4, state = $5, reason = NULL, "
        "failures = 0, failing_since = NULL, resting_until = NULL, revision = revision + 1 "
        "WHERE id = $1",
        id_,
        *(facts[name] for name in ("url", "name", "types", "state")),
    )


async def remove(connection: Connection, id_: UUID) -> None:
    """Remove an endpoint with its deliveries."""
    await connection.execute("DELETE FROM webhook WHERE id = $1", id_)


async def add_secret(connection: Connection, id_: UUID, scheme: Scheme, sealed: bytes) -> None:
    """Write a secret that signs from now on."""
    await connection.execute(
        "INSERT INTO webhook_secret (webhook_id, scheme, sealed) VALUES ($1, $2, $3)",
        id_,
        scheme,
        sealed,
    )


async def expire_secrets(
    connection: Connection, id_: UUID, at: datetime, now: datetime
) -> list[Scheme]:
    """Let what signs now do so until a time, forget what did so before, and give its schemes."""
    await connection.execute(
        "DELETE FROM webhook_secret WHERE webhook_id = $1 AND expires_at <= $2", id_, now
    )
    rows = await connection.fetch(
        "UPDATE webhook_secret SET expires_at = $2 WHERE webhook_id = $1 AND expires_at IS NULL "
        "RETURNING scheme",
        id_,
        at,
    )
    return sorted(row["scheme"] for row in rows)


async def secrets(
    connection: Connection, id_: UUID, now: datetime
) -> list[tuple[Scheme, bytes, datetime | None]]:
    """Read what signs: scheme, the sealed secret, and until when; the newest first."""
    rows = await connection.fetch(
        "SELECT scheme, sealed, expires_at FROM webhook_secret WHERE webhook_id = $1 "
        "AND (expires_at IS NULL OR expires_at > $2) ORDER BY id DESC",
        id_,
        now,
    )
    return [(row["scheme"], row["sealed"], row["expires_at"]) for row in rows]


async def health(connection: Connection, id_: UUID) -> Health | None:
    """Read how an endpoint fares, for as long as the transaction lasts nobody else's."""
    row = await connection.fetchrow(
        "SELECT state, reason, failures, failing_since, resting_until FROM webhook "
        "WHERE id = $1 FOR UPDATE",
        id_,
    )
    return Health(**row) if row else None


async def set_health(connection: Connection, id_: UUID, found: Health) -> None:
    """Write how an endpoint fares."""
    await connection.execute(
        "UPDATE webhook SET state = $2, reason = $3, failures = $4, failing_since = $5, "
        "resting_until = $6, revision = revision + (state <> $2)::int WHERE id = $1",
        id_,
        found.state,
        found.reason,
        found.failures,
        found.failing_since,
        found.resting_until,
    )


async def endpoint(connection: Connection, id_: UUID, now: datetime) -> Endpoint | None:
    """Read where to send, if anything is to be sent there now."""
    row = await connection.fetchrow(
        "SELECT url, state, reason, failures, failing_since, resting_until FROM webhook "
        "WHERE id = $1 AND state = 'active' AND (resting_until IS NULL OR resting_until <= $2)",
        id_,
        now,
    )
    if row is None:
        return None
    facts = dict(row)
    sealed = [(scheme, secret) for scheme, secret, _ in await secrets(connection, id_, now)]
    return Endpoint(id_, facts.pop("url"), Health(**facts), sealed)


async def due(connection: Connection) -> dict[UUID, datetime]:
    """Say to which endpoints something is to be sent, and from when on."""
    rows = await connection.fetch(
        "SELECT id, greatest(resting_until, first.at) AS at FROM webhook "
        "CROSS JOIN LATERAL (SELECT min(next_attempt_at) AS at FROM webhook_delivery "
        "WHERE webhook_id = webhook.id AND webhook_delivery.state = 'waiting') AS first "
        "WHERE state = 'active' AND first.at IS NOT NULL"
    )
    return {row["id"]: row["at"] for row in rows}
