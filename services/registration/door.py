"""The door: who may stand at which one, and whose people they see there."""

from uuid import UUID

import asyncpg

from services.registration.commands.missions import existing_stop
from services.registration.resources import Resources
from services.registration.store import check_in as store
from shared.access import Principal, Scope, may, require
from shared.errors import Forbidden, NotFound


async def stop_at_the_door(held: Resources, who: Principal, stop_id: UUID) -> asyncpg.Record:
    """Read a stop at whose door somebody works; raises `NotFound` or `Forbidden`."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "check_in", Scope(stop["mission_id"], stop_id, partner_id=who.seen_partner))
    return stop


async def place_of(held: Resources, who: Principal, person_id: UUID) -> asyncpg.Record:
    """Find a stop where somebody may check this person in; raises `NotFound` or `Forbidden`."""
    async with held.database.reading() as connection:
        stops = await store.stops_of_person(connection, person_id)
    if not stops:
        raise NotFound("There is no such participant.")
    for stop in stops:
        if may(who, "check_in", Scope(stop["mission_id"], stop["id"], (), stop["partner_id"])):
            return stop
    raise Forbidden(f"The role {who.role} may not check this person in.")
