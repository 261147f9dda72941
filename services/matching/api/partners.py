"""What became of the meetings of those whom a partner brought."""

from collections.abc import Iterable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.matching.allowing import brought_by
from services.matching.commands import looking
from services.matching.domain.meetings import Meeting
from services.matching.resources import Held
from services.matching.store import brought
from shared.http import Caller
from shared.postgres import Connection

LIMIT_MAX = 500
NUMBERS = ("people", "people_meeting", "planned", "held", "no_show", "cancelled")

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/partners/{partner_id}/meetings")
async def list_meetings(
    *,
    partner_id: UUID,
    held: Held,
    who: Caller,
    stop_id: UUID | None = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> dict[str, Any]:
    """List the meetings of a partner's invitees, with each stop's numbers.

    In order of their ids, which stay the same when a meeting moves: `next` is what to go on
    `after`. `own` names those of the two whom the partner brought. In `stops`, `people` have a
    place or a meeting, `people_meeting` a meeting; `planned` are those that are not over.
    """
    async with held.database.reading() as connection:
        stops = await brought_by(connection, who, partner_id, stop_id)
        ids = [stop["id"] for stop in stops]
        found = await brought.meetings(connection, partner_id, ids, after, limit)
        own = await brought.own(connection, partner_id, {p for one in found for p in one.people})
        views = await _views(connection, found)
    return {
        "stops": [
            {"stop_id": stop["id"], **{name: stop[name] for name in NUMBERS}} for stop in stops
        ],
        "items": [
            views[one.id] | {"own": [person for person in one.people if person in own]}
            for one in found
        ],
        "next": found[-1].id if len(found) == limit else None,
    }


async def _views(connection: Connection, found: Iterable[Meeting]) -> dict[UUID, dict[str, Any]]:
    by_stop: dict[UUID, list[Meeting]] = {}
    for one in found:
        by_stop.setdefault(one.stop_id, []).append(one)
    return {
        view["meeting_id"]: view
        for stop_id, there in by_stop.items()
        for view in await looking.meeting_views(connection, stop_id, there)
    }
