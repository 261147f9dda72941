"""The staff's pages for what mails say: a list, and an editor with preview and test."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ValidationError

from services.notify.commands import templating
from services.notify.commands.delivering import contacts_of
from services.notify.commands.looking import zone_of
from services.notify.commands.templating import Edited, Place, existing_name
from services.notify.domain.mail import Message
from services.notify.domain.templates import NEEDED, PLACES, Texts, Trouble, troubles
from services.notify.message_bodies import TemplatesBody
from services.notify.pages.rendering import pages
from services.notify.resources import Held, Resources
from shared.access import Principal, Scope, require
from shared.contacts import Contact
from shared.edge import SECURITY_HEADERS
from shared.errors import Stale
from shared.http import Caller, Now

VERSION_MAX = 2**31 - 1
Do = Literal["preview", "test", "save", "reset"]
STALE = "template_wrong_stale"
BASE = "/desk/missions/{mission_id}/messages/templates"

POLICY = "Content-Security-Policy"
WITH_STYLES = f"{SECURITY_HEADERS[POLICY]}; style-src 'self' 'unsafe-inline'"
"""Of a page with a mail in it, as a frame without an address of its own is under its page's rules:
a mail's styles stand in its tags."""
GUARDED = (
    f'<head><meta http-equiv="{POLICY}" content="default-src \'none\'; '
    'style-src \'unsafe-inline\'"><base target="_blank">'
)
"""How a mail in a frame begins: it loads nothing, and its links, which would open beside it, lead
nowhere, as its frame may open nothing."""

router = APIRouter(include_in_schema=False)


class Typed(BaseModel):
    """The editor's form, as it was sent."""

    do: Do
    version: Annotated[int, Query(ge=0, le=VERSION_MAX)]
    subject_en: str = ""
    subject_zh: str = ""
    body_en: str = ""
    body_zh: str = ""
    example: int | Literal[""] = ""
    """A message, to see the mail as its reader would."""

    def body(self) -> TemplatesBody:
        """Give what was typed as a program would send it; raises `ValidationError`."""
        return TemplatesBody.model_validate(
            {
                "en": {"subject": self.subject_en, "body": self.body_en},
                "zh": {"subject": self.subject_zh, "body": self.body_zh},
            }
        )


@router.get(BASE)
async def templates(mission_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a mission's mails, and which are in its own words."""
    require(who, "messages.write", Scope(mission_id=mission_id))
    changed = await templating.overview(held.database, mission_id)
    return pages.render(
        request, "templates.html", mission_id=mission_id, names=list(PLACES), changed=changed
    )


@router.get(BASE + "/{name}")
async def template(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    name: str,
    request: Request,
    held: Held,
    who: Caller,
    version: Annotated[int | None, Query(ge=0, le=VERSION_MAX)] = None,
    said: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Show a mail to be edited, as it is or as some version had it."""
    place = _place(who, mission_id, name)
    found = await templating.edited(held.database, place, version)
    return await _page(request, held, place, (found, _form(found)), said=said, shown=version)


@router.post(BASE + "/{name}")
async def edit(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    name: str,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    typed: Annotated[Typed, Form()],
) -> Response:
    """Show how a mail reads, send it to who writes it, save it, or take the built-in words."""
    place = _place(who, mission_id, name)
    found = await templating.edited(held.database, place)
    edited = (found, typed.model_dump())
    texts: Texts | None = None
    if typed.do != "reset":
        try:
            texts = typed.body().texts()
        except ValidationError:
            return await _page(request, held, place, edited, wrong="template_wrong_text")
        if wrong := troubles(place[1], texts):
            return await _page(request, held, place, edited, troubles=wrong)
    if typed.do in ("save", "reset"):
        try:
            await templating.save(held.database, who, place, (typed.version, texts), now)
        except Stale:
            return await _page(request, held, place, edited, wrong=STALE)
        return RedirectResponse(f"{_path(place)}?said={typed.do}", 303)
    assert texts is not None
    if typed.do == "test":
        await templating.try_out(held.database, who, place, texts, now)
    example = await _example(held, place, typed.example)
    shown = await templating.preview(held.database, place, texts, example, now)
    return await _page(request, held, place, edited, preview=shown, said=typed.do)


async def _example(
    held: Resources, place: Place, chosen: int | str
) -> tuple[Any, Message, Contact] | None:
    """Find the message that was chosen, and its reader; nobody while registration is away."""
    for message in await templating.examples(held.database, place) if chosen else ():
        if message.id == chosen:
            found = await contacts_of(held.contacts, [message.person_id])
            contact = found.get(message.person_id)
            return (held.letterhead, message, contact) if contact else None
    return None


async def _page(
    request: Request,
    held: Resources,
    place: Place,
    edited: tuple[Edited, dict[str, Any]],
    **said: Any,
) -> Response:
    found, form = edited
    examples = await templating.examples(held.database, place)
    writers = {row["written_by"] for row in found.versions}
    readers = {message.person_id for message in examples}
    wrong: list[Trouble] = said.get("troubles", [])
    response = pages.render(
        request,
        "template.html",
        status=409 if said.get("wrong") == STALE else 422 if wrong or said.get("wrong") else 200,
        mission_id=place[0],
        name=place[1],
        path=_path(place),
        places=sorted(PLACES[place[1]]),
        needed=NEEDED.get(place[1], ()),
        found=found,
        # A save that came too late is decided anew on what is there now.
        form=form | {"version": found.version},
        examples=examples,
        zone=await zone_of(held.database, place[0]),
        contacts=await contacts_of(held.contacts, writers | readers),
        troubles=wrong,
        framed=lambda page: page.replace("<head>", GUARDED, 1),
        said={"said": "", "wrong": "", "preview": None, "shown": None} | said,
    )
    if said.get("preview"):
        response.headers[POLICY] = WITH_STYLES
    return response


def _place(who: Principal, mission_id: UUID, name: str) -> Place:
    require(who, "messages.write", Scope(mission_id=mission_id))
    return mission_id, existing_name(name)


def _path(place: Place) -> str:
    return f"{BASE.format(mission_id=place[0])}/{place[1]}"


def _form(found: Edited) -> dict[str, Any]:
    return {
        f"{field}_{language}": getattr(text, field)
        for language, text in found.texts.items()
        for field in ("subject", "body")
    } | {"example": ""}
