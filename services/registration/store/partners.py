"""Partner organisations, and where they have a role."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.store.missions import HOSTS
from shared.postgres import Connection

Row = asyncpg.Record


async def partner(connection: Connection, partner_id: UUID) -> Row | None:
    """Read a partner organisation, with the digest of its logo."""
    return await connection.fetchrow(
        "SELECT partner.id, partner.mission_id, partner.name, partner.kind, partner.version, "
        "logo.digest AS logo FROM partner_organization AS partner "
        "LEFT JOIN partner_logo AS logo ON logo.partner_id = partner.id WHERE partner.id = $1",
        partner_id,
    )


async def of_mission(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's partner organisations by name, with what they are at which stops."""
    return await connection.fetch(
        "SELECT partner.id, partner.name, partner.kind, partner.version, logo.digest AS logo, "
        "(SELECT coalesce(jsonb_agg(jsonb_build_object('stop_id', role.stop_id, 'role', role.role) "
        "ORDER BY stop.held_on, stop.slug), '[]') FROM partner_role AS role "
        "JOIN stop ON stop.id = role.stop_id WHERE role.partner_id = partner.id) AS roles "
        "FROM partner_organization AS partner "
        "LEFT JOIN partner_logo AS logo ON logo.partner_id = partner.id "
        "WHERE partner.mission_id = $1 ORDER BY partner.name->>'en', partner.id",
        mission_id,
    )


async def lock(connection: Connection, partner_id: UUID) -> None:
    """Keep a partner from being changed by others until the end."""
    await connection.execute(
        "SELECT FROM partner_organization WHERE id = $1 FOR NO KEY UPDATE", partner_id
    )


async def change(connection: Connection, partner_id: UUID, facts: Mapping[str, Any]) -> None:
    """Write a partner's facts as its next version."""
    await connection.execute(
        "UPDATE partner_organization SET name = $2, kind = $3, version = version + 1 WHERE id = $1",
        partner_id,
        facts["name"],
        facts["kind"],
    )


async def set_logo(
    connection: Connection, partner_id: UUID, logo: tuple[bytes, str, int, int]
) -> None:
    """Keep a logo: content, digest, width and height in pixels."""
    await connection.execute(
        "INSERT INTO partner_logo (partner_id, content, digest, width, height) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (partner_id) DO UPDATE SET "
        "content = excluded.content, digest = excluded.digest, width = excluded.width, "
        "height = excluded.height",
        partner_id,
        *logo,
    )


async def logo(connection: Connection, partner_id: UUID) -> Row | None:
    """Read a partner's logo."""
    return await connection.fetchrow(
        "SELECT content, digest FROM partner_logo WHERE partner_id = $1", partner_id
    )


async def remove_logo(connection: Connection, partner_id: UUID) -> bool:
    """Delete a partner's logo, and say whether there was one."""
    status = await connection.execute("DELETE FROM partner_logo WHERE partner_id = $1", partner_id)
    return status != "DELETE 0"


async def locked_version(connection: Connection, stop_id: UUID) -> int | None:
    """Lock a stop and give its version."""
    version: int | None = await connection.fetchval(
        "SELECT version FROM stop WHERE id = $1 FOR NO KEY UPDATE", stop_id
    )
    return version


async def next_version(connection: Connection, stop_id: UUID) -> int:
    """Count a stop's version up, and give it."""
    version: int = await connection.fetchval(
        "UPDATE stop SET version = version + 1 WHERE id = $1 RETURNING version", stop_id
    )
    return version


async def roles_at(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List what partners are at a stop, in order of protocol."""
    return await connection.fetch(
        "SELECT role.partner_id, role.role, partner.name, logo.digest AS logo "
        "FROM partner_role AS role JOIN partner_organization AS partner "
        "ON partner.id = role.partner_id "
        "LEFT JOIN partner_logo AS logo ON logo.partner_id = role.partner_id "
        "WHERE role.stop_id = $1 ORDER BY role.place",
        stop_id,
    )


async def forget_roles(connection: Connection, stop_id: UUID) -> None:
    """Take all partners' roles at a stop away."""
    await connection.execute("DELETE FROM partner_role WHERE stop_id = $1", stop_id)


async def numbers(connection: Connection, stop_id: UUID, partner_id: UUID | None) -> Sequence[Row]:
    """Count the people that each partner brought to a stop, in order of protocol; each person once.

    The line without a partner is of those whom nobody brought. With `partner_id` its line alone.
    """
    return await connection.fetch(
        "WITH brought AS (SELECT r.partner_id, "
        "count(DISTINCT r.person_id) FILTER "
        "(WHERE r.status IN ('confirmed', 'pending_approval')) AS registered, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.status = 'confirmed') AS confirmed, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.status = 'pending_approval') AS pending, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.status = 'waitlisted') AS waitlisted, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.checked_in_at IS NOT NULL) AS checked_in "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE item.stop_id = $1 GROUP BY r.partner_id) "
        "SELECT coalesce(role.partner_id, brought.partner_id) AS partner_id, partner.name, "
        "role.role, coalesce(registered, 0) AS registered, coalesce(confirmed, 0) AS confirmed, "
        "coalesce(pending, 0) AS pending, coalesce(waitlisted, 0) AS waitlisted, "
        "coalesce(checked_in, 0) AS checked_in "
        "FROM (SELECT * FROM partner_role WHERE stop_id = $1) AS role "
        "FULL JOIN brought ON brought.partner_id = role.partner_id "
        "LEFT JOIN partner_organization AS partner "
        "ON partner.id = coalesce(role.partner_id, brought.partner_id) "
        "WHERE $2::uuid IS NULL OR coalesce(role.partner_id, brought.partner_id) = $2 "
        "ORDER BY role.place NULLS LAST, partner.name->>'en' NULLS LAST",
        stop_id,
        partner_id,
    )


async def states(connection: Connection, stop_id: UUID, partner_id: UUID) -> Mapping[str, int]:
    """Count a partner's registrations at a stop by state."""
    rows = await connection.fetch(
        "SELECT r.status, count(*) AS number FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE item.stop_id = $1 AND r.partner_id = $2 GROUP BY r.status",
        stop_id,
        partner_id,
    )
    return {row["status"]: row["number"] for row in rows}


async def hosts_of(connection: Connection, stop_id: UUID) -> tuple[UUID, ...]:
    """List the partners that lead a stop or host it with others, in order of protocol."""
    hosts = await connection.fetchval(f"SELECT {HOSTS} FROM stop WHERE id = $1", stop_id)  # noqa: S608
    return tuple(hosts or ())


async def stops_of(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List the stops where a partner has a role, in the order of the journey."""
    return await connection.fetch(
        "SELECT stop.id, stop.mission_id, stop.slug, stop.city, stop.title, stop.timezone, "  # noqa: S608
        f"stop.held_on, mine.role, {HOSTS} AS hosts "
        "FROM partner_role AS mine JOIN stop ON stop.id = mine.stop_id "
        "WHERE mine.partner_id = $1 ORDER BY stop.held_on, stop.slug",
        partner_id,
    )
