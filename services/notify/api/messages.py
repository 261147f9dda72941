"""Messages: how missions tell their people, and how people want to be told."""

from datetime import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.notify.commands import announcing, choosing
from services.notify.commands.looking import existing_stop
from services.notify.domain.rules import OWN_CHOICE
from services.notify.message_bodies import AnnouncementBody, RulesBody, SubscriptionBody, WishesBody
from services.notify.resources import Held
from shared.access import Principal, Scope, require
from shared.http import Caller, IfMatch, Now, etag

ENDPOINT_LENGTH_MAX = 1000

router = APIRouter(prefix="/api/v1/messages", tags=["messages"])


@router.get("/settings")
async def settings(held: Held, who: Caller) -> dict[str, Any]:
    """Say how the caller wants to be told, and what to choose from."""
    _require_self(who)
    wanted = await choosing.wishes_of(held.database, who.subject)
    return {
        "channels": wanted.channels,
        "language": wanted.language,
        "phone": wanted.phone,
        "announcements": wanted.announcements,
        "available": [name for name in OWN_CHOICE if name in held.reach.available],
        "push_key": held.reach.push_key,
    }


@router.put("/settings", status_code=204)
async def choose(body: WishesBody, held: Held, who: Caller) -> None:
    """Say how to tell the caller."""
    _require_self(who)
    await choosing.choose(held.database, held.reach, who.subject, body.wishes())


@router.put("/subscriptions", status_code=204)
async def subscribe(body: SubscriptionBody, held: Held, who: Caller, now: Now) -> None:
    """Tell the caller in this browser as well."""
    _require_self(who)
    given = (body.endpoint, body.keys.p256dh, body.keys.auth)
    await choosing.subscribe(held.database, held.reach, who.subject, given, now)


@router.delete("/subscriptions", status_code=204)
async def unsubscribe(
    held: Held,
    who: Caller,
    endpoint: Annotated[str, Query(max_length=ENDPOINT_LENGTH_MAX)],
) -> None:
    """Tell the caller in this browser no longer."""
    _require_self(who)
    await choosing.unsubscribe(held.database, who.subject, endpoint)


@router.get("/rules/{mission_id}")
async def rules(mission_id: UUID, held: Held, who: Caller, response: Response) -> dict[str, Any]:
    """Say how a mission tells its people; 0 is the revision that nobody changed."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    present, revision = await choosing.rules_of(held.database, mission_id)
    response.headers.update(etag(revision))
    found = RulesBody.of(present)
    return {
        name: value.isoformat("minutes") if isinstance(value, time) else value
        for name, value in found.model_dump().items()
    }


@router.put("/rules/{mission_id}", status_code=204)
async def rule(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    body: RulesBody,
    held: Held,
    who: Caller,
    now: Now,
    seen: IfMatch,
    response: Response,
) -> None:
    """Say how to tell a mission's people; what waits already keeps its turn."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    revision = await choosing.rule(held.database, who, mission_id, (seen, body.rules()), now)
    response.headers.update(etag(revision))


@router.put("/announcements/{announcement_id}")
async def announce(
    announcement_id: UUID, body: AnnouncementBody, held: Held, who: Caller, now: Now
) -> dict[str, int]:
    """Write to many, and say to how many; the id is the caller's, and again it tells nobody."""
    stop = await existing_stop(held.database, body.stop_id)
    require(who, "messages.write", Scope(stop["mission_id"], body.stop_id))
    one = body.announcement(announcement_id, stop["mission_id"])
    people = await announcing.announce(
        held.database, held.reach, one, (who, now), to_group=body.to_group
    )
    return {"people": people}


def _require_self(who: Principal) -> None:
    require(who, "messages.choose", Scope(person_ids=(who.subject,)))
