"""Looking: what pages and streams show, from Redis, or from PostgreSQL while Redis is away."""

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import httpx2
import structlog

from services.notify.commands.keeping import catch_up
from services.notify.domain.order import Meeting, by_time
from services.notify.store import facts, meetings
from services.notify.store.live import Live
from shared.contacts import Contacts
from shared.errors import NotFound
from shared.postgres import Database
from shared.redis import OUTAGE

NAMES_SECONDS_MAX = 2

log = structlog.get_logger()


async def existing_stop(database: Database, stop_id: UUID) -> dict[str, Any]:
    """Read a stop; raises `NotFound`."""
    async with database.reading() as connection:
        stop = await facts.stop(connection, stop_id)
    if stop is None:
        raise NotFound("There is no such stop.")
    return stop


async def zone_of(database: Database, mission_id: UUID) -> str:
    """Name the time zone in which pages about a mission as a whole show times."""
    async with database.reading() as connection:
        return await facts.zone(connection, mission_id)


async def stops_of(database: Database, person_id: UUID) -> list[dict[str, Any]]:
    """List the stops where somebody has meetings."""
    async with database.reading() as connection:
        return await facts.stops_of_person(connection, person_id)


async def current(
    database: Database, live: Live, stop_id: UUID, person_id: UUID | None = None
) -> list[Meeting]:
    """Give the meetings of a stop, or somebody's there, by time and table."""
    try:
        found = (await catch_up(database, live, stop_id, person_id)).meetings
    except OUTAGE:
        async with database.reading() as connection:
            found = [
                entry.live
                for entry in await meetings.of_stop(connection, stop_id)
                if person_id is None or person_id in entry.people
            ]
    return sorted(map(json.loads, found), key=by_time)


async def names(contacts: Contacts, people: Iterable[UUID], language: str) -> dict[str, str]:
    """Name people as readers of a language write them; nobody while registration is away.

    Who does not agree to be named to the other side is known to it by company alone.
    """
    try:
        async with asyncio.timeout(NAMES_SECONDS_MAX):
            found = await contacts.of(people)
    except (httpx2.HTTPError, TimeoutError) as error:
        log.warning("names are left out", error=repr(error))
        return {}
    return {
        str(person_id): contact.name_in(language)
        for person_id, contact in found.items()
        if contact.may_cross
    }
