"""A partner's own pages: its stops with their numbers, and the partners of a mission for staff."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from services.registration.commands import partners as commands
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.domain.logos import LOGO_BYTES_MAX, checked
from services.registration.domain.places import Status
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.seeing import counted_partner, partner_for, scope_of
from services.registration.store import missions
from services.registration.store import partners as store
from shared.access import Principal, Scope, may, require
from shared.errors import Invalid, NotFound
from shared.http import Caller, Now
from shared.postgres import Connection

STATES = tuple(status.value for status in Status)

router = APIRouter(include_in_schema=False)


@router.get("/partner")
async def own(who: Caller) -> Response:
    """Lead somebody who works for a partner to its page."""
    if who.seen_partner is None:
        raise NotFound("You do not work for a partner.")
    return RedirectResponse(f"/partner/{who.seen_partner}", 303)


@router.get("/partner/{partner_id}")
async def overview(partner_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a partner's stops: whom it brought there, and to hosts what the others did."""
    partner = await partner_for(held, who, "partner.read", partner_id)
    return await _overview(request, held, who, partner)


@router.post("/partner/{partner_id}/logo")
async def set_logo(
    partner_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Take a partner's logo from the form, and show the page with it or with what is wrong."""
    partner = await partner_for(held, who, "partner.write", partner_id)
    async with request.form(max_files=1, max_fields=1) as form:
        sent = form.get("logo")
        content = await sent.read(LOGO_BYTES_MAX + 1) if isinstance(sent, UploadFile) else b""
    try:
        logo = checked(content)
    except Invalid:
        return await _overview(request, held, who, partner, is_wrong=True)
    await commands.set_logo(held.database, partner, logo, who, now)
    return RedirectResponse(f"/partner/{partner_id}", 303)


async def _overview(
    request: Request,
    held: Resources,
    who: Principal,
    partner: asyncpg.Record,
    *,
    is_wrong: bool = False,
) -> Response:
    partner_id = partner["id"]
    async with held.database.reading() as connection:
        shown = [
            await _stop(connection, who, stop, partner_id)
            for stop in await store.stops_of(connection, partner_id)
            if may(who, "board.read", scope_of(stop))
        ]
    return pages.render(
        request,
        "partner_overview.html",
        status=422 if is_wrong else 200,
        partner=partner,
        shown=shown,
        states=STATES,
        may_set_logo=may(who, "partner.write", Scope(partner["mission_id"], partner_id=partner_id)),
        is_wrong=is_wrong,
    )


async def _stop(
    connection: Connection, who: Principal, stop: asyncpg.Record, partner_id: UUID
) -> Mapping[str, Any]:
    rows = await store.numbers(connection, stop["id"], counted_partner(who, stop))
    return {
        "stop": stop,
        "own": next(row for row in rows if row["partner_id"] == partner_id),
        "all": rows if len(rows) > 1 else [],
        "states": await store.states(connection, stop["id"], partner_id),
        "may_list": may(who, "people.read", scope_of(stop, partner_id)),
    }


@router.get("/desk/stops/{stop_id}/partners")
async def of_stop(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show whom each partner brought to a stop, in order of protocol."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        require(who, "board.read", scope_of(stop))
        rows = await store.numbers(connection, stop_id, counted_partner(who, stop))
    return pages.render(request, "partners_stop.html", stop=stop, rows=rows, **_linked(who, stop))


@router.get("/desk/missions/{mission_id}/partners")
async def of_mission(mission_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """List a mission's partners, what they are at which stops, and the way to their pages."""
    require(who, "partner.read", Scope(mission_id))
    async with held.database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        rows = await store.of_mission(connection, mission_id)
        stops = await missions.stops_of(connection, mission_id)
    cities = {str(stop["id"]): stop["city"] for stop in stops}
    return pages.render(request, "partners_mission.html", mission=mission, rows=rows, cities=cities)


def _linked(who: Principal, stop: asyncpg.Record) -> dict[str, Any]:
    """Say which partners' pages somebody may open."""
    mission_id = stop["mission_id"]
    return {
        "may_open": lambda partner_id: may(
            who, "partner.read", Scope(mission_id, partner_id=partner_id)
        )
    }
