"""The staff's page for how a mission tells its people."""

from typing import Annotated, Any, Literal, get_args
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.notify.commands import choosing
from services.notify.commands.delivering import contacts_of
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import OWN_CHOICE, Rules
from services.notify.message_bodies import RulesBody
from services.notify.pages.rendering import pages
from services.notify.resources import Held, Resources
from shared.access import Scope, require
from shared.contacts import Contact
from shared.errors import Stale
from shared.http import Caller, Now

FIELD_LENGTH_MAX = 10
HOUR_MINUTES = 60
REVISION_MAX = 2**31 - 1
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
    present, revision = await choosing.rules_of(held.database, mission_id)
    found = (RulesBody.of(present), revision)
    return _page(request, held.reach.available, mission_id, found, saved=bool(saved))


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
    revision: Annotated[int, Form(ge=0, le=REVISION_MAX)],
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
    available = held.reach.available
    try:
        body = RulesBody.model_validate(given)
        await choosing.rule(held.database, who, mission_id, (revision, body.rules()), now)
    except ValidationError:
        present, revision = await choosing.rules_of(held.database, mission_id)
        found = (RulesBody.of(present), revision)
        return _page(request, available, mission_id, found, wrong=True)
    except Stale:
        # What was typed is kept, to be decided anew on what is there now.
        _, revision = await choosing.rules_of(held.database, mission_id)
        other = await _who_ruled(held, mission_id)
        return _page(request, available, mission_id, (body, revision), other=other)
    return RedirectResponse(f"/desk/missions/{mission_id}/messages?saved=yes", 303)


async def _who_ruled(held: Resources, mission_id: UUID) -> Contact | Literal[False]:
    """Give who changed the rules last; False: nobody whose name can be read now."""
    id_ = await choosing.ruled_by(held.database, mission_id)
    known = await contacts_of(held.contacts, [id_] if id_ else [])
    return next(iter(known.values()), False)


def _page(
    request: Request,
    available: frozenset[ChannelName],
    mission_id: UUID,
    shown: tuple[RulesBody, int],
    **said: Any,
) -> Response:
    found, revision = shown
    other = said.get("other")
    return pages.render(
        request,
        "rules.html",
        mission_id=mission_id,
        status=422 if said.get("wrong") else 200 if other is None else 409,
        rules=found,
        revision=revision,
        other=other,
        own=OWN_CHOICE,
        fallbacks=FALLBACKS,
        missing=[name for name in get_args(ChannelName) if name not in available],
        hours=f"{found.urgent_minutes / HOUR_MINUTES:g}",
        saved=said.get("saved", False),
        wrong=said.get("wrong", False),
    )
