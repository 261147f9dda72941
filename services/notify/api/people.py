"""The internal API: what notify holds about one person, for registration, which gives it out."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter

from services.notify.resources import Held
from services.notify.store import people
from shared.access import Scope, require
from shared.http import Caller

router = APIRouter(include_in_schema=False)


@router.get("/internal/notify/people/{person_id}")
async def everything(person_id: UUID, held: Held, who: Caller) -> dict[str, list[Any]]:
    """Read every row about somebody, by table; nothing for one who is not known here."""
    require(who, "contacts.read", Scope())
    async with held.database.reading() as connection:
        return await people.everything(connection, person_id)
