"""Reaching: whether those who meet have time for the way from and to their other meetings.

What the rules of a stop's places say else is for staff to weigh on the day. This is not: nobody is
in two places.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.matching.domain import siting
from services.matching.domain.fitting import as_entry
from services.matching.domain.ground import Misfit, Site
from services.matching.domain.meetings import Meeting
from services.matching.domain.versions import Entry
from services.matching.domain.ways import Trips
from services.matching.store import meetings, rules, sessions
from shared.postgres import Connection


async def trips(connection: Connection, stop_id: UUID, without: UUID) -> Trips:
    """Read where people and interpreters are at a stop for all but one meeting."""
    site = await _site(connection, stop_id)
    return siting.trips(await _others(connection, stop_id, {without}), site) if site else Trips()


async def too_far(
    connection: Connection, stop_id: UUID, placed: Sequence[Meeting], gone: Iterable[UUID] = ()
) -> list[Misfit]:
    """Find who has no time for the way, of the meetings that are placed.

    `gone`: those that will not be where they are now.
    """
    site = await _site(connection, stop_id)
    if site is None or not placed:
        return []
    changed = [as_entry(one) for one in placed]
    others = await _others(connection, stop_id, {*gone, *(one.id for one in placed)})
    return list(siting.too_far(changed, [*others, *changed], site))


async def _site(connection: Connection, stop_id: UUID) -> Site | None:
    """Read where a stop's points are; None where there is no way between them."""
    minutes = await rules.minutes(connection, stop_id)
    return Site(await sessions.venues(connection, stop_id), minutes) if minutes else None


async def _others(connection: Connection, stop_id: UUID, without: set[UUID]) -> list[Entry]:
    return [
        as_entry(one)
        for one in await meetings.of_stop(connection, stop_id)
        if one.state != "cancelled" and one.id not in without
    ]
