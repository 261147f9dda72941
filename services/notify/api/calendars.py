"""Calendars that programs subscribe to: one's own, a stop's, a table's."""

import hashlib
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from pydantic import Field

from services.notify.commands import subscribing
from services.notify.commands.subscribing import Wanted
from services.notify.resources import Held
from shared.access import Principal, Tokens
from shared.errors import Fault, Invalid
from shared.http import Body, Caller, Now

MEDIA_TYPE = "text/calendar; charset=utf-8"
POINT_LENGTH_MAX = 100

router = APIRouter(prefix="/api/v1/calendars", tags=["live"])

Token = Annotated[str, Query(max_length=2_000)]
Known = Annotated[str | None, Header(alias="If-None-Match")]


class CalendarBody(Body):
    """Which calendar: of a stop, or of one table there; of neither, the caller's own."""

    stop_id: UUID | None = None
    point: Annotated[str, Field(min_length=1, max_length=POINT_LENGTH_MAX)] | None = None

    def value(self) -> Wanted:
        """Give the command's value; raises `Invalid`."""
        if self.point and self.stop_id is None:
            fault = Fault("/stop_id", "Say at which stop this table is.")
            raise Invalid("Nothing says where the table is.", faults=[fault])
        return Wanted(self.stop_id, self.point)


@router.post("", status_code=201)
async def subscribe(
    body: CalendarBody, request: Request, held: Held, who: Caller, now: Now
) -> dict[str, str]:
    """Give the address of a calendar to subscribe to.

    Whoever has it reads that calendar and nothing else, for 400 days.
    """
    tokens: Tokens = request.app.state.tokens
    path = await subscribing.address(held.database, tokens, who, body.value(), now)
    return {"url": f"{held.letterhead.origin}{path}"}


@router.get("/me.ics", response_class=Response)
async def own(request: Request, held: Held, token: Token, known: Known = None) -> Response:
    """Give somebody's meetings at every stop as iCalendar."""
    content = await subscribing.own(held.database, held.letterhead, _holder(request, token))
    return _answer(content, known)


@router.get("/stops/{stop_id}.ics", response_class=Response)
async def of_stop(  # what FastAPI hands in
    stop_id: UUID,
    request: Request,
    held: Held,
    token: Token,
    known: Known = None,
    point: Annotated[str | None, Query(max_length=POINT_LENGTH_MAX)] = None,
) -> Response:
    """Give a stop's meetings as iCalendar, or those at one table."""
    who = _holder(request, token)
    content = await subscribing.of_stop(held.database, held.letterhead, who, stop_id, point)
    return _answer(content, known)


def _holder(request: Request, token: str) -> Principal:
    tokens: Tokens = request.app.state.tokens
    return tokens.read(token, "calendar")


def _answer(content: bytes, known: str | None) -> Response:
    """Answer with a calendar, or that it is the one that is known (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if known is not None and tag in {one.strip().removeprefix("W/") for one in known.split(",")}:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=MEDIA_TYPE, headers=headers)
