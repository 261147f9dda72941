"""Places: capacity and terms of an item, and the seats kept for partners and the door."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, model_validator

from services.registration.bodies import CAPACITY_MAX, Moment
from services.registration.commands import allotting
from services.registration.commands.missions import existing_item
from services.registration.resources import Held, Resources
from shared.access import Action, Principal, Scope, require
from shared.http import Body, Caller, Now

YEAR_SECONDS = 366 * 24 * 3600

Seconds = Annotated[int, Field(gt=0, le=YEAR_SECONDS)]
Owner = UUID | Literal["door"]

router = APIRouter(prefix="/api/v1", tags=["registration"])


class ItemChange(Body):
    """What changes about an item's places; a field that is left out stays as it is."""

    capacity: Annotated[int, Field(ge=0, le=CAPACITY_MAX)] | None = None
    requires_approval: bool | None = None
    opens_at: Moment | None = None
    closes_at: Moment | None = None
    hold_seconds: Seconds | None = None
    """How long a place is held that waits for approval; null: without end."""
    offer_seconds: Seconds | None = None
    """How long a place is offered to one who waited; null: it is given at once."""

    @model_validator(mode="after")
    def _not_nothing(self) -> "ItemChange":
        for name in ("capacity", "requires_approval"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"`{name}` cannot be null.")
        return self


class AllotmentBody(Body):
    """Seats that are kept, and when those that are unused become free to all."""

    seats: Annotated[int, Field(ge=0, le=CAPACITY_MAX)]
    releases_at: Moment | None = None


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
    """Tell an item's places, and for whom some are kept."""
    await _require(held, who, "board.read", item_id)
    async with held.database.reading() as connection:
        return await allotting.places_of(connection, await existing_item(connection, item_id))


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
