"""The feed: every event that concerns a partner, in one order, to be read at one's own pace."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.notify.commands import feed_reading
from services.notify.commands.feed_reading import Asked, Page, viewer_of
from services.notify.resources import Held
from shared.http import Caller

LIMIT_MAX = 1_000
WAIT_SECONDS_MAX = 30
TYPES_MAX = 100
EVENT = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

Types = Annotated[list[str], Query(max_length=TYPES_MAX, description="Of these types alone.")]

router = APIRouter(prefix="/api/v1/events", tags=["events"])


@router.get("")
async def events(  # noqa: PLR0913  # each is given by the framework
    *,
    request: Request,
    held: Held,
    who: Caller,
    after: Annotated[str | None, Query(max_length=40)] = None,
    types: Types = [],  # noqa: B006  # never changed
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
    wait: Annotated[int, Query(ge=0, le=WAIT_SECONDS_MAX)] = 0,
    mission_id: UUID | None = None,
) -> Response:
    """List events after a position, oldest first, as CloudEvents.

    `next` leads on, also where nothing is new: `position` moves past what is not yours. `wait` is
    how many seconds to wait for an event where there is none yet. Asked for with `Accept:
    application/cloudevents-batch+json` the answer is a batch alone, and `next` is in its Link.
    """
    viewer = viewer_of(who, mission_id)
    asked = Asked(after, types, limit, wait)
    page = await feed_reading.read(held.database, held.hooks.bell, viewer, asked)
    following = request.url.include_query_params(after=str(page.cursor))
    return _answer(page, f"{following.path}?{following.query}", request.headers.get("accept", ""))


@router.get("/{event_id}")
async def event(
    event_id: UUID, held: Held, who: Caller, mission_id: UUID | None = None
) -> Response:
    """Read one event, such as one that a webhook told of."""
    text = await feed_reading.one(held.database, viewer_of(who, mission_id), event_id)
    return Response(text, media_type=EVENT)


def _answer(page: Page, following: str, accepted: str) -> Response:
    # Each event is JSON already: put together they are an answer.
    items = f"[{','.join(page.events)}]"
    headers = {"Link": f'<{following}>; rel="next"', "Vary": "Accept"}
    if BATCH in accepted:
        return Response(items, media_type=BATCH, headers=headers)
    text = f'{{"items":{items},"next":"{following}","position":"{page.cursor}"}}'
    return Response(text, media_type="application/json", headers=headers)
