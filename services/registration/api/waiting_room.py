"""The waiting room of a stop: tickets, whose turn it is, and how staff opens and closes it."""

import re
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Request
from pydantic import Field, StringConstraints

from services.registration.commands.missions import existing_stop
from services.registration.commands.waiting import Overview, Waiting
from services.registration.domain.tickets import Ticket
from services.registration.domain.waiting_room import Mode, Standing
from services.registration.front import cookie_header, cookie_of, poll_seconds
from services.registration.resources import Held, Resources
from shared.access import Scope, require
from shared.express import Call, Express, Reply
from shared.http import Body, Caller, Now
from shared.http import now as current_time
from shared.idempotency import KEY_LENGTH_MAX
from shared.limits import Client

TICKET_HEADER = b"waiting-room-ticket"

router = APIRouter(prefix="/api/v1", tags=["registration"])

TicketHeader = Annotated[
    str | None, Header(description="The ticket that was drawn; a browser has it in a cookie.")
]


class DrawBody(Body):
    """What a program draws a ticket for."""

    idempotency_key: Annotated[
        str | None, StringConstraints(min_length=1, max_length=KEY_LENGTH_MAX)
    ] = Field(default=None, description="The key its registration will be sent with.")


class ModeBody(Body):
    """Who says whether the room is open."""

    mode: Mode


@router.get("/stops/{stop_id}/waiting-room")
async def read_waiting_room(
    stop_id: UUID,
    request: Request,
    held: Held,
    now: Now,
    waiting_room_ticket: TicketHeader = None,
) -> dict[str, Any]:
    """Say where a ticket stands, and give its admission when its turn has come.

    `state` is `free` (register without one), `before_opening`, `waiting` or `admitted`: then
    register by `admitted_until`, with the header Waiting-Room-Admission and the
    `idempotency_key` it is good for. Ask again after `poll_seconds`, and keep the `ticket` of
    each answer. Without a ticket, the answer tells how the room stands.
    """
    cookie = request.cookies.get(cookie_of(stop_id), "")
    content, _ = await _look(held, stop_id, waiting_room_ticket or "", cookie, now)
    return content


@router.post("/stops/{stop_id}/waiting-room", status_code=201)
async def draw_ticket(
    stop_id: UUID, held: Held, client: Client, now: Now, body: DrawBody | None = None
) -> dict[str, Any]:
    """Draw a ticket; its admission will be good for one registration, with one idempotency key.

    Who drew before the room opened has a place by lot, who drew later stands behind them in order.
    Answers as the room does to a ticket.
    """
    held.limits.tickets.take(client)
    async with held.database.reading() as connection:
        await existing_stop(connection, stop_id)
    ticket = held.waiting.draw(stop_id, now, (body and body.idempotency_key) or "")
    return await _told(held.waiting, ticket, now, is_browsers=False)


@router.put("/stops/{stop_id}/waiting-room")
async def set_waiting_room(
    stop_id: UUID, body: ModeBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Open or close the room by hand, or leave it to itself again."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(stop["mission_id"], stop_id))
    await held.waiting.set_mode(stop_id, body.mode, who, now)
    return _shown(await held.waiting.overview(stop_id, now))


async def _look_at_once(call: Call, stop_id: str) -> Reply:
    """Do the same as the route in the express lane: everybody who waits asks all the time."""
    held: Resources = call.state.registration
    header = call.headers.get(TICKET_HEADER, b"").decode("latin-1")
    place = UUID(stop_id)
    cookie = "" if header else call.request.cookies.get(cookie_of(place), "")
    content, token = await _look(held, place, header, cookie, current_time())
    headers = {"Cache-Control": "no-store"}
    if token and cookie:
        headers["Set-Cookie"] = cookie_header(held, place, token)
    return Reply(200, content, headers)


EXPRESS = [
    Express(
        "GET",
        re.compile(
            r"/api/v1/stops/(?P<stop_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/waiting-room"
        ),
        _look_at_once,
    )
]


async def _look(
    held: Resources, stop_id: UUID, header: str, cookie: str, now: Now
) -> tuple[dict[str, Any], str]:
    """Give what is told, and the ticket to be kept; raises `Forbidden` for one that is not ours."""
    token = header or cookie
    if not token:
        async with held.database.reading() as connection:
            await existing_stop(connection, stop_id)
        return _shown(await held.waiting.overview(stop_id, now)), ""
    ticket = held.waiting.read(token, stop_id, now)
    content = await _told(held.waiting, ticket, now, is_browsers=not header)
    # What lies in a browser's cookie is shown to no script.
    return content, content["ticket"] if header else content.pop("ticket")


async def _told(waiting: Waiting, ticket: Ticket, now: Now, *, is_browsers: bool) -> dict[str, Any]:
    standing = await waiting.look(ticket, now)
    content = standing_content(standing)
    content["ticket"] = waiting.sealed(ticket, now)
    if not is_browsers:
        content["idempotency_key"] = ticket.key
        content["admission"] = waiting.admission(ticket, standing, is_browsers=False)
    return content


def standing_content(standing: Standing) -> dict[str, Any]:
    """Give where somebody stands as JSON holds it."""
    return {
        "state": standing.state.value,
        "number": standing.number or None,
        "of": standing.of,
        "wait_seconds": round(standing.wait_seconds),
        "opens_at": standing.opens_at,
        "admitted_until": standing.until,
        "poll_seconds": poll_seconds(standing),
    }


def _shown(overview: Overview) -> dict[str, Any]:
    return {
        "is_open": overview.is_open,
        "mode": overview.mode,
        "waiting": overview.waiting,
        "admitted_per_minute": overview.admitted_per_minute,
        "opens_at": overview.opens_at,
    }
