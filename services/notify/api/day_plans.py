"""The day's plans of a stop, as sheets to print."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from services.notify.commands.plans import printing
from services.notify.commands.plans.reading import Asked, plans
from services.notify.resources import Held
from shared.http import Caller, Now

PART_MAX = 1_000

router = APIRouter(prefix="/api/v1/stops", tags=["live"])

Part = Annotated[int | None, Query(ge=1, le=PART_MAX)]


@router.get("/{stop_id}/day-plans.pdf", response_class=Response)
async def day_plans(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    held: Held,
    who: Caller,
    now: Now,
    person_id: UUID | None = None,
    by_hand: bool = False,
    part: Part = None,
) -> Response:
    """Print the plans of the day at a stop as PDF.

    A sheet of A4 for everybody with meetings there, or for one person, each in that person's own
    language and with the version it was printed from. `by_hand`: only for those whom no message
    reached. More than 500 sheets come in parts.
    """
    asked = Asked(person_id, by_hand)
    found = await plans((held.database, held.contacts), who, stop_id, asked, now)
    sheets = await printing.printed(held.database, held.letterhead.origin, who, found, (part, now))
    return StreamingResponse(sheets.chunks, media_type=printing.MEDIA_TYPE, headers=sheets.headers)
