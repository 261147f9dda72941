"""Deliveries: mails and what became of them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.notify.resources import Held
from services.notify.store import messages
from shared.access import Scope, require
from shared.http import Caller

LIMIT_MAX = 200
ID_MAX = 2**63 - 1

router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])


@router.get("")
async def deliveries(
    held: Held,
    who: Caller,
    person_id: UUID | None = None,
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
) -> dict[str, Any]:
    """List the mails of the caller's mission, newest first; `next` is the `after` to go on with."""
    require(who, "mission.write", Scope(mission_id=who.mission_id))
    async with held.database.reading() as connection:
        rows = await messages.deliveries(connection, who.mission_id, person_id, after, limit)
    items = [dict(row) for row in rows]
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}
