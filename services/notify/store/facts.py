"""Missions, stops and programme items, as registration's events told them."""

from typing import Any
from uuid import UUID

import asyncpg

from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, ProgrammeItemPlanned, StopPlanned
from shared.postgres import Connection


async def put_mission(connection: Connection, event: MissionAnnounced, version: int) -> None:
    """Write a mission, unless a later version is there."""
    await connection.execute(
        "INSERT INTO mission (id, title, is_rehearsal, version) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET title = excluded.title, "
        "is_rehearsal = excluded.is_rehearsal, version = excluded.version "
        "WHERE mission.version < excluded.version",
        event.mission_id,
        event.title.model_dump(),
        event.is_rehearsal,
        version,
    )


async def put_stop(connection: Connection, event: StopPlanned, version: int) -> None:
    """Write a stop, unless a later version is there."""
    await connection.execute(
        "INSERT INTO stop "
        "(id, mission_id, slug, city, title, venue, timezone, held_on, version) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, city = excluded.city, "
        "title = excluded.title, venue = excluded.venue, timezone = excluded.timezone, "
        "held_on = excluded.held_on, version = excluded.version "
        "WHERE stop.version < excluded.version",
        event.stop_id,
        event.mission_id,
        event.slug,
        event.city.model_dump(),
        event.title.model_dump(),
        event.venue and event.venue.model_dump(),
        event.timezone,
        event.on,
        version,
    )


async def put_item(connection: Connection, event: ProgrammeItemPlanned, version: int) -> None:
    """Write a programme item, unless a later version is there."""
    await connection.execute(
        "INSERT INTO programme_item (id, stop_id, title, starts_at, ends_at, version) "
        "VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (id) DO UPDATE SET title = excluded.title, starts_at = excluded.starts_at, "
        "ends_at = excluded.ends_at, version = excluded.version "
        "WHERE programme_item.version < excluded.version",
        event.programme_item_id,
        event.stop_id,
        event.title.model_dump(),
        event.starts_at,
        event.ends_at,
        version,
    )


async def mission(connection: Connection, mission_id: UUID) -> dict[str, Any] | None:
    """Read a mission."""
    row = await connection.fetchrow(
        "SELECT id, title, is_rehearsal FROM mission WHERE id = $1", mission_id
    )
    return _texts(row) if row else None


async def stop(connection: Connection, stop_id: UUID) -> dict[str, Any] | None:
    """Read a stop."""
    row = await connection.fetchrow(
        "SELECT id, mission_id, slug, city, title, venue, timezone, held_on FROM stop "
        "WHERE id = $1",
        stop_id,
    )
    return _texts(row) if row else None


async def item(connection: Connection, item_id: UUID) -> dict[str, Any] | None:
    """Read a programme item."""
    row = await connection.fetchrow(
        "SELECT id, stop_id, title, starts_at, ends_at FROM programme_item WHERE id = $1", item_id
    )
    return _texts(row) if row else None


async def stops_of_person(connection: Connection, person_id: UUID) -> list[dict[str, Any]]:
    """List the stops where somebody has meetings, with the number of those not over."""
    rows = await connection.fetch(
        "SELECT stop.id, stop.slug, stop.city, stop.title, stop.venue, stop.timezone, "
        "stop.held_on, count(*) FILTER "
        "(WHERE state NOT IN ('completed', 'no_show', 'cancelled')) AS unfinished "
        "FROM live_meeting JOIN stop ON stop.id = live_meeting.stop_id "
        "WHERE people @> ARRAY[$1::uuid] GROUP BY stop.id ORDER BY stop.held_on, stop.id",
        person_id,
    )
    return [_texts(row) for row in rows]


def _texts(row: asyncpg.Record) -> dict[str, Any]:
    return {
        name: Bilingual.model_validate(value) if isinstance(value, dict) else value
        for name, value in row.items()
    }
