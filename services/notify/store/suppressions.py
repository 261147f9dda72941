"""Addresses that no mail reaches, and mail that came back for now."""

from datetime import datetime
from uuid import UUID

import asyncpg

from services.notify.domain.bounces import SOFT_WITHIN
from shared.postgres import Connection


async def put(  # what an entry is made of
    connection: Connection,
    person_id: UUID,
    address: bytes,
    reason: str,
    now: datetime,
    *,
    is_suspect: bool = False,
) -> None:
    """Write to somebody's address no more; a mere suspicion changes nothing about one that is gone.

    Its mission is that of the mail that came back.
    """
    await connection.execute(
        "INSERT INTO suppression (person_id, address, reason, since, is_suspect, mission_id) "
        "SELECT $1, $2, $3, $4, $5, mission_id FROM message WHERE person_id = $1 "
        "ORDER BY id DESC LIMIT 1 ON CONFLICT (person_id) DO UPDATE "
        "SET address = excluded.address, reason = excluded.reason, since = excluded.since, "
        "is_suspect = excluded.is_suspect, mission_id = excluded.mission_id "
        "WHERE NOT excluded.is_suspect OR suppression.address <> excluded.address",
        person_id,
        address,
        reason,
        now,
        is_suspect,
    )


async def why(connection: Connection, person_id: UUID, address: bytes) -> str | None:
    """Say why somebody's address is not written to; None: it is, or it is another one now."""
    reason: str | None = await connection.fetchval(
        "SELECT reason FROM suppression WHERE person_id = $1 AND address = $2", person_id, address
    )
    return reason


async def note_soft(
    connection: Connection, report: bytes, person_id: UUID, address: bytes, now: datetime
) -> int:
    """Note that mail came back for now, and count how often it did lately; 0: that is noted."""
    added = await connection.fetchval(
        "INSERT INTO soft_bounce (report, person_id, address, at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING RETURNING true",
        report,
        person_id,
        address,
        now,
    )
    if not added:
        return 0
    count: int = await connection.fetchval(
        "SELECT count(*) FROM soft_bounce WHERE person_id = $1 AND address = $2 AND at > $3",
        person_id,
        address,
        now - SOFT_WITHIN,
    )
    return count


async def of_mission(connection: Connection, mission_id: UUID, limit: int) -> list[asyncpg.Record]:
    """List who cannot be written to, the latest first, and how much of it is still to be told."""
    return await connection.fetch(
        "SELECT person_id, address, reason, since, is_suspect, (SELECT count(*) FROM by_hand "
        "JOIN message ON message.id = by_hand.message WHERE told_at IS NULL "
        "AND message.person_id = suppression.person_id) AS by_hand FROM suppression "
        "WHERE mission_id = $1 ORDER BY since DESC, person_id LIMIT $2",
        mission_id,
        limit,
    )


async def lift(connection: Connection, mission_id: UUID, person_id: UUID) -> bool:
    """Write to somebody again; False: nothing stood in the way."""
    lifted = await connection.fetchval(
        "DELETE FROM suppression WHERE mission_id = $1 AND person_id = $2 RETURNING true",
        mission_id,
        person_id,
    )
    await connection.execute("DELETE FROM soft_bounce WHERE person_id = $1", person_id)
    return bool(lifted)
