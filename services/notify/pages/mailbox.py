"""The embedded mailbox: every mail of a process that keeps its mail instead of sending it.

Mails sign their readers in: whoever works for one mission reads the mails of that one alone.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.notify.commands import mailbox
from services.notify.domain.links import parts
from services.notify.pages.rendering import pages
from services.notify.resources import Held, Resources
from shared.access import Principal, Scope, require
from shared.errors import NotFound
from shared.http import Caller

PAGE_LENGTH = 50
ID_MAX = 2**63 - 1

AS_MAIL_PROGRAMS = "default-src 'none'; style-src 'unsafe-inline'; sandbox allow-popups"
"""Its styles stand in its tags, and nothing is run or loaded."""

Id = Annotated[int, Path(ge=1, le=ID_MAX)]

router = APIRouter(include_in_schema=False)


@router.get("/mailbox")
async def mails(
    request: Request,
    held: Held,
    who: Caller,
    q: Annotated[str, Query(max_length=320)] = "",
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
) -> Response:
    """List mails, newest first, those to some addresses alone when `q` has a part of one."""
    _require(held, who)
    found = await mailbox.find(held.database, q.strip(), after, PAGE_LENGTH + 1, who.mission_id)
    older = found[PAGE_LENGTH - 1]["id"] if len(found) > PAGE_LENGTH else None
    return pages.render(request, "mailbox.html", mails=found[:PAGE_LENGTH], q=q, older=older)


@router.get("/mailbox/{id_}")
async def mail(id_: Id, request: Request, held: Held, who: Caller) -> Response:
    """Show a mail."""
    _require(held, who)
    opened = await mailbox.opened(held.database, id_, who.mission_id)
    return pages.render(request, "mail.html", mail=opened, parts=list(parts(opened.text)))


@router.get("/mailbox/{id_}/page")
async def page(id_: Id, held: Held, who: Caller) -> Response:
    """Show a mail as a mail program does."""
    _require(held, who)
    opened = await mailbox.opened(held.database, id_, who.mission_id)
    if opened.page is None:
        raise NotFound("This mail has no page.")
    return HTMLResponse(opened.page, headers={"Content-Security-Policy": AS_MAIL_PROGRAMS})


@router.get("/mailbox/{id_}/calendar")
async def calendar(id_: Id, held: Held, who: Caller) -> Response:
    """Give a mail's calendar file."""
    _require(held, who)
    opened = await mailbox.opened(held.database, id_, who.mission_id)
    if opened.calendar is None:
        raise NotFound("This mail has no calendar.")
    headers = {"Content-Disposition": f'attachment; filename="meetings-{id_}.ics"'}
    return Response(opened.calendar, media_type="text/calendar; charset=utf-8", headers=headers)


def _require(held: Resources, who: Principal) -> None:
    if not held.has_mailbox:
        raise NotFound("This process sends its mail; it keeps none.")
    require(who, "mailbox.read", Scope())
