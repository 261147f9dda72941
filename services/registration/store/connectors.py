"""Connectors to partners' systems: where they are, how far was read, who works on them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

_COLUMNS = (
    "id, mission_id, stop_id, partner_id, kind, place, token, field_map, pushes, revision, "
    "created_at, paused_at, ended_at, cursor, next_at, claimed_until, synced_at, failures, error"
)


async def add(connection: Connection, connector: Mapping[str, Any]) -> None:
    """Add a connector that has read nothing so far."""
    await connection.execute(
        "INSERT INTO connector (id, mission_id, stop_id, partner_id, kind, place, token, "
        "field_map, pushes, created_at, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
        "$10, $10)",
        *(connector[name] for name in ("id", "mission_id", "stop_id", "partner_id", "kind")),
        *(connector[name] for name in ("place", "token", "field_map", "pushes", "created_at")),
    )


async def one(connection: Connection, connector_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a connector, ended or not."""
    return await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM connector WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        connector_id,
    )


async def of_partner(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List a partner's connectors that have not ended, oldest first, with their counts."""
    return await connection.fetch(
        f"SELECT {_COLUMNS}, "  # noqa: S608
        "(SELECT count(*) FROM connector_link AS link WHERE connector_id = connector.id "
        "AND registration_id IS NOT NULL) AS linked, "
        "(SELECT count(*) FROM connector_link AS link WHERE connector_id = connector.id "
        "AND conflict IS NOT NULL) AS conflicts, "
        "(SELECT count(*) FROM connector_link AS link WHERE connector_id = connector.id "
        "AND has_arrived) AS arrived "
        "FROM connector WHERE partner_id = $1 AND ended_at IS NULL ORDER BY created_at, id",
        partner_id,
    )


async def stops_of(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List the stops at which a partner has a role, in order of their days."""
    return await connection.fetch(
        "SELECT stop.id, stop.mission_id, stop.city, stop.title, stop.timezone, stop.held_on "
        "FROM stop JOIN partner_role AS role ON role.stop_id = stop.id "
        "WHERE role.partner_id = $1 ORDER BY stop.held_on, stop.id",
        partner_id,
    )


async def partner(connection: Connection, partner_id: UUID) -> Row | None:
    """Read a partner organisation."""
    return await connection.fetchrow(
        "SELECT id, mission_id, name FROM partner_organization WHERE id = $1", partner_id
    )


async def change(connection: Connection, connector_id: UUID, changes: Mapping[str, Any]) -> None:
    """Write some columns of a connector that is locked, and give it another revision."""
    names = list(changes)
    parts = ", ".join(f"{name} = ${place}" for place, name in enumerate(names, start=2))
    await connection.execute(
        f"UPDATE connector SET {parts}, revision = revision + 1 WHERE id = $1",  # noqa: S608
        connector_id,
        *changes.values(),
    )


async def read_anew(connection: Connection, connector_id: UUID) -> None:
    """Forget how far was read and what was seen, so that all of it is judged again."""
    await connection.execute(
        "UPDATE connector_link SET seen = '', is_due = false WHERE connector_id = $1", connector_id
    )
    await connection.execute("UPDATE connector SET cursor = '{}' WHERE id = $1", connector_id)


async def wake(connection: Connection, connector_id: UUID, at: datetime) -> None:
    """Let a connector be worked on at a time, or before if that was planned.

    One that is worked on just now is worked on again: it may have looked before.
    """
    await connection.execute(
        "UPDATE connector SET next_at = CASE WHEN claimed_until IS NULL THEN least(next_at, $2) "
        "ELSE $2 END WHERE id = $1",
        connector_id,
        at,
    )


async def claim(connection: Connection, now: datetime, until: datetime) -> Row | None:
    """Take a connector that is due and nobody works on; it is ours until `until`."""
    return await connection.fetchrow(
        "UPDATE connector SET claimed_until = $2 WHERE id = (SELECT id FROM connector "  # noqa: S608
        "WHERE next_at <= $1 AND paused_at IS NULL AND ended_at IS NULL "
        "AND (claimed_until IS NULL OR claimed_until < $1) "
        f"ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {_COLUMNS}",
        now,
        until,
    )


async def still_ours(connection: Connection, connector: Row) -> bool:
    """Lock a connector; False when it was changed, or taken by somebody else, meanwhile."""
    ours = await connection.fetchval(
        "SELECT true FROM connector WHERE id = $1 AND revision = $2 AND claimed_until = $3 "
        "FOR NO KEY UPDATE",
        connector["id"],
        connector["revision"],
        connector["claimed_until"],
    )
    return bool(ours)


async def reach(connection: Connection, connector_id: UUID, cursor: Mapping[str, Any]) -> None:
    """Note how far was read."""
    await connection.execute(
        "UPDATE connector SET cursor = $2 WHERE id = $1", connector_id, dict(cursor)
    )


async def release(
    connection: Connection, connector: Row, next_at: datetime, synced_at: datetime | None
) -> None:
    """Let go of a connector after it went well; `synced_at` None: there is more to read."""
    await connection.execute(
        "UPDATE connector SET claimed_until = NULL, failures = 0, error = NULL, "
        # Who woke it while it was worked on is not forgotten.
        "next_at = CASE WHEN next_at > $3 THEN next_at ELSE $4 END, "
        "synced_at = coalesce($5, synced_at) WHERE id = $1 AND claimed_until = $2",
        connector["id"],
        connector["claimed_until"],
        connector["next_at"],
        next_at,
        synced_at,
    )


async def fail(connection: Connection, connector: Row, error: str, next_at: datetime) -> None:
    """Let go of a connector after it went wrong."""
    await connection.execute(
        "UPDATE connector SET claimed_until = NULL, failures = failures + 1, error = $3, "
        "next_at = $4 WHERE id = $1 AND claimed_until = $2",
        connector["id"],
        connector["claimed_until"],
        error,
        next_at,
    )
