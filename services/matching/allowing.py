"""Allowing: who runs a stop's day, decides about repairs, and sees what; for API and pages."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from services.matching.commands import looking, repairing, reviewing
from services.matching.domain.meetings import Meeting
from services.matching.resources import Resources
from services.matching.store import absences, brought, meetings
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


async def brought_by(
    connection: Connection, who: Principal, partner_id: UUID, stop_id: UUID | None = None
) -> list[brought.Row]:
    """List the stops where a partner brought people, with their numbers, of those somebody sees.

    With `stop_id` that one alone. Raises `NotFound`, `Forbidden`.
    """
    # Of a partner that brought nobody yet nothing is known here, and nothing is shown.
    mission_id = await brought.mission_of(connection, partner_id) or who.mission_id
    require(who, "meeting.read", Scope(mission_id, partner_id=partner_id))
    if mission_id is None:
        raise NotFound("This partner has brought nobody yet.")
    if stop_id is not None:
        stop = await looking.existing_stop(connection, stop_id)
        require(who, "meeting.read", Scope(stop["mission_id"], stop_id, (), partner_id))
        require(who, "board.read", Scope(stop["mission_id"], stop_id))
    return [
        row
        for row in await brought.numbers(connection, partner_id)
        if stop_id in (None, row["id"])
        and may(who, "board.read", Scope(row["mission_id"], row["id"]))
    ]
