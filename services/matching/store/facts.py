"""Missions, stops, programme items, participants and interpreters, as events told them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.scoring import Profile
from shared.events.base import Bilingual
from shared.events.registration import (
    Listing,
    MissionAnnounced,
    ParticipantConfirmed,
    ProgrammeItemPlanned,
    StaffEngaged,
    StopPlanned,
)
from shared.postgres import Connection

Row = asyncpg.Record

STOP = "id, mission_id, slug, city, title, timezone, held_on, hosts"
PROFILE = (
    "p.id, p.mission_id, p.side, p.organization, p.native_organization, p.sectors, p.languages, "
    # Who does not want to be shown is matched like one who lists nothing: by wishes alone.
    "CASE WHEN EXISTS (SELECT FROM withheld WHERE withheld.person_id = p.id AND is_withheld) "
    "THEN '[]' ELSE p.listings END AS listings, p.partner_id"
)


async def put_mission(connection: Connection, event: MissionAnnounced, version: int) -> None:
    """Write a mission, unless a later version is there."""
    await connection.execute(
        "INSERT INTO mission (id, title, sectors, version) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (id) DO UPDATE SET title = excluded.title, sectors = excluded.sectors, "
        "version = excluded.version WHERE mission.version < excluded.version",
        event.mission_id,
        event.title.model_dump(),
        {code: name.model_dump() for code, name in event.sectors.items()},
        version,
    )


async def put_stop(connection: Connection, event: StopPlanned, version: int) -> None:
    """Write a stop, unless a later version is there."""
    await connection.execute(
        "INSERT INTO stop (id, mission_id, slug, city, title, timezone, held_on, hosts, version) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
        "ON CONFLICT (id) DO UPDATE SET slug = excluded.slug, city = excluded.city, "
        "title = excluded.title, timezone = excluded.timezone, held_on = excluded.held_on, "
        "hosts = excluded.hosts, version = excluded.version WHERE stop.version < excluded.version",
        event.stop_id,
        event.mission_id,
        event.slug,
        event.city.model_dump(),
        event.title.model_dump(),
        event.timezone,
        event.on,
        event.hosts,
        version,
    )


async def put_item(connection: Connection, event: ProgrammeItemPlanned, version: int) -> None:
    """Write a programme item, unless a later version is there."""
    await connection.execute(
        "INSERT INTO programme_item (id, stop_id, mission_id, kind, starts_at, ends_at, version) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, starts_at = excluded.starts_at, "
        "ends_at = excluded.ends_at, version = excluded.version "
        "WHERE programme_item.version < excluded.version",
        event.programme_item_id,
        event.stop_id,
        event.mission_id,
        event.kind,
        event.starts_at,
        event.ends_at,
        version,
    )


async def put_participant(
    connection: Connection, event: ParticipantConfirmed, version: int
) -> None:
    """Write what a participant's company does, unless a later version is there."""
    company = event.organization
    await connection.execute(
        "INSERT INTO participant (id, mission_id, side, organization_id, organization, "
        "native_organization, sectors, languages, listings, partner_id, version) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (id) DO UPDATE SET side = excluded.side, "
        "organization_id = excluded.organization_id, "
        "organization = excluded.organization, "
        "native_organization = excluded.native_organization, sectors = excluded.sectors, "
        "languages = excluded.languages, listings = excluded.listings, "
        "partner_id = excluded.partner_id, version = excluded.version "
        "WHERE participant.version < excluded.version",
        event.participant_id,
        event.mission_id,
        event.side,
        company.organization_id,
        company.name,
        company.native_name,
        company.sectors,
        event.languages,
        [listing.model_dump() for listing in event.listings],
        event.partner_id,
        version,
    )


async def put_participation(
    connection: Connection,
    about: tuple[UUID, UUID, UUID],
    *,
    is_confirmed: bool,
    version: int,
) -> bool:
    """Say whether somebody has a place; `about`: participant, programme item, stop.

    False when a later version is there.
    """
    participant_id, programme_item_id, stop_id = about
    written = await connection.fetchval(
        "INSERT INTO participation (participant_id, programme_item_id, stop_id, is_confirmed, "
        "version) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (participant_id, programme_item_id) "
        "DO UPDATE SET is_confirmed = excluded.is_confirmed, version = excluded.version, "
        # Who registers again after a cancellation has not arrived yet.
        "checked_in_at = CASE WHEN excluded.is_confirmed THEN participation.checked_in_at END "
        "WHERE participation.version < excluded.version RETURNING true",
        participant_id,
        programme_item_id,
        stop_id,
        is_confirmed,
        version,
    )
    return bool(written)


async def check_in(
    connection: Connection, participant_id: UUID, programme_item_id: UUID, at: datetime | None
) -> None:
    """Note when somebody arrived; None: not yet."""
    await connection.execute(
        "UPDATE participation SET checked_in_at = $3 "
        "WHERE participant_id = $1 AND programme_item_id = $2",
        participant_id,
        programme_item_id,
        at,
    )


async def put_interpreter(connection: Connection, event: StaffEngaged, version: int) -> None:
    """Write an interpreter, unless a later version is there."""
    await connection.execute(
        "INSERT INTO interpreter (id, mission_id, languages, stop_ids, version) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE "
        "SET languages = excluded.languages, stop_ids = excluded.stop_ids, "
        "version = excluded.version WHERE interpreter.version < excluded.version",
        event.staff_id,
        event.mission_id,
        event.languages,
        event.stop_ids,
        version,
    )


async def stop(connection: Connection, stop_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a stop; locking it, one version of its schedule is published at a time."""
    return await connection.fetchrow(
        f"SELECT {STOP} FROM stop WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        stop_id,
    )


async def intervene(connection: Connection, stop_id: UUID) -> int:
    """Lock a stop, and number what staff is about to do to its meetings on the day."""
    number: int = await connection.fetchval(
        "UPDATE stop SET interventions = interventions + 1 WHERE id = $1 RETURNING interventions",
        stop_id,
    )
    return number


async def item(connection: Connection, item_id: UUID) -> Row | None:
    """Read a programme item."""
    return await connection.fetchrow(
        "SELECT id, stop_id, mission_id, kind FROM programme_item WHERE id = $1", item_id
    )


async def sectors(connection: Connection, mission_id: UUID) -> dict[str, Bilingual]:
    """Read a mission's sectors, by code."""
    found = await connection.fetchval("SELECT sectors FROM mission WHERE id = $1", mission_id)
    return {code: Bilingual(**name) for code, name in (found or {}).items()}


async def profile_at(connection: Connection, stop_id: UUID, participant_id: UUID) -> Row | None:
    """Read a participant who has a place at a matchmaking item of the stop."""
    return await connection.fetchrow(
        f"SELECT {PROFILE} FROM participant AS p WHERE p.id = $2 AND EXISTS "  # noqa: S608
        "(SELECT FROM participation AS place JOIN programme_item AS item "
        "ON item.id = place.programme_item_id WHERE place.participant_id = p.id "
        "AND place.stop_id = $1 AND place.is_confirmed AND item.kind = 'matchmaking')",
        stop_id,
        participant_id,
    )


async def profiles(connection: Connection, stop_id: UUID) -> list[Profile]:
    """Read everybody who has a place at a matchmaking item of the stop, by company."""
    rows = await connection.fetch(
        f"SELECT {PROFILE} FROM participant AS p WHERE p.id IN "  # noqa: S608
        "(SELECT place.participant_id FROM participation AS place JOIN programme_item AS item "
        "ON item.id = place.programme_item_id WHERE place.stop_id = $1 AND place.is_confirmed "
        "AND item.kind = 'matchmaking') ORDER BY p.organization COLLATE \"C\", p.id",
        stop_id,
    )
    return [profile(row) for row in rows]


async def fingerprint(connection: Connection, stop_id: UUID) -> tuple[int, ...]:
    """Give numbers that change whenever people, places, items or sectors of the stop do."""
    row = await connection.fetchrow(
        "SELECT coalesce(sum(place.version), 0)::bigint, coalesce(sum(p.version), 0)::bigint, "
        # These have keys of their own, and may be heard of later than the people.
        "(SELECT coalesce(sum(version), 0)::bigint FROM programme_item WHERE stop_id = $1), "
        "(SELECT coalesce(sum(mission.version), 0)::bigint FROM mission "
        "JOIN stop ON stop.mission_id = mission.id WHERE stop.id = $1) "
        "FROM participation AS place JOIN participant AS p ON p.id = place.participant_id "
        "WHERE place.stop_id = $1",
        stop_id,
    )
    assert row is not None
    return tuple(row)


async def versions(connection: Connection, stop_id: UUID) -> dict[UUID, int]:
    """Give the version of the profile of everybody who has a place among the stop's meetings."""
    rows = await connection.fetch(
        "SELECT p.id, p.version FROM participant AS p WHERE p.id IN "
        "(SELECT place.participant_id FROM participation AS place JOIN programme_item AS item "
        "ON item.id = place.programme_item_id WHERE place.stop_id = $1 AND place.is_confirmed "
        "AND item.kind = 'matchmaking')",
        stop_id,
    )
    return {row["id"]: row["version"] for row in rows}


async def places(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List who has a place at which item of the stop, and whether they arrived."""
    return await connection.fetch(
        "SELECT participant_id, programme_item_id, checked_in_at FROM participation "
        "WHERE stop_id = $1 AND is_confirmed",
        stop_id,
    )


async def interpreters(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's interpreters."""
    return await connection.fetch(
        "SELECT id, languages, stop_ids FROM interpreter WHERE stop_ids @> ARRAY[$1::uuid] "
        "ORDER BY id",
        stop_id,
    )


def profile(row: Any) -> Profile:
    """Turn a row into what scores see."""
    return Profile(
        id=row["id"],
        side=row["side"],
        organization=row["organization"],
        native_organization=row["native_organization"],
        sectors=frozenset(row["sectors"]),
        languages=frozenset(row["languages"]),
        listings=tuple(Listing.model_validate(listing) for listing in row["listings"]),
        partner_id=row["partner_id"],
    )
