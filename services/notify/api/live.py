"""Live streams: server-sent events (WHATWG HTML, 9.2)."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from services.notify.commands.following import Beginning, begin
from services.notify.commands.looking import existing_stop
from services.notify.resources import Held
from shared import access
from shared.access import require
from shared.http import Caller
from shared.protocol import head_of, taken_over

SEND_SECONDS_MAX = 20
PART_BYTES_MAX = 65_536

HEADERS = {
    "Cache-Control": "no-cache",
    # nginx would otherwise collect the stream instead of passing it on.
    "X-Accel-Buffering": "no",
}

router = APIRouter(prefix="/api/v1/live", tags=["live"])


_KIND = {"Content-Type": "text/event-stream; charset=utf-8"}
_LINES = tuple((name.lower().encode(), value.encode()) for name, value in (HEADERS | _KIND).items())


def head(scope: Scope) -> bytes:
    """Write what comes before the events."""
    return head_of(scope, 200, _LINES)


class EventStream(StreamingResponse):
    """A stream that goes on over the connection's own socket.

    Where the server cannot give that away, as under TLS, it is copied through the framework.
    """

    media_type = "text/event-stream"

    def __init__(self, beginning: Beginning) -> None:
        self._beginning = beginning
        self._parts = self._copied()
        super().__init__(self._parts, headers=HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the connection over, or copy."""
        fd = taken_over(scope)
        if fd is None:
            await super().__call__(scope, receive, send)
        else:
            self._beginning.listen(fd, head(scope))

    async def stream_response(self, send: Send) -> None:
        """Copy each part within a limit."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await send(message)

        try:
            await super().stream_response(send_in_time)
        except TimeoutError:
            return
        finally:
            await self._parts.aclose()

    async def _copied(self) -> AsyncGenerator[bytes, None]:
        ours, theirs = socket.socketpair()
        with ours:
            ours.setblocking(False)
            theirs.setblocking(False)
            listener = self._beginning.listen(theirs.detach())
            try:
                while part := await asyncio.get_running_loop().sock_recv(ours, PART_BYTES_MAX):
                    yield part
            finally:
                listener.close()


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
    require(who, "live.me", access.Scope(person_ids=(who.subject,)))
    await existing_stop(held.database, stop_id)
    sources = (held.database, held.live, held.hub)
    return EventStream(await begin(sources, stop_id, who.subject, last_event_id or last_seen))


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
    require(who, "live.stop", access.Scope(stop["mission_id"], stop_id))
    sources = (held.database, held.live, held.hub)
    seen = last_event_id or last_seen
    return EventStream(await begin(sources, stop_id, None, seen, by=who.subject))
