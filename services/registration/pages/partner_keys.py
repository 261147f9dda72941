"""A partner's keys: made on its page and shown there once, listed, revoked."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, StringConstraints

from services.registration.commands import keys as commands
from services.registration.pages.moments import on_day, only_day
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from services.registration.seeing import partner_for
from services.registration.store import keys as store
from services.registration.store import partners
from shared.access import SCOPES, KeyScope, Principal
from shared.errors import Refusal
from shared.http import Caller, Now
from shared.idempotency import Key
from shared.keys import SECRET_BYTES, digest_of, written
from shared.problems import status_of

DAYS = (30, 90, 365)
DAYS_USUAL = 365
NAME_LENGTH_MAX = 200

router = APIRouter(include_in_schema=False)


class Wanted(BaseModel):
    """The form, as it was sent; `days` 0: the key never expires."""

    once: UUID
    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=NAME_LENGTH_MAX)] = ""
    scopes: list[KeyScope] = Field(default_factory=list, max_length=len(SCOPES))
    stop_ids: list[UUID] = Field(default_factory=list, max_length=100)
    days: Annotated[int, Field(ge=0, le=max(DAYS))] = DAYS_USUAL

    def wrong(self, stops: int) -> str:
        """Say what is missing; nothing: it can be made."""
        if not self.name:
            return "name"
        if not self.scopes:
            return "scopes"
        return "stops" if stops > 1 and not self.stop_ids else ""

    def facts(self, secret: bytes, now: datetime) -> dict[str, Any]:
        """Give what is kept of the key."""
        return {
            "name": self.name,
            "scopes": self.scopes,
            "stop_ids": self.stop_ids or None,
            "expires_at": now + timedelta(days=self.days) if self.days else None,
            "digest": digest_of(secret),
        }


@dataclass(frozen=True, slots=True)
class Told:
    """What the page tells of a form that was sent: what is wrong in it, or the key."""

    given: Wanted | None = None
    wrong: str = ""
    made: str = ""
    status: int = 200


@router.get("/partner/{partner_id}/keys")
async def keys(partner_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show a partner's keys, and the form for another."""
    partner = await partner_for(held, who, "key.write", partner_id)
    return await _page(request, held, who, partner, now)


@router.post("/partner/{partner_id}/keys")
async def make(
    partner_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    given: Annotated[Wanted, Form()],
) -> Response:
    """Make a key and show it, this once."""
    partner = await partner_for(held, who, "key.write", partner_id)
    if wrong := given.wrong(len(await _stops(held, who, partner_id))):
        return await _page(request, held, who, partner, now, Told(given, wrong, status=422))
    secret = secrets.token_bytes(SECRET_BYTES)
    once = Key(f"{who.subject} {request.url.path}", str(given.once), b"")
    try:
        facts = given.facts(secret, now)
        answer = await commands.make(held.database, partner, facts, who, once, now)
    except Refusal as refusal:
        told = Told(given, refusal.code, status=status_of(refusal))
        return await _page(request, held, who, partner, now, told)
    if answer.is_replayed:
        return RedirectResponse(request.url.path, 303)
    made = written(UUID(answer.content["id"]), secret)
    response = await _page(request, held, who, partner, now, Told(made=made))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post("/partner/{partner_id}/keys/{key_id}/revoke")
async def revoke(partner_id: UUID, key_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Revoke a key and go back to the list."""
    partner = await partner_for(held, who, "key.write", partner_id)
    await commands.revoke(held.database, partner, key_id, who, now)
    return RedirectResponse(f"/partner/{partner_id}/keys", 303)


async def _stops(held: Held, who: Principal, partner_id: UUID) -> list[asyncpg.Record]:
    """List the stops for which somebody may make a key."""
    async with held.database.reading() as connection:
        found = await partners.stops_of(connection, partner_id)
    return [stop for stop in found if not who.is_partner or stop["id"] in who.stop_ids]


async def _page(
    request: Request,
    held: Held,
    who: Principal,
    partner: asyncpg.Record,
    now: datetime,
    told: Told | None = None,
) -> Response:
    told = told or Told()
    stops = await _stops(held, who, partner["id"])
    async with held.database.reading() as connection:
        rows = await store.of_partner(connection, partner["id"])
        cities = {stop["id"]: stop["city"] for stop in stops}
    return pages.render(
        request,
        "partner_keys.html",
        status=told.status,
        partner=partner,
        rows=rows,
        stops=stops,
        cities=cities,
        zone=stops[0]["timezone"] if stops else "UTC",
        now=now,
        scopes=list(SCOPES),
        days=DAYS,
        given=told.given or Wanted(once=uuid4()),
        wrong=told.wrong,
        made=told.made,
        moment=on_day(request),
        on=only_day(request),
    )
