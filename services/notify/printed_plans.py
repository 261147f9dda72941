"""The sheets that a request asks to print, for API and pages."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import Response, StreamingResponse

from services.notify.commands.plans import printing
from services.notify.commands.plans.reading import Asked, plans
from services.notify.resources import Held
from shared.http import Caller, Now

PART_MAX = 1_000


async def _printed(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    held: Held,
    who: Caller,
    now: Now,
    person_id: UUID | None = None,
    by_hand: bool = False,
    part: Annotated[int | None, Query(ge=1, le=PART_MAX)] = None,
) -> Response:
    asked = Asked(person_id, by_hand)
    found = await plans((held.database, held.contacts), who, stop_id, asked, now)
    made = await printing.printed(held.database, held.letterhead.origin, who, found, (part, now))
    return StreamingResponse(made.chunks, media_type=printing.MEDIA_TYPE, headers=made.headers)


PrintedPlans = Annotated[Response, Depends(_printed)]
