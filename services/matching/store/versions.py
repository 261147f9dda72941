"""Versions: a provisional schedule edited by hand, reviewed, and handed on to the next one."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.requests import Author
from services.matching.domain.versions import Entry
from shared.postgres import Connection, columns

Row = asyncpg.Record
Pair = tuple[UUID, UUID]

VERSION = (
    "id, stop_id, number, state, revision, entries, left_out, interventions, "
    "reviewed_at, reviewed_by"
)


async def one(connection: Connection, schedule_id: UUID) -> Row | None:
    """Read a version with its entries."""
    return await connection.fetchrow(
        f"SELECT {VERSION} FROM schedule WHERE id = $1",  # noqa: S608
        schedule_id,
    )


async def speakers(connection: Connection, people: Iterable[UUID]) -> dict[UUID, Row]:
    """Read the side and the languages of participants, with or without a place."""
    rows = await connection.fetch(
        "SELECT id, side, languages FROM participant WHERE id = ANY($1::uuid[])", list(people)
    )
    return {row["id"]: row for row in rows}


async def newest(connection: Connection, stop_id: UUID) -> Row | None:
    """Read the version of a stop that was made last, if it was not superseded."""
    return await connection.fetchrow(
        f"SELECT {VERSION} FROM schedule WHERE stop_id = $1 "  # noqa: S608
        "AND state IN ('provisional', 'published') ORDER BY requested_at DESC, id LIMIT 1",
        stop_id,
    )


async def change(
    connection: Connection,
    schedule_id: UUID,
    entries: Sequence[Entry],
    left_out: Sequence[Pair],
) -> int:
    """Write what a version holds after an edit, and give its revision; a review is over by it."""
    revision: int = await connection.fetchval(
        "UPDATE schedule SET entries = $2, left_out = $3, meetings = $4, "
        "revision = revision + 1, reviewed_at = NULL, reviewed_by = NULL "
        "WHERE id = $1 RETURNING revision",
        schedule_id,
        [entry.model_dump(mode="json") for entry in entries],
        _written(left_out),
        len(entries),
    )
    return revision


async def note_edit(
    connection: Connection, edit: Mapping[str, Any], by: Author, now: datetime
) -> None:
    """Keep who changed what; `edit` has schedule_id, revision, kind, delegate_id and local_id."""
    await connection.execute(
        "INSERT INTO schedule_edit (schedule_id, revision, kind, delegate_id, local_id, "
        "edited_by, edited_role, edited_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(edit[name] for name in ("schedule_id", "revision", "kind", "delegate_id", "local_id")),
        by.id,
        by.role,
        now,
    )


async def edits_of(connection: Connection, schedule_id: UUID) -> Sequence[Row]:
    """List the edits of a version, the last first; at most 200."""
    return await connection.fetch(
        "SELECT revision, kind, delegate_id, local_id, edited_by, edited_role, edited_at "
        "FROM schedule_edit WHERE schedule_id = $1 ORDER BY revision DESC LIMIT 200",
        schedule_id,
    )


async def review(connection: Connection, schedule_id: UUID, by: Author, now: datetime) -> None:
    """Note who looked a version through."""
    await connection.execute(
        "UPDATE schedule SET reviewed_at = $2, reviewed_by = $3 WHERE id = $1",
        schedule_id,
        now,
        by.id,
    )


async def lock_meetings(connection: Connection, stop_id: UUID, pairs: Sequence[Pair]) -> None:
    """Let meetings in force stay where they are in later versions. Nobody is told: nothing moves.

    Their revision stays too, so that what somebody is about to do there is not refused.
    """
    await connection.execute(
        "UPDATE meeting SET locked = true WHERE stop_id = $1 AND state <> 'cancelled' "
        "AND NOT locked AND (delegate_id, local_id) IN "
        "(SELECT delegate_id, local_id FROM unnest($2::uuid[], $3::uuid[]) "
        "AS placed (delegate_id, local_id))",
        stop_id,
        *columns(pairs, 2),
    )


def _written(pairs: Sequence[Pair]) -> list[list[str]]:
    return [[str(person) for person in pair] for pair in pairs]


def pairs_of(row: Row) -> list[Pair]:
    """Give the pairs that a version leaves out by hand."""
    return [(UUID(delegate), UUID(local)) for delegate, local in row["left_out"]]


def entries_of(row: Row) -> list[Entry]:
    """Give a version's meetings."""
    return [Entry.model_validate(entry) for entry in row["entries"]]
