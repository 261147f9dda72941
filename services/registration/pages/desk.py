"""The desk: what mission, partner and door staff work with."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from services.registration.commands import deciding, signing_in
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.domain.names import query_terms
from services.registration.domain.places import Decision
from services.registration.domain.taking_back import MISTAKES
from services.registration.pages import browsers
from services.registration.pages.moments import on_day
from services.registration.pages.naming import naming
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from services.registration.seeing import counted_partner, hosts_of, scope_of
from services.registration.store import calls, registrations, search
from services.registration.store import missions as store
from shared.access import Action, Principal, Scope, may, require
from shared.errors import Conflict
from shared.http import Caller, Now
from shared.postgres import Connection

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """Whom somebody looks for at a stop, and what became of a check-in to be taken back."""

    q: str = Field(default="", max_length=100)
    undo: str = Field(default="", max_length=10)


@router.get("/desk")
async def desk(request: Request, held: Held, who: Caller) -> Response:
    """Show the stops that somebody works at, with their numbers."""
    async with held.database.reading() as connection:
        missions = (
            [await existing_mission(connection, who.mission_id)]
            if who.mission_id
            else await store.missions(connection, with_rehearsals=True)
        )
        shown = []
        for mission in missions:
            for stop in await store.stops_of(connection, mission["id"]):
                if may(who, "board.read", Scope(mission["id"], stop["id"])):
                    own = counted_partner(who, stop)
                    people = await store.headcount(connection, stop["id"], own)
                    shown.append({"mission": mission, "stop": stop, "people": people})
        links = {
            mission["id"]: await _links(connection, who, mission["id"]) for mission in missions
        }
    return pages.render(
        request,
        "desk.html",
        shown=shown,
        links=links,
        can_list=may_list(who),
    )


def may_list(who: Principal) -> bool:
    """Say whether somebody has lists of the own stops at all."""
    stop_id = who.stop_ids[0] if who.stop_ids else None
    return may(who, "people.read", Scope(who.mission_id, stop_id, (), who.partner_id))


async def _links(
    connection: Connection, who: Principal, mission_id: UUID
) -> Sequence[tuple[str, str]]:
    """List where somebody works on a mission as a whole: words, and the path."""
    base, scope = f"/desk/missions/{mission_id}", Scope(mission_id)
    links: list[tuple[str, str]] = []
    if who.seen_partner:
        links.append(("partner_own", f"/partner/{who.seen_partner}"))
    if may(who, "partner.read", scope):
        links.append(("partners_title", f"{base}/partners"))
    if may(who, "organization.merge", scope):
        links.append(("companies", f"{base}/companies"))
    if may(who, "application.review", scope):
        if await calls.call(connection, mission_id):
            links.append(("applications", f"{base}/applications"))
        links.append(("edit_call", f"{base}/call"))
    others: tuple[tuple[Action, str, str], ...] = (
        ("messages.write", "desk_messages", f"{base}/messages"),
        ("privacy.write", "privacy_of_mission", f"{base}/privacy"),
        ("audit.read", "audit_open", f"/desk/audit?mission_id={mission_id}"),
    )
    return links + [(word, path) for action, word, path in others if may(who, action, scope)]


@router.get("/desk/stops/{stop_id}")
async def stop_desk(
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    asked: Annotated[Asked, Query()],
) -> Response:
    """Show a stop: numbers, who waits for approval, and a search for the door."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        partner_id = who.seen_partner
        scope, own = scope_of(stop), scope_of(stop, partner_id)
        require(who, "board.read", scope)
        counted = counted_partner(who, stop)
        items = await store.numbers(connection, stop_id, counted)
        found: Sequence[asyncpg.Record] = []
        pending: Sequence[asyncpg.Record] = []
        if asked.q.strip() and may(who, "check_in", own):
            found = await search.registrations(
                connection, stop_id, query_terms(asked.q), partner_id=partner_id
            )
        if may(who, "registration.decide", own):
            pending = await registrations.pending(connection, stop_id, partner_id)
    return pages.render(
        request,
        "stop_desk.html",
        stop=stop,
        items=items,
        found=found,
        pending=pending,
        q=asked.q,
        undo=asked.undo,
        mistakes=MISTAKES,
        room=None if counted else await held.waiting.overview(stop_id, now),
        is_counted_whole=counted is None,
        can_make_links=may(who, "mission.write", scope),
        can_welcome=may(who, "check_in", scope),
        moment=on_day(request),
        **naming(request),
        can_list=may(who, "people.read", scope),
        can_print=may(who, "people.invite", own),
        can_print_plans=may(who, "day_plan.print", scope),
    )


@router.post("/desk/registrations/{registration_id}/{decision}")
async def decide(
    registration_id: UUID,
    decision: Decision,
    held: Held,
    who: Caller,
    now: Now,
    origin: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Decide, and go back to where that was decided: the registration's own page, or the stop."""
    # Partner staff takes back whom it brought, as by the API.
    action: Action = "registration.cancel" if decision is Decision.CANCEL else "registration.decide"
    stop_id = await require_about(held, who, registration_id, action)
    own = f"/desk/registrations/{registration_id}"
    try:
        await deciding.decide(held.database, registration_id, decision, who, now)
    except Conflict as conflict:
        return RedirectResponse(f"{own}?refused={conflict.code}", 303)
    return RedirectResponse(own if origin == "registration" else f"/desk/stops/{stop_id}", 303)


@router.post("/desk/arrivals/{registration_id}")
async def arrive(
    registration_id: UUID,
    held: Held,
    who: Caller,
    now: Now,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Check somebody in, and go back to what was searched for: it shows who arrived."""
    stop_id = await require_about(held, who, registration_id, "check_in")
    await deciding.check_in(held.database, registration_id, who, now)
    return RedirectResponse(f"/desk/stops/{stop_id}?{urlencode({'q': q})}", 303)


async def require_about(held: Held, who: Principal, registration_id: UUID, action: Action) -> UUID:
    """Let somebody do something about a registration, and give its stop."""
    async with held.database.reading() as connection:
        found = await deciding.existing(connection, registration_id)
        hosts = await hosts_of(connection, who, found["stop_id"])
    scope = Scope(found["mission_id"], found["stop_id"], (), found["partner_id"], hosts)
    require(who, action, scope)
    stop_id: UUID = found["stop_id"]
    return stop_id


@router.post("/desk/stops/{stop_id}/screen")
async def open_screen(stop_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Make a link for the venue screen and go there in a session of its own."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(stop["mission_id"], stop_id))
    screen = Principal("screen", uuid4(), stop["mission_id"], (stop_id,))
    path = await signing_in.hand_out(held.database, held.tokens, screen, who, now)
    response = RedirectResponse(path, 303)
    browsers.know(held, response, str(screen.subject))
    return response
