"""Live streams: server-sent events (WHATWG HTML, 9.2)."""

import asyncio
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse
from starlette.types import Message, Send

from services.notify.commands.following import Following
from services.notify.commands.looking import existing_stop
from services.notify.resources import Held, Resources
from shared.access import Scope, require
from shared.http import Caller

SEND_SECONDS_MAX = 20

HEADERS = {
    "Cache-Control": "no-cache",
    # nginx would otherwise collect the stream instead of passing it on.
    "X-Accel-Buffering": "no",
}

router = APIRouter(prefix="/api/v1/live", tags=["live"])


class EventStream(StreamingResponse):
    """Frames as they are, and the end for a client that takes none for too long."""

    media_type = "text/event-stream"

    def __init__(self, following: Following) -> None:
        self._following = following
        self._frames = following.frames()
        super().__init__(self._frames, headers=HEADERS)

    async def stream_response(self, send: Send) -> None:
        """Send each frame within a limit."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return
        finally:
            # Not left to the frames: a stream that ends before its first has never begun them.
            self._following.leave()
            await self._frames.aclose()


LastEventId = Annotated[str | None, Header(max_length=100)]
LastSeen = Annotated[str | None, Query(alias="last_event_id", max_length=100)]


@router.get("/me", response_class=EventStream, status_code=200)
async def follow_me(
    stop_id: UUID,
    held: Held,
    who: Caller,
    last_event_id: LastEventId = None,
    last_seen: LastSeen = None,
) -> EventStream:
    """Follow one's own meetings at a stop."""
    require(who, "live.me", Scope(person_ids=(who.subject,)))
    await existing_stop(held.database, stop_id)
    return await _stream(held, stop_id, who.subject, last_event_id or last_seen)


@router.get("/stops/{stop_id}", response_class=EventStream, status_code=200)
async def follow_stop(
    stop_id: UUID,
    held: Held,
    who: Caller,
    last_event_id: LastEventId = None,
    last_seen: LastSeen = None,
) -> EventStream:
    """Follow all meetings of a stop."""
    stop = await existing_stop(held.database, stop_id)
    require(who, "live.stop", Scope(stop["mission_id"], stop_id))
    return await _stream(held, stop_id, None, last_event_id or last_seen)


async def _stream(
    held: Resources, stop_id: UUID, person_id: UUID | None, last_event_id: str | None
) -> EventStream:
    sources = (held.database, held.live, held.hub)
    return EventStream(await Following.begin(sources, stop_id, person_id, last_event_id))
