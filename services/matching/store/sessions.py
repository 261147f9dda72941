"""Meeting sessions and the points where meetings are held."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.slots import Break, Slot, slots_of
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

SESSION = (
    "id, stop_id, programme_item_id, slug, starts_at, slot_minutes, slots, breaks, venue, lengths"
)


async def add(connection: Connection, session: Facts) -> None:
    """Add a session; raises `asyncpg.UniqueViolationError` when the slug is taken."""
    await connection.execute(
        f"INSERT INTO meeting_session ({SESSION}) "  # noqa: S608
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        *(session[name] for name in SESSION.split(", ")),
    )


async def add_point(connection: Connection, stop_id: UUID, new_id: UUID, point: Facts) -> UUID:
    """Find the stop's point with this label, or add it, and give its id."""
    await connection.execute(
        "INSERT INTO meeting_point (id, stop_id, label, kind, organization_id, venue) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (stop_id, label) DO NOTHING",
        new_id,
        stop_id,
        *(point[name] for name in ("label", "kind", "organization_id", "venue")),
    )
    found: UUID = await connection.fetchval(
        "SELECT id FROM meeting_point WHERE stop_id = $1 AND label = $2", stop_id, point["label"]
    )
    return found


async def use_points(connection: Connection, session_id: UUID, points: Sequence[UUID]) -> None:
    """Give a session its points, in their order."""
    await connection.executemany(
        "INSERT INTO session_point (session_id, point_id, place) VALUES ($1, $2, $3)",
        [(session_id, point, place) for place, point in enumerate(points)],
    )


async def of_stop(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's sessions in order of time."""
    return await connection.fetch(
        f"SELECT {SESSION} FROM meeting_session WHERE stop_id = $1 ORDER BY starts_at, slug",  # noqa: S608
        stop_id,
    )


async def one(connection: Connection, session_id: UUID) -> Row | None:
    """Read a session."""
    return await connection.fetchrow(
        f"SELECT {SESSION} FROM meeting_session WHERE id = $1",  # noqa: S608
        session_id,
    )


async def points_of(connection: Connection, session_id: UUID) -> Sequence[Row]:
    """List a session's points in their order."""
    return await connection.fetch(
        "SELECT point.id, point.label, point.kind, point.closed_from, point.organization_id, "
        "coalesce(point.venue, session.venue) AS venue FROM session_point AS used "
        "JOIN meeting_session AS session ON session.id = used.session_id "
        "JOIN meeting_point AS point ON point.id = used.point_id WHERE used.session_id = $1 "
        "ORDER BY used.place",
        session_id,
    )


async def venues(connection: Connection, stop_id: UUID) -> dict[tuple[UUID, UUID], str]:
    """Give where each point of each of a stop's sessions is, where it is not at the stop's own."""
    rows = await connection.fetch(
        "SELECT used.session_id, used.point_id, coalesce(point.venue, session.venue) AS venue "
        "FROM session_point AS used "
        "JOIN meeting_session AS session ON session.id = used.session_id "
        "JOIN meeting_point AS point ON point.id = used.point_id "
        "WHERE session.stop_id = $1 AND coalesce(point.venue, session.venue) <> ''",
        stop_id,
    )
    return {(row["session_id"], row["point_id"]): row["venue"] for row in rows}


async def labels(
    connection: Connection, stop_id: UUID, only: Iterable[UUID] | None = None
) -> dict[UUID, str]:
    """Give the label of each of a stop's points, or of these alone."""
    rows = await connection.fetch(
        "SELECT id, label FROM meeting_point WHERE stop_id = $1 "
        "AND ($2::uuid[] IS NULL OR id = ANY($2))",
        stop_id,
        None if only is None else list(only),
    )
    return {row["id"]: row["label"] for row in rows}


async def closings(connection: Connection, stop_id: UUID) -> dict[UUID, datetime]:
    """Give from when on each of a stop's closed points is out of use."""
    rows = await connection.fetch(
        "SELECT id, closed_from FROM meeting_point WHERE stop_id = $1 AND closed_from IS NOT NULL",
        stop_id,
    )
    return {row["id"]: row["closed_from"] for row in rows}


async def close_point(connection: Connection, point_id: UUID, at: datetime) -> datetime:
    """Take a point out of use from a time on, or from an earlier closing, and give which."""
    closed_from: datetime = await connection.fetchval(
        "UPDATE meeting_point SET closed_from = least(closed_from, $2) WHERE id = $1 "
        "RETURNING closed_from",
        point_id,
        at,
    )
    return closed_from


def slots(session: Row | Facts) -> tuple[Slot, ...]:
    """Lay out a session's slots."""
    breaks = [Break(**one) for one in session["breaks"]]
    lengths = {one["slot"]: one["minutes"] for one in session["lengths"]}
    return slots_of(
        session["starts_at"], session["slot_minutes"], session["slots"], breaks, lengths
    )
