"""Templates: a mission's mails in words of its own."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.notify.commands import templating
from services.notify.commands.templating import existing_name
from services.notify.domain.templates import NEEDED, PLACES, Texts
from services.notify.message_bodies import TemplatesBody
from services.notify.resources import Held
from shared.access import Scope, require
from shared.http import Caller, IfMatch, Now, etag

router = APIRouter(prefix="/api/v1/messages/templates/{mission_id}", tags=["messages"])


@router.get("")
async def templates(mission_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """List a mission's mails, with their places; which are in its own words."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    changed = await templating.overview(held.database, mission_id)
    items = [
        {
            "name": name,
            "version": changed[name]["version"] if name in changed else 0,
            "is_own": name in changed and changed[name]["is_own"],
            "places": sorted(places),
            "needed": NEEDED.get(name, ()),
        }
        for name, places in PLACES.items()
    ]
    return {"items": items}


@router.get("/{name}")
async def template(
    mission_id: UUID, name: str, held: Held, who: Caller, response: Response
) -> dict[str, Any]:
    """Read a mail as the mission has it, and who changed it when."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    found = await templating.edited(held.database, (mission_id, existing_name(name)))
    response.headers.update(etag(found.version))
    return {"version": found.version, "is_own": found.is_own, "versions": found.versions} | _plain(
        found.texts
    )


@router.put("/{name}")
async def save(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    name: str,
    body: TemplatesBody,
    held: Held,
    who: Caller,
    now: Now,
    seen: IfMatch,
    response: Response,
) -> dict[str, int]:
    """Write a mail in the mission's own words; 0 is the version that nobody changed."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    place = (mission_id, existing_name(name))
    version = await templating.save(held.database, who, place, (seen, body.texts()), now)
    response.headers.update(etag(version))
    return {"version": version}


@router.delete("/{name}")
async def reset(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    name: str,
    held: Held,
    who: Caller,
    now: Now,
    seen: IfMatch,
    response: Response,
) -> dict[str, int]:
    """Write a mail in the built-in words again."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    place = (mission_id, existing_name(name))
    version = await templating.save(held.database, who, place, (seen, None), now)
    response.headers.update(etag(version))
    return {"version": version}


def _plain(texts: Texts) -> dict[str, dict[str, str]]:
    return {language: {"subject": one.subject, "body": one.body} for language, one in texts.items()}
