"""Missions, stops, programme items and partner organisations."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

MISSION = (
    "id, slug, title, summary, organizer, starts_on, ends_on, home_country, host_country, "
    "sectors, is_rehearsal, version"
)
STOP = "id, mission_id, slug, city, title, venue, timezone, held_on, version"
HOSTS = (
    "ARRAY(SELECT role.partner_id FROM partner_role AS role WHERE role.stop_id = stop.id "
    "AND role.role IN ('lead', 'co_host') ORDER BY role.place)"
)
"""The partners that have a say at a stop."""
ITEM = (
    "item.id, item.stop_id, stop.mission_id, item.slug, item.kind, item.title, item.starts_at, "
    "item.ends_at, item.capacity, item.requires_approval, item.taken, item.waiting, "
    "item.reserved, item.opens_at, item.closes_at, item.hold_seconds, item.offer_seconds"
)


async def add_mission(connection: Connection, mission: Facts) -> None:
    """Add a mission; raises `asyncpg.UniqueViolationError` when the slug is taken."""
    await connection.execute(
        "INSERT INTO mission (id, slug, title, summary, organizer, starts_on, ends_on, "
        "home_country, host_country, sectors, is_rehearsal) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(mission[name] for name in MISSION.split(", ")[:-1]),
    )


async def mission(connection: Connection, mission_id: UUID) -> Row | None:
    """Read a mission."""
    return await connection.fetchrow(f"SELECT {MISSION} FROM mission WHERE id = $1", mission_id)  # noqa: S608


async def mission_by_slug(connection: Connection, slug: str) -> Row | None:
    """Read a mission by the name in its address."""
    return await connection.fetchrow(f"SELECT {MISSION} FROM mission WHERE slug = $1", slug)  # noqa: S608


async def missions(
    connection: Connection, *, with_rehearsals: bool, slug: str | None = None
) -> Sequence[Row]:
    """List missions, the latest first; at most 100. `slug` narrows them to that one."""
    return await connection.fetch(
        f"SELECT {MISSION} FROM mission "  # noqa: S608
        "WHERE ($1 OR NOT is_rehearsal) AND ($2::text IS NULL OR slug = $2) "
        "ORDER BY starts_on DESC, slug LIMIT 100",
        with_rehearsals,
        slug,
    )


async def add_partner(connection: Connection, partner: Facts) -> None:
    """Add a partner organisation to a mission."""
    await connection.execute(
        "INSERT INTO partner_organization (id, mission_id, name, kind) VALUES ($1, $2, $3, $4)",
        *(partner[name] for name in ("id", "mission_id", "name", "kind")),
    )


async def partners_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's partner organisations."""
    return await connection.fetch(
        "SELECT id, mission_id, name, kind FROM partner_organization "
        "WHERE mission_id = $1 ORDER BY name->>'en'",
        mission_id,
    )


async def add_stop(connection: Connection, stop: Facts) -> None:
    """Add a stop; raises `asyncpg.UniqueViolationError` when the slug is taken."""
    await connection.execute(
        "INSERT INTO stop (id, mission_id, slug, city, title, venue, timezone, held_on) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        *(stop[name] for name in STOP.split(", ")[:-1]),
    )


async def add_roles(connection: Connection, stop_id: UUID, roles: Sequence[Facts]) -> None:
    """Give partners their roles at a stop; the order given is the order of names."""
    await connection.executemany(
        "INSERT INTO partner_role (stop_id, partner_id, role, place) VALUES ($1, $2, $3, $4)",
        [
            (stop_id, role["partner_id"], role["role"], place)
            for place, role in enumerate(roles, start=1)
        ],
    )


async def roles_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List who organises what at a mission's stops, in order of protocol."""
    return await connection.fetch(
        "SELECT role.stop_id, role.partner_id, role.role, partner.name, logo.digest AS logo "
        "FROM partner_role AS role "
        "JOIN partner_organization AS partner ON partner.id = role.partner_id "
        "LEFT JOIN partner_logo AS logo ON logo.partner_id = role.partner_id "
        "WHERE partner.mission_id = $1 ORDER BY role.stop_id, role.place",
        mission_id,
    )


async def stop(connection: Connection, stop_id: UUID) -> Row | None:
    """Read a stop, with the partners that host it in order of protocol."""
    return await connection.fetchrow(
        f"SELECT {STOP}, {HOSTS} AS hosts FROM stop WHERE id = $1",  # noqa: S608
        stop_id,
    )


async def stops_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's stops in the order of the journey, with their hosts."""
    return await connection.fetch(
        f"SELECT {STOP}, {HOSTS} AS hosts FROM stop WHERE mission_id = $1 ORDER BY held_on, slug",  # noqa: S608
        mission_id,
    )


async def add_item(connection: Connection, item: Facts) -> None:
    """Add a programme item; raises `asyncpg.UniqueViolationError` when the slug is taken."""
    names = ("id", "stop_id", "slug", "kind", "title", "starts_at", "ends_at", "capacity")
    await connection.execute(
        "INSERT INTO programme_item (id, stop_id, slug, kind, title, starts_at, ends_at, "
        "capacity, requires_approval, opens_at, closes_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        *(item[name] for name in (*names, "requires_approval", "opens_at", "closes_at")),
    )


async def item(connection: Connection, item_id: UUID) -> Row | None:
    """Read a programme item with the id of its mission."""
    return await connection.fetchrow(
        f"SELECT {ITEM} FROM programme_item AS item "  # noqa: S608
        "JOIN stop ON stop.id = item.stop_id WHERE item.id = $1",
        item_id,
    )


async def items_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's programme in order of time."""
    return await connection.fetch(
        f"SELECT {ITEM} FROM programme_item AS item "  # noqa: S608
        "JOIN stop ON stop.id = item.stop_id "
        "WHERE stop.mission_id = $1 ORDER BY item.starts_at, item.slug",
        mission_id,
    )


async def numbers(
    connection: Connection, stop_id: UUID, partner_id: UUID | None = None
) -> Sequence[Row]:
    """Count each programme item's registrations by state, those of one partner alone if given.

    `taken` and `waiting` are of everybody in any case: the public sees what places are left.
    """
    return await connection.fetch(
        "SELECT item.id AS programme_item_id, item.slug, item.kind, item.title, item.starts_at, "
        "item.ends_at, item.capacity, item.taken, item.waiting, "
        "count(*) FILTER (WHERE r.status IN ('confirmed', 'pending_approval')) AS registered, "
        "count(*) FILTER (WHERE r.status = 'waitlisted') AS waitlisted, "
        "count(*) FILTER (WHERE r.status = 'confirmed') AS confirmed, "
        "count(*) FILTER (WHERE r.status = 'pending_approval') AS pending, "
        "count(r.checked_in_at) AS checked_in "
        "FROM programme_item AS item LEFT JOIN registration AS r ON r.programme_item_id = item.id "
        "AND ($2::uuid IS NULL OR r.partner_id = $2) "
        "WHERE item.stop_id = $1 GROUP BY item.id ORDER BY item.starts_at, item.slug",
        stop_id,
        partner_id,
    )


async def headcount(connection: Connection, stop_id: UUID, partner_id: UUID | None = None) -> Row:
    """Count people at a stop, or those of a partner.

    Each is one, however many programme items they registered for.
    """
    row = await connection.fetchrow(
        "SELECT count(DISTINCT r.person_id) FILTER "
        "(WHERE r.status IN ('confirmed', 'pending_approval')) AS registered, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.status = 'waitlisted') AS waitlisted, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.status = 'pending_approval') AS pending, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.checked_in_at IS NOT NULL) AS checked_in "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE item.stop_id = $1 AND ($2::uuid IS NULL OR r.partner_id = $2)",
        stop_id,
        partner_id,
    )
    assert row is not None
    return row


async def free_at_the_door(connection: Connection, stop_id: UUID) -> dict[UUID, int]:
    """Count the seats of a stop's items that are kept for walk-ins and free."""
    rows = await connection.fetch(
        "SELECT item.id, allotment.seats - allotment.taken AS free FROM allotment "
        "JOIN programme_item AS item ON item.id = allotment.programme_item_id "
        "WHERE item.stop_id = $1 AND allotment.partner_id IS NULL "
        "AND allotment.released_at IS NULL",
        stop_id,
    )
    return {row["id"]: row["free"] for row in rows}
