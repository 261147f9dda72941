"""Allowing: who may run a stop's day, decide about its repairs, and see them; for API and pages."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.matching.commands import looking, repairing, reviewing
from services.matching.domain.meetings import Meeting
from services.matching.resources import Resources
from services.matching.store import absences, meetings
from shared.access import Action, Principal, Scope, may, require
from shared.errors import NotFound
from shared.postgres import Connection


async def seen(
    connection: Connection, who: Principal, stop: looking.Row, found: Sequence[Meeting]
) -> list[Meeting]:
    """Leave the meetings of a stop that somebody sees: a partner that is no host those of its own.

    Everybody else who may look at the board sees all of it.
    """
    scope = Scope(stop["mission_id"], stop["id"], hosts=tuple(stop["hosts"]))
    if may(who, "numbers.read", scope):
        return list(found)
    people = {person for meeting in found for person in meeting.people}
    companies = await meetings.companies(connection, people)
    own = {person for person, row in companies.items() if row["partner_id"] == who.partner_id}
    return [meeting for meeting in found if own.intersection(meeting.people)]


async def allow(
    held: Resources, who: Principal, stop_id: UUID, action: Action = "meeting.run"
) -> Scope:
    """Check the right to run a stop's day; raises `NotFound`, `Forbidden`."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    scope = Scope(stop["mission_id"], stop_id)
    require(who, action, scope)
    return scope


async def allow_repair(held: Resources, who: Principal, repair_id: UUID) -> None:
    """Check the right to decide about a repair; raises as `allow`."""
    async with held.database.reading() as connection:
        row = await repairing.existing(connection, repair_id)
    await allow(held, who, row["stop_id"])


async def shown(held: Resources, who: Principal, repair_id: UUID) -> dict[str, Any]:
    """Show a repair to somebody; raises as `allow`."""
    async with held.database.reading() as connection:
        row = await repairing.existing(connection, repair_id)
    scope = await allow(held, who, row["stop_id"])
    async with held.database.reading() as connection:
        (view,) = await reviewing.views(
            connection, row["stop_id"], [row], in_full=may(who, "schedule.write", scope)
        )
    return view


async def end(held: Resources, who: Principal, absence_id: UUID) -> None:
    """Forget an absence; raises as `allow`."""
    async with held.database.reading() as connection:
        row = await absences.one(connection, absence_id)
    if row is None:
        raise NotFound("There is no such absence.")
    await allow(held, who, row["stop_id"])
    async with held.database.transaction() as connection:
        await absences.end(connection, absence_id)
