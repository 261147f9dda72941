"""Wishing: what somebody wants of another person, or of a company."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from services.matching.commands import looking
from services.matching.domain.requests import Author
from services.matching.store import wishes as store
from shared.errors import Conflict, Fault, Invalid
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def state_preference(database: Database, facts: Facts, by: Author, now: datetime) -> None:
    """Take a preference in; raises `NotFound`, `Invalid` for one's own side, or `Conflict`."""
    async with database.transaction() as connection:
        await check_pair(connection, facts)
        if not await store.put_preference(connection, facts, by, now):
            raise final()


async def state_company_preference(
    database: Database, facts: Facts, by: Author, now: datetime
) -> None:
    """Take a preference about a company in; raises as `state_preference` does."""
    async with database.transaction() as connection:
        one = await looking.existing_participant(
            connection, facts["stop_id"], facts["participant_id"]
        )
        sides = await store.company_at(connection, facts["stop_id"], facts["organization_id"])
        if not set(sides) - {one["side"]}:
            detail = "Nobody of this company is on the other side here."
            raise Invalid(detail, faults=[Fault("/organization_id", detail)])
        if not await store.put_company_preference(connection, facts, by, now):
            raise final()


async def check_pair(connection: Connection, facts: Facts) -> None:
    """Raise `NotFound` unless both are at the stop, and `Invalid` when they are of one side."""
    one = await looking.existing_participant(connection, facts["stop_id"], facts["participant_id"])
    two = await looking.existing_participant(connection, facts["stop_id"], facts["counterpart_id"])
    if one["side"] == two["side"]:
        fault = Fault("/counterpart_id", "Meetings are between the delegation and local people.")
        raise Invalid("Both are of one side.", faults=[fault])


def final() -> Conflict:
    """Refuse what goes against an own no."""
    return Conflict("A no_thanks is final.", code="final")


def on_behalf_of(author_id: UUID | None, person_id: UUID) -> UUID | None:
    """Give the person for whom somebody else spoke."""
    return None if author_id in (None, person_id) else person_id


def shown(preference: Facts) -> dict[str, Any]:
    """Show a preference with who stated it."""
    behalf = on_behalf_of(preference["stated_by"], preference["participant_id"])
    return {**preference, "on_behalf_of": behalf}
