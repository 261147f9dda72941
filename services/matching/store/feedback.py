"""What the sides said of their meetings: every revision, the last one counts."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

REPORT = (
    "id, revision, meeting_id, stop_id, mission_id, person_id, side, was_held, usefulness, "
    "next_step, note, stated_by, stated_role, stated_at"
)


async def add(connection: Connection, report: Mapping[str, Any]) -> None:
    """Add what a side says, as its next revision; the meeting is locked."""
    names = REPORT.split(", ")
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await connection.execute(
        f"INSERT INTO meeting_report ({REPORT}) VALUES ({values})",  # noqa: S608
        *(report[name] for name in names),
    )


async def of_meeting(connection: Connection, meeting_id: UUID) -> Sequence[Row]:
    """List all that was said of a meeting, the last of each side first."""
    return await connection.fetch(
        f"SELECT {REPORT} FROM meeting_report WHERE meeting_id = $1 "  # noqa: S608
        "ORDER BY side, revision DESC",
        meeting_id,
    )


async def of_mission(
    connection: Connection, mission_id: UUID, stop_id: UUID | None = None
) -> Sequence[Row]:
    """Read the last word of each side on every meeting of a mission, or of one stop."""
    return await connection.fetch(
        f"SELECT DISTINCT ON (id) {REPORT} FROM meeting_report WHERE mission_id = $1 "  # noqa: S608
        "AND ($2::uuid IS NULL OR stop_id = $2) ORDER BY id, revision DESC",
        mission_id,
        stop_id,
    )
