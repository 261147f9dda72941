"""Absences: when a person, an interpreter or a point cannot be used."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID, uuid4

import asyncpg

from services.matching.domain.repair.record import Away
from shared.postgres import Connection, columns

Row = asyncpg.Record


async def note(connection: Connection, stop_id: UUID, found: Sequence[Away], now: datetime) -> None:
    """Write absences."""
    rows = [(uuid4(), one.resource_id, one.starts_at, one.ends_at, one.kind) for one in found]
    await connection.execute(
        "INSERT INTO absence (id, stop_id, resource_id, during, kind, noted_at) "
        "SELECT new.id, $1, resource_id, tstzrange(starts_at, ends_at), kind, $2 FROM "
        "unnest($3::uuid[], $4::uuid[], $5::timestamptz[], $6::timestamptz[], $7::text[]) "
        "AS new (id, resource_id, starts_at, ends_at, kind)",
        stop_id,
        now,
        *columns(rows, 5),
    )


async def of_stop(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's absences in order of time."""
    return await connection.fetch(
        "SELECT id, resource_id, kind, lower(during) AS starts_at, upper(during) AS ends_at "
        "FROM absence WHERE stop_id = $1 ORDER BY lower(during), id",
        stop_id,
    )


async def one(connection: Connection, absence_id: UUID) -> Row | None:
    """Read an absence."""
    return await connection.fetchrow(
        "SELECT id, stop_id, resource_id, kind FROM absence WHERE id = $1", absence_id
    )


async def end(connection: Connection, absence_id: UUID) -> None:
    """Forget an absence: who was away is back, or never was."""
    await connection.execute("DELETE FROM absence WHERE id = $1", absence_id)


async def met_by(
    connection: Connection, held: Iterable[tuple[UUID, datetime, datetime]]
) -> list[tuple[UUID, datetime]]:
    """List what is away at the time for which it is wanted: the resource, and that time's start."""
    rows = await connection.fetch(
        "SELECT held.resource_id, held.starts_at FROM "
        "unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) "
        "AS held (resource_id, starts_at, ends_at) JOIN absence "
        "ON absence.resource_id = held.resource_id "
        "AND absence.during && tstzrange(held.starts_at, held.ends_at)",
        *columns([*held], 3),
    )
    return [(row["resource_id"], row["starts_at"]) for row in rows]


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Delete one batch of the absences that ended before a time, and count it."""
    done = await connection.execute(
        "DELETE FROM absence WHERE id IN "
        "(SELECT id FROM absence WHERE upper(during) < $1 LIMIT $2)",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
