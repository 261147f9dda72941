"""Signing in by a link, asking for one, signing out."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from services.registration.commands import signing_in
from services.registration.commands.signing_in import Opened
from services.registration.domain.names import displayed
from services.registration.front import count_link_request
from services.registration.pages import browsers
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import missions as store
from shared.access import Principal, Role
from shared.errors import Forbidden
from shared.events.base import Language
from shared.http import Now, Visitor, is_from_our_pages
from shared.limits import client_of
from shared.web.pages import language_of

TOKEN_LENGTH_MAX = 4_000

HOMES: dict[Role, str] = {
    "mission_staff": "/desk",
    "partner_staff": "/desk",
    "door_staff": "/desk",
    "delegate": "/day",
    "local": "/day",
    "interpreter": "/day",
    "applicant": "/applications",
}

SCANNING: frozenset[Role] = frozenset({"mission_staff", "partner_staff", "door_staff"})
"""Whose browser may hold scans that are not sent yet; the scanning page forgets the rest itself."""

router = APIRouter(include_in_schema=False)


@router.get("/sign-in")
async def sign_in(
    request: Request,
    held: Held,
    who: Visitor,
    now: Now,
    token: str | None = None,
    next: str = "",  # noqa: A002
) -> Response:
    """Sign in by a link, after a question where the browser does not know its reader.

    Without a link, ask for the address to send one to.
    """
    if token is None:
        async with held.database.reading() as connection:
            missions = await store.missions(connection, with_rehearsals=False)
        return pages.render(request, "sign_in.html", missions=missions, next=browsers.ours(next))
    link = await signing_in.opened(held.database, held.tokens, token)
    if browsers.knows(request, held, link, who):
        return _signed_in(request, held, link, next, now)
    return await _question(request, held, link, who, token, next)


@router.post("/sign-in/continue")
async def go_on(
    request: Request,
    held: Held,
    now: Now,
    token: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)],
    next: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)] = "",  # noqa: A002
) -> Response:
    """Sign in by a link whose reader has said so."""
    if not is_from_our_pages(request):
        raise Forbidden("Open the link from your e-mail.")
    link = await signing_in.opened(held.database, held.tokens, token)
    return _signed_in(request, held, link, next, now)


async def _question(
    request: Request,
    held: Resources,
    link: Opened,
    who: Principal | None,
    token: str,
    to: str,
) -> Response:
    async with held.database.reading() as connection:
        mission_id = link.who.mission_id
        mission = await store.mission(connection, mission_id) if mission_id else None
        other = await signing_in.on_file(connection, who.subject) if who else None
    response = pages.render(
        request,
        "sign_in_question.html",
        token=token,
        next=to,
        role=link.who.role,
        name=_name(request, link),
        mission=mission,
        other=_name(request, other or Opened(who)) if who else "",
    )
    # It holds a link, and is of no use a second time.
    response.headers["Cache-Control"] = "no-store"
    return response


def _name(request: Request, link: Opened) -> str:
    language: Language = "zh" if language_of(request) == "zh" else "en"
    person: Any = link.person
    if person is None:
        return pages.text(f"audit_role_{link.who.role}", language)
    return displayed(person["full_name"], person["native_name"], person["latin_name"], language)


@router.post("/sign-in")
async def ask_for_link(
    request: Request,
    held: Held,
    now: Now,
    mission_id: Annotated[UUID, Form()],
    email: Annotated[str, Form(max_length=320)],
    next: Annotated[str, Form(max_length=TOKEN_LENGTH_MAX)] = "",  # noqa: A002
) -> Response:
    """Have a sign-in link sent to the address on file; the browser keeps where it is to lead."""
    count_link_request(held, client_of(request), email)
    await signing_in.ask_for_link(held.database, mission_id, email, now)
    response = sent(request, held, None, email)
    if is_from_our_pages(request):
        browsers.keep_way(held, response, browsers.ours(next))
    return response


def sent(request: Request, held: Resources, mission: Any, email: str) -> Response:
    """Say that a link is on its way, if the address is on file; here it opens at once."""
    response = pages.render(request, "sent.html", mission=mission)
    if is_from_our_pages(request):
        browsers.know(held, response, email)
    return response


async def welcomed(
    request: Request, held: Resources, person_id: UUID, to: str, now: datetime
) -> Response:
    """Sign in who has just come to be on file, and lead on; from another site's form, ask first."""
    async with held.database.reading() as connection:
        link = await signing_in.on_file(connection, person_id)
    assert link is not None
    if is_from_our_pages(request):
        return _signed_in(request, held, link, to, now)
    path = signing_in.sign_in_path(held.tokens, link.who, now)
    return RedirectResponse(f"{path}&next={quote(to, safe='')}", 303)


@router.post("/sign-out")
async def sign_out(held: Held, who: Visitor, now: Now) -> Response:
    """Forget who is signed in on this browser, and what its pages kept there."""
    response = RedirectResponse("/", 303)
    # Another site's form comes without the cookie, and must not sign anybody out.
    if who is not None:
        await signing_in.end(held.database, who, now)
        kept = '"cache"' if who.role in SCANNING else '"cache", "storage"'
        response.headers["Clear-Site-Data"] = kept
        browsers.forget(response)
    return response


@router.get("/home")
async def home(who: Visitor) -> Response:
    """Lead to the page that somebody's role works with."""
    return RedirectResponse(_home(who) if who else "/sign-in", 303)


def _home(who: Principal) -> str:
    if who.role == "screen" and who.stop_ids:
        return f"/screen/{who.stop_ids[0]}"
    return HOMES.get(who.role, "/")


def _signed_in(request: Request, held: Resources, link: Opened, to: str, now: datetime) -> Response:
    onward = browsers.ours(to) or browsers.way(request) or _home(link.who)
    response = RedirectResponse(onward, 303)
    browsers.lose_way(request, response)
    browsers.keep_session(held, response, held.tokens.sign(link.who, "session", now))
    browsers.know(held, response, browsers.reader_of(link))
    return response
