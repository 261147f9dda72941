"""Reaching: who cannot be written to, and what staff did about messages."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.notify.commands import reaching
from services.notify.resources import Held
from shared.access import Scope, require
from shared.http import Caller, Now

LIMIT_MAX = 200

router = APIRouter(prefix="/api/v1/messages", tags=["messages"])


@router.get("/suppressions/{mission_id}")
async def suppressions(mission_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """List who cannot be written to, and why."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    found = await reaching.unreached(held.database, held.contacts, held.hygiene, mission_id)
    shown = ("person_id", "reason", "since", "is_suspect")
    return {
        "items": [
            {name: one.row[name] for name in shown} | {"has_new_address": one.has_new_address}
            for one in found
        ]
    }


@router.delete("/suppressions/{mission_id}/{person_id}", status_code=204)
async def lift(mission_id: UUID, person_id: UUID, held: Held, who: Caller, now: Now) -> None:
    """Write to somebody's address again."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    await reaching.lift(held.database, who, mission_id, person_id, now)


@router.get("/audit/{mission_id}")
async def audit(  # each is given by the framework
    *,
    mission_id: UUID,
    held: Held,
    who: Caller,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
) -> dict[str, Any]:
    """List what staff did about a mission's messages, the latest first.

    `next` is the `before` to go on with.
    """
    require(who, "audit.read", Scope(mission_id=mission_id))
    items = await reaching.trail(held.database, mission_id, before, limit)
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}
