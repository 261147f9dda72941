"""The waiting room as people see it, and the way from there to the form and through it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from services.registration.commands.missions import existing_stop
from services.registration.commands.waiting import Given
from services.registration.domain.tickets import Admission, Ticket
from services.registration.domain.waiting_room import Mode, Standing, State
from services.registration.front import cookie_header, cookie_of, poll_seconds
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import missions as store
from shared.access import Scope, require
from shared.errors import Busy, Forbidden, Invalid, NotFound, TooMany
from shared.http import Caller, Now
from shared.idempotency import Key
from shared.limits import client_of
from shared.web.pages import language_of

MINUTE_SECONDS = 60
ADMISSION_USED = "admission_used"

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Somebody who comes to the form of a stop, with the ticket of the browser."""

    held: Resources
    stop_id: UUID
    ticket: Ticket
    standing: Standing
    now: datetime

    @property
    def is_held(self) -> bool:
        """Whether the form has to wait."""
        return self.standing.state in (State.BEFORE, State.WAITING)

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the form is given: the admission and its end, where it needs one."""
        token = self.held.waiting.admission(self.ticket, self.standing, is_browsers=True)
        return {"admission": token, "admitted_until": self.standing.until} if token else {}

    def keep(self, response: Response) -> Response:
        """Have the browser keep the ticket: a place in line is one browser's."""
        token = self.held.waiting.sealed(self.ticket, self.now)
        response.headers.append("Set-Cookie", cookie_header(self.held, self.stop_id, token))
        return response


async def enter(request: Request, held: Resources, stop: asyncpg.Record, now: datetime) -> Entrance:
    """Take the ticket that a browser brings, or draw one for it; raises `TooMany`, `Busy`.

    Everybody who opens the form has one: it shows later that they came before the rush.
    """
    token = request.cookies.get(cookie_of(stop["id"]), "")
    try:
        ticket = held.waiting.read(token, stop["id"], now)
    except Forbidden:
        wait = held.limits.tickets.wait_seconds(client_of(request))
        if wait and not held.waiting.is_quiet:
            raise TooMany("Too many tickets are drawn from here.", retry_seconds=wait) from None
        ticket = held.waiting.draw(stop["id"], now)
    standing = await held.waiting.look(ticket, now)
    return Entrance(held, stop["id"], ticket, standing, now)


@dataclass(frozen=True, slots=True)
class Passage:
    """Whether a form that was sent passes, and by what."""

    stop_id: UUID
    admission: Admission | None = None
    token: str = ""
    refused: str = ""

    @property
    def fields(self) -> Mapping[str, Any]:
        """What the form is given when it is shown again."""
        if self.admission is None:
            return {}
        return {"admission": self.token, "admitted_until": self.admission.until}

    def key(self, key: Key, email: str) -> Key:
        """Give the idempotency key of a form: with an admission that one's, for one person."""
        if self.admission is None:
            return key
        digest = hashlib.sha256(email.strip().casefold().encode()).digest()
        return replace(key, value=f"admission {self.admission.key}", digest=digest)

    def why(self, error: Invalid) -> str:
        """Say why a form was refused where none of its fields is wrong."""
        return ADMISSION_USED if error.code == "idempotency_key_reused" else ""

    def leave(self, response: Response) -> Response:
        """Take the ticket away: whoever uses this browser next draws one of their own."""
        if self.admission is not None:
            response.delete_cookie(cookie_of(self.stop_id))
        return response


async def passing(
    request: Request, held: Resources, stop: asyncpg.Record, sent: FormData, now: datetime
) -> Passage:
    """Say whether a form that was sent passes; raises `TooMany`."""
    held.limits.registrations.take(client_of(request))
    token = str(sent.get("admission", ""))
    ticket = request.cookies.get(cookie_of(stop["id"]), "")
    try:
        admission = await held.waiting.check(stop["id"], Given(token, ticket=ticket), now)
    except (Busy, Forbidden) as refusal:
        return Passage(stop["id"], refused=refusal.code)
    return Passage(stop["id"], admission, token)


@router.get("/missions/{slug}/stops/{stop_slug}/waiting-room")
async def waiting_room(
    slug: str, stop_slug: str, request: Request, held: Held, now: Now
) -> Response:
    """Show where somebody stands, and lead on to the form when the turn has come."""
    async with held.database.reading() as connection:
        mission = await store.mission_by_slug(connection, slug)
        stops = await store.stops_of(connection, mission["id"]) if mission else []
    stop = next((stop for stop in stops if stop["slug"] == stop_slug), None)
    if mission is None or stop is None:
        raise NotFound("There is no such stop.")
    entrance = await enter(request, held, stop, now)
    form = f"/missions/{slug}/stops/{stop_slug}/register"
    if not entrance.is_held:
        return entrance.keep(RedirectResponse(form, 303))
    standing = entrance.standing
    data = {
        "url": f"/api/v1/stops/{stop['id']}/waiting-room",
        "form": form,
        "state": standing.state,
        "poll_seconds": poll_seconds(standing),
        "seconds_to_opening": seconds_to(standing.opens_at, now),
        "words": _words(language_of(request)),
    }
    page = pages.render(
        request,
        "waiting_room.html",
        mission=mission,
        stop=stop,
        standing=standing,
        minutes=-(-round(standing.wait_seconds) // MINUTE_SECONDS),
        seconds_to_opening=data["seconds_to_opening"],
        moment=on_day(request),
        data=data,
    )
    return entrance.keep(page)


def seconds_to(moment: datetime | None, now: datetime) -> float | None:
    """Say how far a moment lies ahead."""
    return None if moment is None else max((moment - now).total_seconds(), 0.0)


def _words(language: str) -> Mapping[str, str]:
    names = ("number", "of", "wait_soon", "wait_minutes", "lost", "turn", "here", "days", "opening")
    return {name: pages.words[f"waiting_{name}"][language] for name in names}


@router.post("/desk/stops/{stop_id}/waiting-room")
async def set_mode(
    stop_id: UUID, held: Held, who: Caller, now: Now, mode: Annotated[Mode, Form()]
) -> Response:
    """Open or close the room, and go back to the stop."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(stop["mission_id"], stop_id))
    await held.waiting.set_mode(stop_id, mode, who, now)
    return RedirectResponse(f"/desk/stops/{stop_id}#waiting-room", 303)
