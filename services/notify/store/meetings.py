"""The last known state of each meeting, in PostgreSQL."""

from collections.abc import Sequence
from uuid import UUID

from services.notify.domain.live import Entry
from shared.postgres import Connection


async def put(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write meetings, each unless a later revision is there."""
    await connection.executemany(
        "INSERT INTO live_meeting "
        "(meeting_id, stop_id, revision, state, starts_at, people, live) "
        "SELECT $1, $2, $3, $4, $5, $6, $7 WHERE NOT EXISTS "
        # Two consumers write this row. Who comes second takes no lock, which would last its batch.
        "(SELECT FROM live_meeting WHERE meeting_id = $1 AND revision >= $3) "
        "ON CONFLICT (meeting_id) DO UPDATE SET revision = excluded.revision, "
        "state = excluded.state, starts_at = excluded.starts_at, people = excluded.people, "
        "live = excluded.live, updated_at = now() "
        "WHERE live_meeting.revision < excluded.revision",
        [
            (
                entry.meeting_id,
                entry.stop_id,
                entry.revision,
                entry.state,
                entry.starts_at,
                entry.people,
                entry.live,
            )
            for entry in entries
        ],
    )


async def of_stop(connection: Connection, stop_id: UUID) -> list[Entry]:
    """Read a stop's meetings."""
    rows = await connection.fetch(
        "SELECT meeting_id, revision, state, starts_at, people, live FROM live_meeting "
        "WHERE stop_id = $1",
        stop_id,
    )
    return [
        Entry(
            row["meeting_id"],
            stop_id,
            row["revision"],
            row["state"],
            row["starts_at"],
            tuple(row["people"]),
            tuple(row["people"]),
            row["live"],
        )
        for row in rows
    ]


async def revisions(connection: Connection, stop_id: UUID) -> dict[UUID, int]:
    """Give the revision of each of a stop's meetings."""
    rows = await connection.fetch(
        "SELECT meeting_id, revision FROM live_meeting WHERE stop_id = $1", stop_id
    )
    return {row["meeting_id"]: row["revision"] for row in rows}


async def stops_in_use(connection: Connection) -> list[UUID]:
    """List the stops whose meetings changed in the last three days."""
    rows = await connection.fetch(
        "SELECT stop_id FROM live_meeting GROUP BY stop_id "
        "HAVING max(updated_at) > now() - interval '3 days'"
    )
    return [row["stop_id"] for row in rows]
