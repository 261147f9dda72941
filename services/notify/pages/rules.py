"""The staff's page for how a mission tells its people."""

from typing import Annotated, Any, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.notify.commands import choosing
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import OWN_CHOICE, Rules
from services.notify.message_bodies import RulesBody
from services.notify.pages.rendering import pages
from services.notify.resources import Held
from shared.access import Scope, require
from shared.http import Caller, Now

FIELD_LENGTH_MAX = 10
HOUR_MINUTES = 60
FALLBACKS: tuple[ChannelName, ...] = Rules().fallback

Field = Annotated[str, Form(max_length=FIELD_LENGTH_MAX)]
Names = Annotated[list[str], Form()]

router = APIRouter(include_in_schema=False)


@router.get("/desk/missions/{mission_id}/messages")
async def rules(
    mission_id: UUID, request: Request, held: Held, who: Caller, saved: str = ""
) -> Response:
    """Show how a mission tells its people."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    found = RulesBody.of(await choosing.rules_of(held.database, mission_id))
    return _page(request, held.reach.available, found, mission_id=mission_id, saved=bool(saved))


@router.post("/desk/missions/{mission_id}/messages")
async def rule(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    channels: Names = [],  # noqa: B006  # FastAPI copies it
    fallback: Names = [],  # noqa: B006  # the same
    urgent_hours: Annotated[float, Form(ge=0, le=168)],
    digest_at: Field = "",
    quiet_from: Field,
    quiet_until: Field,
    asks_for_results: Field = "",
) -> Response:
    """Take how a mission is to tell its people."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    given = {
        "channels": channels,
        "fallback": [name for name in FALLBACKS if name in fallback],
        "urgent_minutes": round(urgent_hours * HOUR_MINUTES),
        "digest_at": digest_at or None,
        "quiet_from": quiet_from,
        "quiet_until": quiet_until,
        "asks_for_results": bool(asks_for_results),
    }
    try:
        body = RulesBody.model_validate(given)
    except ValidationError:
        found = RulesBody.of(await choosing.rules_of(held.database, mission_id))
        return _page(request, held.reach.available, found, mission_id=mission_id, wrong=True)
    await choosing.rule(held.database, who, mission_id, body.rules(), now)
    return RedirectResponse(f"/desk/missions/{mission_id}/messages?saved=yes", 303)


def _page(
    request: Request, available: frozenset[ChannelName], found: RulesBody, **said: Any
) -> Response:
    return pages.render(
        request,
        "rules.html",
        mission_id=said["mission_id"],
        status=422 if said.get("wrong") else 200,
        rules=found,
        own=OWN_CHOICE,
        fallbacks=FALLBACKS,
        missing=[name for name in get_args(ChannelName) if name not in available],
        hours=f"{found.urgent_minutes / HOUR_MINUTES:g}",
        saved=said.get("saved", False),
        wrong=said.get("wrong", False),
    )
