"""Deliveries: messages, what became of them, and what staff does about it."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query

from services.notify.commands import delivering
from services.notify.domain.mail import ChannelName
from services.notify.resources import Held
from services.notify.store.deliveries import Asked, Shown
from shared.access import Scope, require
from shared.http import Caller, Now

LIMIT_MAX = 200
ID_MAX = 2**63 - 1

Id = Annotated[int, Path(ge=1, le=ID_MAX)]

router = APIRouter(prefix="/api/v1/deliveries", tags=["deliveries"])


@router.get("")
async def deliveries(  # noqa: PLR0913  # each is given by the framework
    *,
    held: Held,
    who: Caller,
    person_id: UUID | None = None,
    stop_id: UUID | None = None,
    shown: Shown = "all",
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
) -> dict[str, Any]:
    """List a mission's messages, newest first, each over one channel with its attempts.

    `next` is the `after` to go on with.
    """
    require(who, "mission.write", Scope(mission_id=who.mission_id))
    people = None if person_id is None else [person_id]
    asked = Asked(who.mission_id, stop_id, people, shown, after)
    found = await delivering.log_of(held.database, asked, limit)
    items = [
        {
            **told.row,
            "tried": [{k: v for k, v in one.items() if k != "message"} for one in told.attempts],
        }
        for told in found
    ]
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


@router.post("/{delivery_id}/retry", status_code=204)
async def retry(delivery_id: Id, held: Held, who: Caller, now: Now) -> None:
    """Send again what failed."""
    await delivering.send_again(held.database, who, delivery_id, now)


@router.post("/{delivery_id}/channels/{channel}", status_code=204)
async def otherwise(
    delivery_id: Id, channel: ChannelName, held: Held, who: Caller, now: Now
) -> None:
    """Say the same over another channel, at most once over each."""
    way = (channel, held.reach.available)
    await delivering.send_otherwise(held.database, who, delivery_id, way, now)


@router.post("/{delivery_id}/told", status_code=204)
async def told(delivery_id: Id, held: Held, who: Caller, now: Now) -> None:
    """Note that somebody was told by hand."""
    await delivering.told_by_hand(held.database, who, delivery_id, now)
