"""Invitation letters as they were issued."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

_LETTER = (
    "SELECT id, number, application_id, mission_id, serial, content, valid_until, issued_at, "
    "revoked_at FROM letter "
)


async def next_serial(connection: Connection, mission_id: UUID) -> int:
    """Give the next serial number of a mission, whose call is locked."""
    serial: int = await connection.fetchval(
        "SELECT coalesce(max(serial), 0) + 1 FROM letter WHERE mission_id = $1", mission_id
    )
    return serial


async def add(connection: Connection, letter: Facts) -> None:
    """Add a letter."""
    names = ("id", "number", "application_id", "mission_id", "serial", "content", "valid_until")
    await connection.execute(
        "INSERT INTO letter (id, number, application_id, mission_id, serial, content, "
        "valid_until, issued_at, issued_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(letter[name] for name in (*names, "issued_at", "issued_by")),
    )


async def one(connection: Connection, letter_id: UUID) -> Row | None:
    """Read a letter."""
    return await connection.fetchrow(_LETTER + "WHERE id = $1", letter_id)


async def by_number(connection: Connection, number: str) -> Row | None:
    """Find a letter by its whole number."""
    return await connection.fetchrow(_LETTER + "WHERE number = $1", number)


async def of_application(connection: Connection, application_id: UUID) -> Sequence[Row]:
    """List the letters of a company, the latest first; at most 200."""
    return await connection.fetch(
        _LETTER + "WHERE application_id = $1 ORDER BY serial DESC LIMIT 200", application_id
    )


async def revoke(connection: Connection, letter_id: UUID, now: datetime) -> None:
    """Take a letter back; a second time changes nothing."""
    await connection.execute(
        "UPDATE letter SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1", letter_id, now
    )


async def revoke_all(connection: Connection, application_id: UUID, now: datetime) -> None:
    """Take every letter of a company back."""
    await connection.execute(
        "UPDATE letter SET revoked_at = $2 WHERE application_id = $1 AND revoked_at IS NULL",
        application_id,
        now,
    )
