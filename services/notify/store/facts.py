"""Missions, stops and programme items, as registration's events told them."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import asyncpg

from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, ProgrammeItemPlanned, StopPlanned
from shared.postgres import Connection

Facts = dict[str, Any]
"""A row, its texts in both languages."""


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


async def missions(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Facts]:
    """Read missions, by id."""
    return _by_id(
        await connection.fetch(
            "SELECT id, title, is_rehearsal FROM mission WHERE id = ANY($1::uuid[])", list(ids)
        )
    )


async def stops(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Facts]:
    """Read stops, by id."""
    return _by_id(
        await connection.fetch(
            "SELECT id, mission_id, slug, city, title, venue, timezone, held_on FROM stop "
            "WHERE id = ANY($1::uuid[])",
            list(ids),
        )
    )


async def items(connection: Connection, ids: Collection[UUID]) -> dict[UUID, Facts]:
    """Read programme items, by id."""
    return _by_id(
        await connection.fetch(
            "SELECT id, stop_id, title, starts_at, ends_at FROM programme_item "
            "WHERE id = ANY($1::uuid[])",
            list(ids),
        )
    )


async def mission(connection: Connection, mission_id: UUID) -> Facts | None:
    """Read a mission."""
    return (await missions(connection, [mission_id])).get(mission_id)


async def stop(connection: Connection, stop_id: UUID) -> Facts | None:
    """Read a stop."""
    return (await stops(connection, [stop_id])).get(stop_id)


async def zone(connection: Connection, mission_id: UUID) -> str:
    """Name the time zone of a mission's first stop; UTC before there is one."""
    found: str | None = await connection.fetchval(
        "SELECT timezone FROM stop WHERE mission_id = $1 ORDER BY held_on, id LIMIT 1", mission_id
    )
    return found or "UTC"


async def stops_of_person(connection: Connection, person_id: UUID) -> list[Facts]:
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


def _by_id(rows: Iterable[asyncpg.Record]) -> dict[UUID, Facts]:
    return {row["id"]: _texts(row) for row in rows}


def _texts(row: asyncpg.Record) -> Facts:
    return {
        name: Bilingual.model_validate(value) if isinstance(value, dict) else value
        for name, value in row.items()
    }
