"""Marks: whether what a stop's day is read from has changed since it was read.

Every row knows the transaction that wrote it (`xmin`). Rows that are written anew have a higher
one than all before, so the count of a table's rows and the sum of their writers cannot both stay
the same when anything changed. Only after four thousand million transactions do numbers begin
anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.store.facts import Row
from services.matching.store.meetings import MEETING, read
from shared.postgres import Connection

# Ages are numbers already, and count down from a transaction that is the same for all.
WRITERS = "coalesce(sum(age(rows.xmin)), 0) - count(*) * age('3'::xid)"
WRITTEN = f"(count(*), {WRITERS})::text"
# Whether somebody checked in changes no place.
PLACES = (
    "SELECT (count(*), bit_xor(uuid_hash_extended(participant_id, "
    "uuid_hash_extended(programme_item_id, 0))))::text "
    "FROM participation WHERE stop_id = $1 AND is_confirmed"
)
# Another one after a failover, in which the last transactions may have been lost.
TIMELINE = "left(pg_walfile_name(pg_current_wal_lsn()), 8)"
OF_STOP, OF_MISSION = "rows.stop_id = $1", "rows.mission_id = $2"
PARTS: Mapping[str, Sequence[tuple[str, str]]] = {
    "wishes": [
        ("preference", OF_STOP),
        ("company_preference", OF_STOP),
        ("meeting_request", OF_STOP),
    ],
    "elsewhere": [
        ("absence", "true"),
        ("availability", "true"),
        ("meeting", f"{OF_MISSION} AND rows.stop_id <> $1"),
    ],
    "rest": [
        ("participant", OF_MISSION),
        ("interpreter", OF_MISSION),
        ("exclusion", OF_MISSION),
        ("veto", OF_STOP),
        ("quota", OF_STOP),
        ("personal_quota", OF_STOP),
        ("meeting_session", OF_STOP),
        ("meeting_point", OF_STOP),
        (
            "session_point",
            "rows.session_id IN (SELECT id FROM meeting_session WHERE stop_id = $1)",
        ),
        ("way", OF_STOP),
    ],
}
"""The tables from which each part of a survey is read, with the rows that count; the stop's own
meetings come beside."""


@dataclass(frozen=True, slots=True)
class Marks:
    """How everything was when it was looked at."""

    horizon: str
    """Every transaction before this one had ended."""
    count: int
    """How many meetings the stop has, cancelled ones included."""
    parts: Mapping[str, object]
    """What is another one for each part once something of it has changed."""


async def look(connection: Connection, stop: Row) -> Marks:
    """Look at a stop; what is read afterwards is as it is now, or newer."""
    row = await connection.fetchrow(_LOOK, stop["id"], stop["mission_id"])
    assert row is not None
    parts = {part: row[part] for part in PARTS}
    return Marks(row["horizon"], row["count"], {"meetings": row["writers"], **parts})


async def changed_meetings(
    connection: Connection, stop_id: UUID, since: Marks, limit: int
) -> list[Meeting]:
    """List the meetings of a stop, cancelled ones too, that were written since; and maybe more.

    At most `limit`.
    """
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting "  # noqa: S608
        "WHERE stop_id = $1 AND age(xmin) <= age($2::text::xid) LIMIT $3",
        stop_id,
        since.horizon,
        limit,
    )
    return [read(row) for row in rows]


def _looking() -> str:
    """Write the statement; one, as it has one view of everything."""
    fields = [
        "pg_snapshot_xmin(pg_current_snapshot())::xid::text AS horizon",
        "own.count",
        "own.writers",
    ]
    for part, tables in PARTS.items():
        sums = [
            f"(SELECT {WRITTEN} FROM {table} AS rows WHERE {condition})"  # noqa: S608
            for table, condition in tables
        ]
        sums += [f"({PLACES})", TIMELINE] if part == "rest" else []
        fields.append(f"concat({', '.join(sums)}) AS {part}")
    own = f"SELECT count(*) AS count, {WRITERS} AS writers FROM meeting AS rows WHERE {OF_STOP}"  # noqa: S608
    return f"SELECT {', '.join(fields)} FROM ({own}) AS own"  # noqa: S608


_LOOK = _looking()
