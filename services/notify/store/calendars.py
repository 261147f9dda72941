"""Meetings as calendars that others subscribe to hold them."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from shared.postgres import Connection

_READ = "SELECT stop_id, live, updated_at FROM live_meeting WHERE "
_ORDER = " ORDER BY starts_at, meeting_id"


async def of_person(connection: Connection, person_id: UUID) -> Sequence[asyncpg.Record]:
    """Read somebody's meetings at every stop: `stop_id`, `live`, `updated_at`."""
    return await connection.fetch(f"{_READ} people @> ARRAY[$1::uuid] {_ORDER}", person_id)


async def of_stop(
    connection: Connection, stop_id: UUID, point: str | None = None
) -> Sequence[asyncpg.Record]:
    """Read a stop's meetings, or those at one table; the same columns."""
    return await connection.fetch(
        f"{_READ} stop_id = $1 AND ($2::text IS NULL OR live::jsonb ->> 'point' = $2) {_ORDER}",
        stop_id,
        point,
    )
