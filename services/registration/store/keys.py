"""Keys of partners' systems."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

LISTED_MAX = 200
_COLUMNS = ("id", "partner_id", "name", "digest", "scopes", "stop_ids", "created_at", "expires_at")


async def add(connection: Connection, key: Mapping[str, Any]) -> None:
    """Add a key."""
    await connection.execute(
        "INSERT INTO api_key (id, partner_id, name, digest, scopes, stop_ids, created_at, "
        "expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(key[name] for name in _COLUMNS),
    )


async def of_partner(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List a partner's keys, the latest first; those in use before those that were revoked."""
    return await connection.fetch(
        "SELECT id, name, scopes, stop_ids, created_at, expires_at, revoked_at, last_used_at "
        "FROM api_key WHERE partner_id = $1 "
        "ORDER BY revoked_at IS NOT NULL, created_at DESC, id LIMIT $2",
        partner_id,
        LISTED_MAX,
    )


async def count_in_use(connection: Connection, partner_id: UUID, now: datetime) -> int:
    """Count a partner's keys that open something; the partner is locked until the end."""
    await connection.execute(
        "SELECT FROM partner_organization WHERE id = $1 FOR NO KEY UPDATE", partner_id
    )
    found: int = await connection.fetchval(
        "SELECT count(*) FROM api_key WHERE partner_id = $1 AND revoked_at IS NULL "
        "AND (expires_at IS NULL OR expires_at > $2)",
        partner_id,
        now,
    )
    return found


async def revoke(
    connection: Connection, partner_id: UUID, key_id: UUID, now: datetime
) -> datetime | None:
    """Revoke a partner's key, and say since when it is; None where there is none."""
    revoked_at: datetime | None = await connection.fetchval(
        "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) "
        "WHERE id = $1 AND partner_id = $2 RETURNING revoked_at",
        key_id,
        partner_id,
        now,
    )
    return revoked_at


async def key(connection: Connection, key_id: UUID) -> Row | None:
    """Read a key with its mission and the stops that it opens: the partner's own, of today."""
    return await connection.fetchrow(
        "SELECT key.digest, key.scopes, key.expires_at, key.revoked_at, key.last_used_at, "
        "key.partner_id, partner.mission_id, ARRAY(SELECT role.stop_id FROM partner_role AS role "
        "WHERE role.partner_id = key.partner_id "
        "AND (key.stop_ids IS NULL OR role.stop_id = ANY(key.stop_ids)) "
        "ORDER BY role.stop_id) AS stop_ids "
        "FROM api_key AS key JOIN partner_organization AS partner ON partner.id = key.partner_id "
        "WHERE key.id = $1",
        key_id,
    )


async def note_use(
    connection: Connection, key_id: UUID, now: datetime, *, at_most_every: timedelta
) -> None:
    """Note that a key was used, unless that was noted a moment ago."""
    await connection.execute(
        "UPDATE api_key SET last_used_at = $2 "
        "WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
        key_id,
        now,
        now - at_most_every,
    )
