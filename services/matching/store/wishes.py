"""Preferences and requests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.wishes import Wish, Wishes
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

REQUEST = "id, stop_id, participant_id, counterpart_id, message, status, requested_at, answered_at"


async def put_preference(connection: Connection, preference: Facts, now: datetime) -> bool:
    """Write what somebody states, unless a no was stated before; say whether it is written."""
    is_written = await connection.fetchval(
        "INSERT INTO preference (stop_id, participant_id, counterpart_id, kind, stated_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stop_id, participant_id, counterpart_id) "
        "DO UPDATE SET kind = excluded.kind, stated_at = excluded.stated_at "
        # One statement: a twin that says no in the same moment has the last word.
        "WHERE preference.kind <> 'no_thanks' OR excluded.kind = 'no_thanks' RETURNING true",
        preference["stop_id"],
        preference["participant_id"],
        preference["counterpart_id"],
        preference["kind"],
        now,
    )
    return bool(is_written)


async def preferences_of(
    connection: Connection, stop_id: UUID, participant_id: UUID
) -> Sequence[Row]:
    """List what somebody stated at a stop."""
    return await connection.fetch(
        "SELECT stop_id, participant_id, counterpart_id, kind FROM preference "
        "WHERE stop_id = $1 AND participant_id = $2 ORDER BY stated_at, counterpart_id",
        stop_id,
        participant_id,
    )


async def add_request(connection: Connection, request: Facts) -> None:
    """Add a request; raises `asyncpg.UniqueViolationError` when the pair has an open one."""
    await connection.execute(
        "INSERT INTO meeting_request (id, stop_id, participant_id, counterpart_id, message, "
        "status, requested_at) VALUES ($1, $2, $3, $4, $5, 'pending', $6)",
        *(
            request[name]
            for name in (
                "id",
                "stop_id",
                "participant_id",
                "counterpart_id",
                "message",
                "requested_at",
            )
        ),
    )


async def request(connection: Connection, request_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a request."""
    return await connection.fetchrow(
        f"SELECT {REQUEST} FROM meeting_request WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        request_id,
    )


async def answer(connection: Connection, request_id: UUID, status: str, now: datetime) -> None:
    """Write what became of a request."""
    await connection.execute(
        "UPDATE meeting_request SET status = $2, answered_at = $3 WHERE id = $1",
        request_id,
        status,
        now,
    )


async def requests_of(connection: Connection, stop_id: UUID, participant_id: UUID) -> Sequence[Row]:
    """List the requests that somebody made or received at a stop."""
    return await connection.fetch(
        f"SELECT {REQUEST} FROM meeting_request WHERE stop_id = $1 "  # noqa: S608
        "AND $2 IN (participant_id, counterpart_id) ORDER BY requested_at, id",
        stop_id,
        participant_id,
    )


async def of_stop(connection: Connection, stop_id: UUID) -> Wishes:
    """Read all that counts for a stop's schedule."""
    rows = await connection.fetch(
        "SELECT participant_id, counterpart_id, kind FROM preference WHERE stop_id = $1 "
        "UNION ALL SELECT participant_id, counterpart_id, 'request' FROM meeting_request "
        "WHERE stop_id = $1 AND status = 'accepted'",
        stop_id,
    )
    return Wishes(Wish(**row) for row in rows)
