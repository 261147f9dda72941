"""The audit trail of what staff does to a running day."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record


async def of_subjects(connection: Connection, subjects: Sequence[UUID]) -> list[Row]:
    """Read what was done to these, the first first."""
    return await connection.fetch(
        "SELECT subject_id, at, actor_id, actor_role, action, details FROM audit_entry "
        "WHERE subject_id = ANY($1::uuid[]) ORDER BY at, id",
        subjects,
    )


async def end(connection: Connection, before: datetime) -> None:
    """Delete the entries that are older."""
    await connection.execute("SELECT end_audit_before($1)", before)
