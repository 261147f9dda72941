"""Places: capacity and terms of an item, and the seats kept for partners and the door."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter

from services.registration.commands import allotting
from services.registration.commands.missions import existing_item, existing_stop
from services.registration.place_bodies import AllotmentBody, ItemChange
from services.registration.resources import Held, Resources
from services.registration.seeing import counted_partner
from shared.access import Action, Principal, Scope, require
from shared.http import Caller, Now

Owner = UUID | Literal["door"]

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.patch("/programme-items/{item_id}")
async def change_item(
    item_id: UUID, body: ItemChange, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Change an item's capacity and terms, also while registration is open."""
    await _require(held, who, "mission.write", item_id)
    changes = body.model_dump(include=body.model_fields_set)
    return (await allotting.change_item(held.database, item_id, changes, who, now)).content


@router.get("/programme-items/{item_id}/places")
async def read_places(item_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Tell an item's places and for whom some are kept; to a partner that is no host its own."""
    await _require(held, who, "board.read", item_id)
    async with held.database.reading() as connection:
        item = await existing_item(connection, item_id)
        own = counted_partner(who, await existing_stop(connection, item["stop_id"]))
        return await allotting.places_of(connection, item, own)


@router.put("/programme-items/{item_id}/allotments/{owner}")
async def keep_seats(
    item_id: UUID, owner: Owner, body: AllotmentBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Keep seats for a partner's invitees, or for walk-ins at the `door`."""
    await _require(held, who, "mission.write", item_id)
    answer = await allotting.keep_seats(
        held.database, item_id, _partner(owner), body.model_dump(), who, now
    )
    return answer.content


@router.delete("/programme-items/{item_id}/allotments/{owner}")
async def release_seats(
    item_id: UUID, owner: Owner, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Free to all what is kept and not used."""
    await _require(held, who, "mission.write", item_id)
    answer = await allotting.release_seats(held.database, item_id, _partner(owner), who, now)
    return answer.content


def _partner(owner: Owner) -> UUID | None:
    return owner if isinstance(owner, UUID) else None


async def _require(held: Resources, who: Principal, action: Action, item_id: UUID) -> None:
    async with held.database.reading() as connection:
        item = await existing_item(connection, item_id)
    require(who, action, Scope(item["mission_id"], item["stop_id"]))
