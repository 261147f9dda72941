"""The audit trail of what staff does about messages."""

from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection


async def page(
    connection: Connection, mission_id: UUID, *, before: UUID | None, limit: int
) -> list[asyncpg.Record]:
    """Read a mission's entries, the latest first; `before` is the last one seen."""
    return await connection.fetch(
        "SELECT id, at, actor_id, actor_role, action, subject_id, stop_id, details "
        "FROM audit_entry WHERE mission_id = $1 AND ($2::uuid IS NULL "
        "OR (at, id) < (SELECT at, id FROM audit_entry WHERE id = $2)) "
        "ORDER BY at DESC, id DESC LIMIT $3",
        mission_id,
        before,
        limit,
    )


async def latest(connection: Connection, mission_id: UUID, action: str) -> asyncpg.Record | None:
    """Read who did something for a mission last, and when."""
    return await connection.fetchrow(
        "SELECT actor_id, at FROM audit_entry WHERE mission_id = $1 AND action = $2 "
        "ORDER BY at DESC, id DESC LIMIT 1",
        mission_id,
        action,
    )


async def end(connection: Connection, before: datetime) -> None:
    """Delete the entries that are older."""
    await connection.execute("SELECT end_audit_before($1)", before)
