"""The delivery log of a stop: what was sent to whom, what became of it, and the desk's sheet."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.notify.commands import delivering
from services.notify.commands.looking import existing_stop
from services.notify.domain.mail import ChannelName
from services.notify.pages.rendering import pages
from services.notify.resources import Held, Resources
from services.notify.store import announcements, deliveries
from services.notify.store.deliveries import Asked, Shown
from shared.access import Principal, Scope, require
from shared.errors import Conflict
from shared.http import Caller, Now
from shared.web.pages import language_of

PAGE_LENGTH = 50
ID_MAX = 2**63 - 1
QUERY_LENGTH_MAX = 100
VIEWS: tuple[Shown, ...] = ("all", "trouble", "waiting", "sent")
# A robot tells a group, not the person a message is for.
OTHER_WAYS: tuple[ChannelName, ...] = ("email", "web_push", "sms", "print")

Id = Annotated[int, Path(ge=1, le=ID_MAX)]

router = APIRouter(include_in_schema=False, prefix="/desk/stops/{stop_id}/deliveries")


@router.get("")
async def log(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    q: Annotated[str, Query(max_length=QUERY_LENGTH_MAX)] = "",
    shown: Shown = "all",
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    said: str = "",
) -> Response:
    """Show messages about a stop, newest first, and all that went to people called `q`."""
    stop = await _stop(held, who, stop_id)
    text = q.strip()
    people = None
    if text:
        people = await delivering.people_called(held.database, held.contacts, stop_id, text)
    asked = Asked(stop["mission_id"], stop_id, people, shown, after)
    found = await delivering.log_of(held.database, asked, PAGE_LENGTH + 1)
    listed = found[:PAGE_LENGTH]
    people_listed = {told.row["person_id"] for told in listed}
    announced = {told.row["announcement_id"] for told in listed} - {None}
    async with held.database.reading() as connection:
        numbers = await deliveries.counts(connection, stop_id)
        said_to_many = await announcements.read_all(connection, announced)
    return pages.render(
        request,
        "deliveries.html",
        stop=stop,
        listed=listed,
        contacts=await delivering.contacts_of(held.contacts, people_listed),
        numbers=numbers,
        said_to_many=said_to_many,
        has_mailbox=held.has_mailbox,
        views=VIEWS,
        shown=shown,
        q=q,
        said=said,
        older=listed[-1].row["id"] if len(found) > PAGE_LENGTH else None,
        ways=[name for name in OTHER_WAYS if name in held.reach.available],
        link=lambda **given: "?" + urlencode({"q": q, "shown": shown} | given),
    )


@router.get("/sheet")
async def sheet(stop_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show whom the desk has to tell by hand; made to be printed."""
    stop = await _stop(held, who, stop_id)
    language: Literal["en", "zh"] = "zh" if language_of(request) == "zh" else "en"
    left = await delivering.sheet(
        held.database, held.contacts, held.letterhead, stop_id, (language, now)
    )
    return pages.render(request, "by_hand.html", stop=stop, left=left, now=now)


@router.post("/{delivery_id}")
async def act(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    delivery_id: Id,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    do: Annotated[Literal["again", "told", "email", "web_push", "sms", "print"], Form()],
) -> Response:
    """Send again, over another channel, or note that somebody was told by hand."""
    await _stop(held, who, stop_id)
    said = "done"
    try:
        if do == "again":
            await delivering.send_again(held.database, who, delivery_id, now)
        elif do == "told":
            await delivering.told_by_hand(held.database, who, delivery_id, now)
        else:
            way = (do, held.reach.available)
            await delivering.send_otherwise(held.database, who, delivery_id, way, now)
    except Conflict as refusal:
        # A second press of the same button, as a rule.
        said = refusal.code
    if do == "told":
        return RedirectResponse(f"/desk/stops/{stop_id}/deliveries/sheet", 303)
    kept = {name: request.query_params.get(name, "") for name in ("q", "shown")}
    query = urlencode({name: value for name, value in kept.items() if value} | {"said": said})
    return RedirectResponse(f"/desk/stops/{stop_id}/deliveries?{query}#d{delivery_id}", 303)


async def _stop(held: Resources, who: Principal, stop_id: UUID) -> dict[str, Any]:
    stop = await existing_stop(held.database, stop_id)
    require(who, "messages.write", Scope(stop["mission_id"], stop_id))
    return stop
