"""What staff writes to many, and who is at a stop."""

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.domain.announcing import Announcement
from shared.events.base import Bilingual
from shared.postgres import Connection


async def put(connection: Connection, one: Announcement, written_by: UUID, now: datetime) -> bool:
    """Write an announcement; False: it is there already."""
    written = await connection.fetchval(
        "INSERT INTO announcement (id, mission_id, stop_id, side, organization, subject, body, "
        "written_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (id) DO NOTHING RETURNING true",
        one.id,
        one.mission_id,
        one.stop_id,
        one.side,
        one.organization,
        one.subject.model_dump(),
        one.body.model_dump(),
        written_by,
        now,
    )
    return bool(written)


async def read_all(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Announcement]:
    """Read announcements, by id."""
    rows = await connection.fetch(
        "SELECT id, mission_id, stop_id, side, organization, subject, body FROM announcement "
        "WHERE id = ANY($1::uuid[])",
        list(ids),
    )
    return {row["id"]: _announcement(row) for row in rows}


async def of_stop(connection: Connection, stop_id: UUID, limit: int) -> Sequence[asyncpg.Record]:
    """List what was written to a stop's people, newest first, and how many messages went out.

    What somebody sent to nobody but him- or herself was a test.
    """
    return await connection.fetch(
        "SELECT id, subject, side, organization, created_at, (SELECT count(*) FROM message "
        "WHERE announcement_id = announcement.id AND state = 'sent') AS sent, "
        "(SELECT count(*) FROM message WHERE announcement_id = announcement.id) AS messages "
        "FROM announcement WHERE stop_id = $1 AND NOT EXISTS (SELECT FROM message "
        "WHERE announcement_id = announcement.id AND person_id = written_by) "
        "ORDER BY created_at DESC LIMIT $2",
        stop_id,
        limit,
    )


async def meetings_on(connection: Connection, stop_id: UUID) -> list[dict[str, Any]]:
    """Read the meetings of a stop that take place, as listeners are sent them."""
    rows = await connection.fetch(
        "SELECT live FROM live_meeting WHERE stop_id = $1 AND state <> 'cancelled'", stop_id
    )
    return [json.loads(row["live"]) for row in rows]


def _announcement(row: asyncpg.Record) -> Announcement:
    texts = {name: Bilingual.model_validate(row[name]) for name in ("subject", "body")}
    return Announcement(**(dict(row) | texts))
