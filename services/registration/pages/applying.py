"""Applying: the public call, a company's draft, its state, and what it answers."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands.applications import applying, calls, deciding
from services.registration.commands.applications.deciding import Decision
from services.registration.domain.applications import (
    EDITABLE,
    SIGNABLE,
    Action,
    Actor,
    Status,
    actions,
)
from services.registration.domain.applying import outdated
from services.registration.front import count_draft, mail_link
from services.registration.pages import applying_form
from services.registration.pages.applying_places import places
from services.registration.pages.form import given as sent
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.pages.signing_in import sent as link_sent
from services.registration.pages.signing_in import welcomed
from services.registration.pages.visit import NONE, Trouble, Visit
from services.registration.resources import Held, Resources
from services.registration.store import applications as store
from services.registration.store import letters, missions
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Invalid, NotFound, Stale
from shared.http import Caller, Now, Visitor
from shared.idempotency import Key
from shared.web.pages import language_of

router = APIRouter(include_in_schema=False)

ANSWERS = frozenset({Action.ANSWER, Action.CONFIRM, Action.DECLINE, Action.WITHDRAW})


@router.get("/missions/{slug}/apply")
async def call_page(slug: str, request: Request, held: Held, who: Visitor, now: Now) -> Response:
    """Show what a mission expects of companies, and how to begin an application."""
    return await _call(request, held, slug, who, now=now)


async def _call(  # noqa: PLR0913  # a page and what was wrong with it
    request: Request,
    held: Resources,
    slug: str,
    who: Principal | None,
    *,
    now: datetime,
    given: FormData | None = None,
    trouble: Trouble = NONE,
) -> Response:
    async with held.database.reading() as connection:
        mission = await _mission(connection, slug)
        call = await calls.published(connection, mission)
        own = await store.of_contact(connection, who.subject) if who else None
    return pages.render(
        request,
        "apply.html",
        status=trouble.status,
        mission=mission,
        call=call,
        own=own if own and own["mission_id"] == mission["id"] else None,
        is_open=call is not None and call.terms.is_open(now),
        is_over=call is not None and now >= call.terms.closes_at,
        given=applying_form.start_values(given),
        wrong=trouble.wrong,
        places=places(trouble.wrong, call, language_of(request)),
        key=(given.get("key") if given else None) or uuid4(),
        on_day=on_day(request),
    )


@router.post("/missions/{slug}/apply", dependencies=[Depends(count_draft)])
async def begin(slug: str, request: Request, held: Held, who: Visitor, now: Now) -> Response:
    """Begin an application and go on with it; an address on file gets a link instead."""
    given = await sent(request)
    async with held.database.reading() as connection:
        mission = await _mission(connection, slug)
    try:
        body = applying_form.start(given)
    except ValidationError as error:
        wrong = applying_form.wrong(applying_form.faults(error))
        return await _call(request, held, slug, who, now=now, given=given, trouble=Trouble(wrong))
    key = _key(given, mission)
    try:
        answer = await applying.start(
            held.database, mission["id"], body.person(), body.company, key, now
        )
    except Conflict as refusal:
        # The call has closed meanwhile: the page says so.
        trouble = Trouble(refusal=refusal)
        return await _call(request, held, slug, who, now=now, given=given, trouble=trouble)
    if "id" not in answer.content:
        # Whoever types an address that is on file has not shown that it is theirs.
        await mail_link(held, mission["id"], body.email, now)
        return link_sent(request, held, mission, body.email)
    contact_id = UUID(answer.content["contact_id"])
    onward = f"/applications/{answer.content['id']}?new=1"
    return await welcomed(request, held, contact_id, onward, now)


def _key(given: FormData, mission: asyncpg.Record) -> Key:
    """Make the idempotency key of a form: pressed twice it is one application."""
    digest = hashlib.sha256(
        repr(sorted((name, str(value)) for name, value in given.multi_items())).encode()
    )
    scope = f"application {mission['id']}"
    return Key(scope, digest.hexdigest(), digest.digest(), is_patient=True)


@router.get("/applications")
async def own_application(held: Held, who: Caller) -> Response:
    """Lead somebody to his or her application."""
    async with held.database.reading() as connection:
        row = await store.of_contact(connection, who.subject)
    if row is None:
        raise NotFound("There is no application in your name.")
    return RedirectResponse(f"/applications/{row['id']}", 303)


@router.get("/applications/{application_id}")
async def application_page(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Show a company its application: what it wrote, how it stands, what it can do."""
    return await _application(Visit(request, held, who, now), application_id)


async def _application(
    visit: Visit,
    application_id: UUID,
    given: FormData | None = None,
    trouble: Trouble = NONE,
) -> Response:
    request, now = visit.request, visit.now
    async with visit.held.database.reading() as connection:
        row = await _own(connection, visit.who, application_id)
        call = await calls.existing(connection, row["mission_id"])
        steps = await store.steps(connection, application_id)
        signed = await store.attestations(connection, application_id)
        own_letters = await letters.of_application(connection, application_id)
    status = Status(row["status"])
    kept = applying_form.kept(row, language_of(request))
    may = [action for action in actions(status, Actor.APPLICANT) if action in ANSWERS]
    return pages.render(
        request,
        "application.html",
        status=trouble.status,
        application=row,
        call=call,
        mission=call.mission,
        steps=steps,
        signed=signed,
        letters=own_letters,
        can_edit=status in EDITABLE and call.terms.is_open(now),
        to_sign=_to_sign(status, signed, call),
        can=[action.value for action in may if action is not Action.CONFIRM or _in_time(row, now)],
        given=kept | applying_form.shown(given) if given is not None else kept,
        certified=_certified(given),
        wrong=trouble.wrong,
        places=places(trouble.wrong, call, language_of(request)),
        refusal=trouble.code,
        is_sent=request.query_params.get("sent") == "1",
        is_new=request.query_params.get("new") == "1",
        is_saved=request.query_params.get("saved") == "1",
        countries=COUNTRIES,
        on_day=on_day(request),
    )


@router.post("/applications/{application_id}")
async def save(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Save what was written; with the other button, sign and submit it."""
    async with held.database.reading() as connection:
        await _own(connection, who, application_id)
    given, visit = await sent(request), Visit(request, held, who, now)
    database, seen = held.database, applying_form.revision(given)
    is_draft, saved = given.get("do") != "submit", None
    try:
        body = applying_form.body(given)
        saved = await applying.save(
            database, application_id, body.content(), body.person(), seen, now
        )
        if not is_draft:
            signature = applying_form.signature(given, language_of(request)).value()
            await applying.submit(database, application_id, signature, saved, now)
    except (ValidationError, Invalid) as error:
        found = list(applying_form.faults(error))
        if saved is not None:
            # All at once: a phone shows a small part of this form at a time.
            found += await applying.lacking(database, application_id, _certified(given))
        return await _application(visit, application_id, given, Trouble(applying_form.wrong(found)))
    except (Conflict, Stale) as refusal:
        return await _application(visit, application_id, given, Trouble(refusal=refusal))
    what = "saved" if is_draft else "sent"
    return RedirectResponse(f"/applications/{application_id}?{what}=1", 303)


@router.post("/applications/{application_id}/sign")
async def sign_again(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Sign the texts that have changed since they were signed."""
    async with held.database.reading() as connection:
        await _own(connection, who, application_id)
    given, visit = await sent(request), Visit(request, held, who, now)
    try:
        signature = applying_form.signature(given, language_of(request)).value()
        await applying.sign_again(
            held.database, application_id, signature, applying_form.revision(given), now
        )
    except (ValidationError, Invalid) as error:
        wrong = applying_form.wrong(applying_form.faults(error))
        return await _application(visit, application_id, given, Trouble(wrong))
    except (Conflict, Stale) as refusal:
        return await _application(visit, application_id, given, Trouble(refusal=refusal))
    return RedirectResponse(f"/applications/{application_id}", 303)


@router.post("/applications/{application_id}/{action}")
async def act(
    application_id: UUID, action: Action, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Do what a company may do about its application: answer, confirm, decline, withdraw."""
    if action not in ANSWERS:
        raise NotFound("There is no such page.")
    async with held.database.reading() as connection:
        await _own(connection, who, application_id)
    given, visit = await sent(request), Visit(request, held, who, now)
    message = str(given.get("message", "")).strip()[:4_000] or None
    decision = Decision(action, Actor.APPLICANT, who, message, applying_form.revision(given))
    try:
        await deciding.decide(held.database, application_id, decision, now)
    except Invalid as error:
        wrong = applying_form.wrong(error.faults)
        return await _application(visit, application_id, None, Trouble(wrong))
    except (Conflict, Stale) as refusal:
        return await _application(visit, application_id, None, Trouble(refusal=refusal))
    return RedirectResponse(f"/applications/{application_id}", 303)


def _certified(given: FormData | None) -> set[str]:
    return {
        name.removeprefix("certify.")
        for name, version in (given.multi_items() if given else ())
        if name.startswith("certify.") and version
    }


def _to_sign(
    status: Status, signed: Sequence[asyncpg.Record], call: calls.Call
) -> Sequence[asyncpg.Record]:
    """List the texts that changed after they were signed."""
    if status not in SIGNABLE:
        return ()
    # In order of signing: of each text the last counts.
    codes = outdated({one["code"]: one["version"] for one in signed}, call.versions)
    return [text for text in call.certifications if text["code"] in codes]


def _in_time(row: asyncpg.Record, now: datetime) -> bool:
    return row["confirm_by"] is None or now < row["confirm_by"]


async def _mission(connection: Any, slug: str) -> asyncpg.Record:
    mission = await missions.mission_by_slug(connection, slug)
    if mission is None:
        raise NotFound("There is no such mission.")
    return mission


async def _own(connection: Any, who: Principal, application_id: UUID) -> asyncpg.Record:
    row = await applying.existing(connection, application_id)
    require(who, "application.write", Scope(row["mission_id"], person_ids=(row["contact_id"],)))
    return row
