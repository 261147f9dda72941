"""Requests for a meeting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.requests import Author
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

REQUEST = (
    "id, stop_id, participant_id, counterpart_id, message, reply, status, revision, "
    "requested_at, expires_at, answered_at, asked_by, asked_role, answered_by, answered_role, "
    "is_recommended"
)


async def lock_pair(connection: Connection, request: Facts) -> None:
    """Let one request of a pair be made at a time: the first has no row to lock."""
    await connection.execute(
        "SELECT pg_advisory_xact_lock(hashtextextended(concat($1::uuid, least($2::uuid, $3::uuid), "
        "greatest($2, $3)), 0))",
        *_pair(request),
    )


async def open_of(connection: Connection, request: Facts) -> Row | None:
    """Read the open request of a pair, either way round, and lock it."""
    return await connection.fetchrow(
        f"SELECT {REQUEST} FROM meeting_request WHERE stop_id = $1 "  # noqa: S608
        "AND least(participant_id, counterpart_id) = least($2::uuid, $3::uuid) "
        "AND greatest(participant_id, counterpart_id) = greatest($2, $3) "
        "AND status IN ('pending', 'accepted') FOR UPDATE",
        *_pair(request),
    )


async def add(connection: Connection, request: Facts, by: Author) -> None:
    """Add a request; raises `asyncpg.UniqueViolationError` when the pair has an open one."""
    await connection.execute(
        "INSERT INTO meeting_request (id, stop_id, participant_id, counterpart_id, message, "
        "status, requested_at, expires_at, asked_by, asked_role, is_recommended) "
        "VALUES ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, $10)",
        request["id"],
        *_pair(request),
        request["message"],
        request["requested_at"],
        request["expires_at"],
        by.id,
        by.role,
        request["is_recommended"],
    )


async def one(connection: Connection, request_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a request."""
    return await connection.fetchrow(
        f"SELECT {REQUEST} FROM meeting_request WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        request_id,
    )


async def change(
    connection: Connection,
    request_id: UUID,
    status: str,
    now: datetime,
    by: Author | None = None,
    reply: str | None = None,
) -> Row:
    """Write what became of a request that is locked, and by whom; without one, by time."""
    row = await connection.fetchrow(
        "UPDATE meeting_request SET status = $2, answered_at = $3, answered_by = $4, "  # noqa: S608
        "answered_role = $5, reply = coalesce($6, reply), revision = revision + 1 "
        f"WHERE id = $1 RETURNING {REQUEST}",
        request_id,
        status,
        now,
        by and by.id,
        by and by.role,
        reply,
    )
    assert row is not None
    return row


async def of_person(connection: Connection, stop_id: UUID, participant_id: UUID) -> Sequence[Row]:
    """List the requests that somebody made or received at a stop."""
    return await connection.fetch(
        f"SELECT {REQUEST} FROM meeting_request WHERE stop_id = $1 "  # noqa: S608
        "AND $2 IN (participant_id, counterpart_id) ORDER BY requested_at, id",
        stop_id,
        participant_id,
    )


async def pending_of(connection: Connection, participant_id: UUID) -> Sequence[Row]:
    """List the pending requests that somebody made or received at any stop, locked."""
    return await connection.fetch(
        f"SELECT {REQUEST} FROM meeting_request "  # noqa: S608
        "WHERE $1 IN (participant_id, counterpart_id) AND status = 'pending' "
        "ORDER BY id FOR UPDATE",
        participant_id,
    )


async def overdue(connection: Connection, now: datetime, limit: int) -> Sequence[Row]:
    """Take pending requests whose time is up, and that nobody answers at this moment."""
    return await connection.fetch(
        f"SELECT {REQUEST} FROM meeting_request WHERE status = 'pending' "  # noqa: S608
        "AND expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED",
        now,
        limit,
    )


def _pair(request: Facts) -> tuple[UUID, UUID, UUID]:
    return request["stop_id"], request["participant_id"], request["counterpart_id"]
