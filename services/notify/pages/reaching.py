"""Pages about who can be reached: whom no mail reaches, what staff did, and unsubscribing."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from services.notify.commands import reaching
from services.notify.commands.delivering import contacts_of
from services.notify.commands.looking import zone_of
from services.notify.pages.rendering import pages
from services.notify.resources import Held
from shared.access import Scope, require
from shared.errors import Conflict
from shared.http import Caller, Now

PAGE_LENGTH = 50
TOKEN_LENGTH_MAX = 100
BASE = "/desk/missions/{mission_id}/messages"
AGAIN = "again"

Token = Annotated[str, Path(max_length=TOKEN_LENGTH_MAX)]

router = APIRouter(include_in_schema=False)


@router.get(BASE + "/unreached")
async def unreached(
    mission_id: UUID, request: Request, held: Held, who: Caller, said: str = ""
) -> Response:
    """Show whose address no mail reaches."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    found = await reaching.unreached(held.database, held.contacts, held.hygiene, mission_id)
    return pages.render(
        request,
        "unreached.html",
        mission_id=mission_id,
        unreached=found,
        said=said,
        zone=await zone_of(held.database, mission_id),
    )


@router.post(BASE + "/unreached/{person_id}")
async def lift(
    mission_id: UUID, person_id: UUID, held: Held, who: Caller, now: Now
) -> RedirectResponse:
    """Write to somebody's address again."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    said = "lifted"
    try:
        await reaching.lift(held.database, who, mission_id, person_id, now)
    except Conflict as refusal:
        # A second press of the same button, as a rule.
        said = refusal.code
    return RedirectResponse(f"{BASE.format(mission_id=mission_id)}/unreached?said={said}", 303)


@router.get(BASE + "/audit")
async def audit(
    mission_id: UUID, request: Request, held: Held, who: Caller, before: UUID | None = None
) -> Response:
    """Show what staff did about a mission's messages."""
    require(who, "audit.read", Scope(mission_id=mission_id))
    entries = await reaching.trail(held.database, mission_id, before, PAGE_LENGTH)
    people = {one[name] for one in entries for name in ("actor_id", "subject_id") if one[name]}
    return pages.render(
        request,
        "trail.html",
        mission_id=mission_id,
        entries=entries,
        zone=await zone_of(held.database, mission_id),
        contacts=await contacts_of(held.contacts, people),
        older=entries[-1]["id"] if len(entries) == PAGE_LENGTH else None,
    )


@router.get("/messages/unsubscribe/{token}")
async def ask(token: Token, request: Request, held: Held) -> Response:
    """Ask whether somebody wants no more of what is written to many: opening it changes nothing."""
    key = held.letterhead.unsubscribe_key
    wanted = await reaching.is_wanted(held.database, key, token)
    return pages.render(request, "unsubscribe.html", wanted=wanted, done=False)


@router.post("/messages/unsubscribe/{token}")
async def unsubscribe(
    token: Token, request: Request, held: Held, do: Annotated[str, Form(max_length=20)] = ""
) -> Response:
    """Send no more of what is written to many, or send it again.

    Mail programs post by themselves, without signing in (RFC 8058).
    """
    wanted = do == AGAIN
    key = held.letterhead.unsubscribe_key
    await reaching.want(held.database, key, token, are_wanted=wanted)
    return pages.render(request, "unsubscribe.html", wanted=wanted, done=True)
