"""Partner organisations, and where they have a role."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record


async def partner(connection: Connection, partner_id: UUID) -> Row | None:
    """Read a partner organisation."""
    return await connection.fetchrow(
        "SELECT id, mission_id, name, kind FROM partner_organization WHERE id = $1", partner_id
    )


async def stops_of(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List the stops where a partner has a role, in the order of the journey."""
    return await connection.fetch(
        "SELECT stop.id, stop.slug, stop.city, stop.title, stop.timezone, stop.held_on, role.role "
        "FROM partner_role AS role JOIN stop ON stop.id = role.stop_id "
        "WHERE role.partner_id = $1 ORDER BY stop.held_on, stop.slug",
        partner_id,
    )
