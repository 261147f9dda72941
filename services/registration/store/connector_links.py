"""What became here of each registration in a partner's system."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.connecting import Push
from shared.postgres import Connection

Row = asyncpg.Record

# What is true here and not there yet; a conflict waits for somebody to decide.
_UNTOLD = (
    "SELECT link.connector_id, link.remote_id, link.handle, link.registration_id, "
    "r.checked_in_at, CASE WHEN r.checked_in_at IS NULL THEN 'cancel' ELSE 'check_in' END AS what "
    "FROM connector_link AS link JOIN registration AS r ON r.id = link.registration_id "
    "WHERE link.connector_id = $1 AND link.conflict IS NULL AND NOT link.has_ended AND ("
    "(NOT link.has_arrived AND r.checked_in_at IS NOT NULL AND 'check_in' = ANY($2::text[])) OR "
    "(r.checked_in_at IS NULL AND r.status IN ('cancelled', 'rejected', 'offer_expired') "
    "AND 'cancel' = ANY($2::text[]))) "
)


async def links(
    connection: Connection, connector_id: UUID, remote_ids: Collection[str]
) -> dict[str, Row]:
    """Read links with the registrations they lead to, by the id there."""
    rows = await connection.fetch(
        "SELECT link.*, r.status, r.revision AS our_revision, r.checked_in_at, "
        "r.check_in_undone_at, r.programme_item_id, person.erased_at IS NOT NULL AS is_erased "
        "FROM connector_link AS link LEFT JOIN registration AS r ON r.id = link.registration_id "
        "LEFT JOIN person ON person.id = r.person_id "
        "WHERE link.connector_id = $1 AND link.remote_id = ANY($2)",
        connector_id,
        list(remote_ids),
    )
    return {row["remote_id"]: row for row in rows}


async def due(connection: Connection, connector_id: UUID, limit: int) -> Sequence[Row]:
    """List links that are to be read once more."""
    return await connection.fetch(
        "SELECT remote_id, handle FROM connector_link WHERE connector_id = $1 AND is_due "
        "ORDER BY remote_id LIMIT $2",
        connector_id,
        limit,
    )


async def put_link(connection: Connection, link: Mapping[str, Any]) -> None:
    """Write what is known of a registration there; the facts taken over stay when None is given."""
    await connection.execute(
        "INSERT INTO connector_link (connector_id, remote_id, handle, registration_id, seen, "
        "facts_there, facts, revision, has_ended, has_arrived, conflict, conflict_fields, "
        "conflict_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) "
        "ON CONFLICT (connector_id, remote_id) DO UPDATE SET handle = excluded.handle, "
        "registration_id = coalesce(excluded.registration_id, connector_link.registration_id), "
        "seen = excluded.seen, facts_there = excluded.facts_there, "
        "facts = coalesce(excluded.facts, connector_link.facts), "
        "revision = coalesce(excluded.revision, connector_link.revision), "
        "has_ended = excluded.has_ended, has_arrived = excluded.has_arrived, "
        "conflict = excluded.conflict, conflict_fields = excluded.conflict_fields, "
        "conflict_at = CASE WHEN connector_link.conflict = excluded.conflict "
        "THEN connector_link.conflict_at ELSE excluded.conflict_at END, "
        "is_due = false, takes_theirs = false",
        *(link[name] for name in ("connector_id", "remote_id", "handle", "registration_id")),
        *(link[name] for name in ("seen", "facts_there", "facts", "revision", "has_ended")),
        *(link[name] for name in ("has_arrived", "conflict", "conflict_fields", "conflict_at")),
    )


async def is_linked(connection: Connection, connector_id: UUID, registration_id: UUID) -> bool:
    """Say whether something there stands for a registration already."""
    found = await connection.fetchval(
        "SELECT true FROM connector_link WHERE connector_id = $1 AND registration_id = $2",
        connector_id,
        registration_id,
    )
    return bool(found)


async def registration(connection: Connection, registration_id: UUID) -> Row:
    """Read a registration as a link looks at it."""
    row = await connection.fetchrow(
        "SELECT r.id, r.revision, r.partner_id, person.partner_id AS person_partner_id "
        "FROM registration AS r JOIN person ON person.id = r.person_id WHERE r.id = $1",
        registration_id,
    )
    assert row is not None
    return row


async def forget_gone(connection: Connection, connector_id: UUID, remote_id: str) -> None:
    """Note that something is not there any more, however it went."""
    await connection.execute(
        "UPDATE connector_link SET is_due = false, takes_theirs = false, has_ended = true, "
        "conflict = 'gone_there' WHERE connector_id = $1 AND remote_id = $2",
        connector_id,
        remote_id,
    )


async def untold(
    connection: Connection, connector_id: UUID, pushes: Sequence[str], limit: int
) -> Sequence[Row]:
    """List what is true here and is to be told there: `what` is a check-in or an end."""
    return await connection.fetch(
        _UNTOLD + "ORDER BY link.remote_id LIMIT $3", connector_id, list(pushes), limit
    )


async def with_untold(connection: Connection, now: datetime) -> list[UUID]:
    """List the connectors that have something to tell and are not due by themselves."""
    rows = await connection.fetch(
        "SELECT id FROM connector WHERE paused_at IS NULL AND ended_at IS NULL "  # noqa: S608
        "AND next_at > $1 AND failures = 0 AND EXISTS ("
        + _UNTOLD.replace("$1", "connector.id").replace("$2::text[]", "connector.pushes")
        + ")",
        now,
    )
    return [row["id"] for row in rows]


async def told(connection: Connection, connector_id: UUID, remote_id: str, what: Push) -> None:
    """Note that the other system knows."""
    column = "has_arrived" if what is Push.CHECK_IN else "has_ended"
    await connection.execute(
        f"UPDATE connector_link SET {column} = true WHERE connector_id = $1 AND remote_id = $2",  # noqa: S608
        connector_id,
        remote_id,
    )


async def untellable(
    connection: Connection, connector_id: UUID, remote_id: str, why: str, now: datetime
) -> None:
    """Note that the other system will not have it."""
    await connection.execute(
        "UPDATE connector_link SET conflict = $3, conflict_fields = '{}', conflict_at = $4 "
        "WHERE connector_id = $1 AND remote_id = $2",
        connector_id,
        remote_id,
        why,
        now,
    )


async def conflicts(
    connection: Connection, connector_id: UUID, after: str, limit: int
) -> Sequence[Row]:
    """List conflicts by the id there, behind `after`, with whom they are about."""
    return await connection.fetch(
        "SELECT link.remote_id, link.registration_id, link.conflict, link.conflict_fields, "
        "link.conflict_at, link.is_due, person.full_name, person.native_name "
        "FROM connector_link AS link LEFT JOIN registration AS r ON r.id = link.registration_id "
        "LEFT JOIN person ON person.id = r.person_id WHERE link.connector_id = $1 "
        "AND link.conflict IS NOT NULL AND link.remote_id > $2 ORDER BY link.remote_id LIMIT $3",
        connector_id,
        after,
        limit,
    )


async def ask_again(
    connection: Connection, connector_id: UUID, remote_id: str, *, takes_theirs: bool
) -> bool:
    """Let a conflict be judged again; False when there is none."""
    found = await connection.fetchval(
        "UPDATE connector_link SET is_due = true, takes_theirs = $3, seen = '' "
        "WHERE connector_id = $1 AND remote_id = $2 AND conflict IS NOT NULL RETURNING true",
        connector_id,
        remote_id,
        takes_theirs,
    )
    return bool(found)


async def keep_ours(connection: Connection, connector_id: UUID, remote_id: str) -> bool:
    """Let a conflict stand as it is here; False when there is none."""
    found = await connection.fetchval(
        "UPDATE connector_link SET conflict = NULL, conflict_fields = '{}', conflict_at = NULL, "
        "facts = facts_there, revision = (SELECT revision FROM registration "
        "WHERE id = registration_id), is_due = false, takes_theirs = false "
        "WHERE connector_id = $1 AND remote_id = $2 AND conflict IS NOT NULL RETURNING true",
        connector_id,
        remote_id,
    )
    return bool(found)
