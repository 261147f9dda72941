"""What somebody sees of a stop, everybody's numbers or the own partner's, and of a partner."""

from uuid import UUID

import asyncpg

from services.registration.commands.partners import existing
from services.registration.resources import Resources
from services.registration.store import partners
from shared.access import Action, Principal, Scope, may, require
from shared.postgres import Connection


def scope_of(stop: asyncpg.Record, partner_id: UUID | None = None) -> Scope:
    """Say what an action at a stop touches; the stop was read with its hosts."""
    return Scope(stop["mission_id"], stop["id"], (), partner_id, tuple(stop["hosts"]))


def counted_partner(who: Principal, stop: asyncpg.Record) -> UUID | None:
    """Give the partner whose numbers alone somebody sees; None: everybody's."""
    return None if may(who, "numbers.read", scope_of(stop)) else who.seen_partner


async def hosts_of(connection: Connection, who: Principal, stop_id: UUID) -> tuple[UUID, ...]:
    """Give the hosts of a stop, where the rights of who asks depend on them."""
    return await partners.hosts_of(connection, stop_id) if who.is_partner else ()


async def partner_for(
    held: Resources, who: Principal, action: Action, partner_id: UUID
) -> asyncpg.Record:
    """Read a partner of which somebody may do something; raises `NotFound`, `Forbidden`."""
    async with held.database.reading() as connection:
        partner = await existing(connection, partner_id)
    require(who, action, Scope(partner["mission_id"], partner_id=partner_id))
    return partner
