"""Somebody's own page for how to be told."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import FileResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.notify.commands import choosing
from services.notify.domain.rules import OWN_CHOICE, Wishes
from services.notify.message_bodies import WishesBody
from services.notify.pages.rendering import STATIC, pages
from services.notify.resources import Held, Resources
from shared.access import Principal, Scope, require
from shared.errors import Invalid
from shared.http import Caller

FIELD_LENGTH_MAX = 40
Field = Annotated[str, Form(max_length=FIELD_LENGTH_MAX)]

router = APIRouter(include_in_schema=False)


@router.get("/messages/settings")
async def settings(request: Request, held: Held, who: Caller, saved: bool = False) -> Response:
    """Show how somebody is told, and let that person change it."""
    _require(who)
    wanted = await choosing.wishes_of(held.database, who.subject)
    return _page(request, held, wanted, saved=saved)


@router.post("/messages/settings")
async def choose(  # noqa: PLR0913  # each is given by the framework
    *,
    request: Request,
    held: Held,
    who: Caller,
    channels: Annotated[list[str], Form()] = [],  # noqa: B006  # FastAPI copies it
    language: Field = "",
    phone: Field = "",
    announcements: Annotated[bool, Form()] = False,
) -> Response:
    """Take what somebody chose."""
    _require(who)
    number = "".join(letter for letter in phone if letter not in " -()")
    given = {
        "channels": channels or None,
        "language": language or None,
        "phone": number or None,
        "announcements": announcements,
    }
    try:
        wanted = WishesBody.model_validate(given).wishes()
        await choosing.choose(held.database, held.reach, who.subject, wanted)
    except (ValidationError, Invalid):
        # Only the number is typed; all else is chosen from what there is.
        chosen = tuple(name for name in OWN_CHOICE if name in channels)
        kept = Wishes(chosen, phone=phone, announcements=announcements)
        return _page(request, held, kept, wrong=True)
    return RedirectResponse("/messages/settings?saved=true", 303)


@router.get("/messages/worker.js")
async def worker() -> Response:
    """Give the service worker that shows messages; its place is its scope."""
    return FileResponse(STATIC / "push_worker.js", media_type="text/javascript")


def _page(
    request: Request, held: Resources, wanted: Wishes, *, saved: bool = False, wrong: bool = False
) -> Response:
    return pages.render(
        request,
        "wishes.html",
        status=422 if wrong else 200,
        wanted=wanted,
        offered=[name for name in OWN_CHOICE if name in held.reach.available],
        push_key=held.reach.push_key,
        saved=saved,
        wrong=wrong,
    )


def _require(who: Principal) -> None:
    require(who, "messages.choose", Scope(person_ids=(who.subject,)))
