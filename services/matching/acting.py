"""Acting: who states something for whom, and whether that is allowed."""

from uuid import UUID

from services.matching.commands import looking
from services.matching.domain.requests import Author
from services.matching.resources import Resources
from services.matching.store import facts
from shared.access import Action, Principal, Scope, require


def author(who: Principal) -> Author:
    """Give who states something, for oneself or on behalf of somebody."""
    return Author(who.subject, who.role)


async def require_for(
    held: Resources, who: Principal, action: Action, stop_id: UUID, person_id: UUID
) -> facts.Row:
    """Check the right to act for somebody, and give the stop.

    Raises `NotFound` and `Forbidden`.
    """
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        person = await looking.existing_participant(connection, stop_id, person_id)
    require(who, action, Scope(stop["mission_id"], stop_id, (person_id,), person["partner_id"]))
    return stop
