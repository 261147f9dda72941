"""Selecting: what mission staff publishes, reviews, compares and decides."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.registration.application_bodies import BothLongTexts
from services.registration.commands.applications import (
    applying,
    calls,
    deciding,
    letters,
    reviewing,
)
from services.registration.commands.applications.deciding import Decision
from services.registration.commands.applications.letters import Invitation
from services.registration.commands.missions import existing_mission
from services.registration.domain.applications import (
    CERTIFICATIONS,
    HOLDS_A_PLACE,
    NEEDS_A_MESSAGE,
    REVIEWABLE,
    Action,
    Actor,
    Status,
    actions,
)
from services.registration.domain.reviews import SCALE
from services.registration.pages import applying_form, selecting_form
from services.registration.pages.form import given as sent
from services.registration.pages.moments import on_day, only_day
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.pages.visit import NONE, Trouble, Visit
from services.registration.resources import Held
from services.registration.store import applications as store
from services.registration.store import letters as letter_store
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Invalid, Malformed, Stale
from shared.http import Caller, Now

router = APIRouter(include_in_schema=False)

BY_FORM = frozenset(Action) - {Action.SUBMIT, Action.LAPSE, Action.ANSWER}
ORDER = tuple(Status)
FOR_GOOD = frozenset({Action.REJECT, Action.WITHDRAW, Action.DECLINE})
"""What a thumb must not do by mistake: the company is told at once, its place may be gone."""


@router.get("/desk/missions/{mission_id}/applications")
async def applications_page(
    mission_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    status: Status | None = None,
) -> Response:
    """Show a mission's applications, the best first, and how its number stands."""
    require(who, "application.review", Scope(mission_id))
    async with held.database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        call = await calls.published(connection, mission)
        if call is None:
            return RedirectResponse(f"/desk/missions/{mission_id}/call", 303)
        ranked = await reviewing.ranking(connection, call, who, status)
        standing = await deciding.standing(connection, call, now)
        reserve = await store.reserve_list(connection, mission_id)
    return pages.render(
        request,
        "applications.html",
        mission=mission,
        call=call,
        ranked=ranked,
        standing=standing,
        reserve=reserve,
        chosen=status,
        states=[one for one in ORDER if standing.counts.get(one)],
        countries=COUNTRIES,
        only_day=only_day(request),
    )


@router.post("/desk/missions/{mission_id}/reserve-list")
async def move_up(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Move a company one place up on the reserve list."""
    require(who, "application.decide", Scope(mission_id))
    up = _id((await sent(request)).get("up"))
    async with held.database.reading() as connection:
        order = await store.reserve_list(connection, mission_id)
    await deciding.reorder(held.database, mission_id, selecting_form.moved_up(order, up), who, now)
    back = f"/desk/missions/{mission_id}/applications?status=reserve_listed"
    return RedirectResponse(back, 303)


@router.get("/desk/applications/{application_id}")
async def application_desk(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Show an application beside its scores, with what may be decided now."""
    return await _desk(Visit(request, held, who, now), application_id)


async def _desk(
    visit: Visit,
    application_id: UUID,
    trouble: Trouble = NONE,
    given: Mapping[str, str] | None = None,
) -> Response:
    """Show the page; what was typed when something was refused is shown again."""
    request, who = visit.request, visit.who
    async with visit.held.database.reading() as connection:
        row = await _required(connection, who, application_id, "application.review")
        call = await calls.existing(connection, row["mission_id"])
        board = await reviewing.board(connection, row, call, who)
        standing = await deciding.standing(connection, call, visit.now)
        steps = await store.steps(connection, application_id)
        signed = await store.attestations(connection, application_id)
        issued = await letter_store.of_application(connection, application_id)
    status = Status(row["status"])
    return pages.render(
        request,
        "application_desk.html",
        status=trouble.status,
        application=row,
        call=call,
        mission=call.mission,
        board=board,
        standing=standing,
        steps=steps,
        signed=signed,
        letters=issued,
        may=[one.value for one in actions(status, Actor.STAFF)],
        for_good=[one.value for one in actions(status, Actor.STAFF) if one in FOR_GOOD],
        needs_message={one.value for one in NEEDS_A_MESSAGE},
        given=given or {},
        can_review=status in REVIEWABLE and not (board.mine and board.mine.is_abstention),
        can_invite=status in HOLDS_A_PLACE,
        scale=SCALE,
        refusal=trouble.code,
        wrong=trouble.wrong,
        countries=COUNTRIES,
        on_day=on_day(request),
    )


@router.post("/desk/applications/{application_id}/decide")
async def decide(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Decide about an application on the revision that was shown."""
    async with held.database.reading() as connection:
        await _required(connection, who, application_id, "application.decide")
    given = await sent(request)
    try:
        action = Action(str(given.get("action", "")))
        revision = int(str(given.get("revision", "")))
    except ValueError:
        raise Malformed("The form lacks an action or a revision.") from None
    if action not in BY_FORM:
        raise Malformed("This is nothing that staff decides.")
    visit = Visit(request, held, who, now)
    message = str(given.get("message", "")).strip()[:4_000] or None
    decision = Decision(action, Actor.STAFF, who, message, revision)
    try:
        await deciding.decide(held.database, application_id, decision, now)
    except Invalid:
        trouble = Trouble(frozenset({"message"}))
        return await _desk(visit, application_id, trouble, selecting_form.shown(given))
    except (Conflict, Stale) as refusal:
        trouble = Trouble(refusal=refusal)
        return await _desk(visit, application_id, trouble, selecting_form.shown(given))
    return RedirectResponse(f"/desk/applications/{application_id}", 303)


@router.post("/desk/applications/{application_id}/review")
async def review(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Give one's review, or abstain; then the others' are shown."""
    async with held.database.reading() as connection:
        await _required(connection, who, application_id, "application.review")
    given, visit = await sent(request), Visit(request, held, who, now)
    try:
        body = selecting_form.review(given)
        if body.abstain:
            await reviewing.abstain(held.database, application_id, who, now)
        else:
            scored = [(one.criterion_id, one.score, one.comment) for one in body.scores]
            await reviewing.review(held.database, application_id, who, scored, now)
    except (ValidationError, Invalid):
        trouble = Trouble(frozenset({"scores"}))
        return await _desk(visit, application_id, trouble, selecting_form.shown(given))
    except Conflict as refusal:
        return await _desk(visit, application_id, Trouble(refusal=refusal))
    return RedirectResponse(f"/desk/applications/{application_id}#reviews", 303)


@router.post("/desk/applications/{application_id}/letters")
async def issue(
    application_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Issue an invitation letter."""
    async with held.database.reading() as connection:
        await _required(connection, who, application_id, "application.decide")
    given, visit = await sent(request), Visit(request, held, who, now)
    try:
        invitation = Invitation(selecting_form.letter(given).model_dump(), who)
        await letters.issue(held.database, held.tokens, application_id, invitation, now)
    except (ValidationError, Invalid):
        trouble = Trouble(frozenset({"letter"}))
        return await _desk(visit, application_id, trouble, selecting_form.shown(given))
    except Conflict as refusal:
        return await _desk(visit, application_id, Trouble(refusal=refusal))
    return RedirectResponse(f"/desk/applications/{application_id}#letters", 303)


@router.post("/desk/letters/{letter_id}/revoke")
async def revoke(letter_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Take a letter back."""
    async with held.database.reading() as connection:
        letter = await letters.existing_letter(connection, letter_id)
    require(who, "application.decide", Scope(letter["mission_id"]))
    await letters.revoke(held.database, letter_id, who, now)
    return RedirectResponse(f"/desk/applications/{letter['application_id']}#letters", 303)


@router.get("/desk/missions/{mission_id}/call")
async def call_page(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Show the form of a mission's call, and the texts that companies certify."""
    return await _call(Visit(request, held, who, now), mission_id)


async def _call(
    visit: Visit,
    mission_id: UUID,
    given: dict[str, Any] | None = None,
    trouble: Trouble = NONE,
    news: str = "",
) -> Response:
    request, who = visit.request, visit.who
    require(who, "application.decide", Scope(mission_id))
    async with visit.held.database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        call = await calls.published(connection, mission)
        texts = await _texts(connection, mission_id)
    values = given or {}
    if "timezone" not in values:
        values = selecting_form.kept(call) | values
    revision = call.row["revision"] if call else 0
    # What was typed with a fault is still decided on what was shown then.
    if given and not trouble.refusal and news != "call_published_texts_not":
        revision = given.get("revision", revision)
    return pages.render(
        request,
        "call.html",
        status=trouble.status,
        mission=mission,
        call=call,
        texts=texts,
        written=_written(texts) | {name: text for name, text in values.items() if name in _TEXTS},
        codes=CERTIFICATIONS,
        given=values,
        revision=revision,
        wrong=trouble.wrong,
        refusal=trouble.code,
        zones=selecting_form.ZONES,
        lines=lambda name: selecting_form.lines(values, name),
        news=news or ("call_saved" if request.query_params.get("saved") == "1" else ""),
    )


@router.post("/desk/missions/{mission_id}/call")
async def publish(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Publish a mission's call."""
    require(who, "application.decide", Scope(mission_id))
    given, visit = await sent(request), Visit(request, held, who, now)
    shown = selecting_form.shown(given)
    try:
        body = selecting_form.call(given)
        seen = applying_form.revision(given)
        await calls.publish(held.database, mission_id, body.model_dump(), seen, who, now)
    except (ValidationError, Invalid) as error:
        found = applying_form.faults(error)
        wrong = frozenset(fault.pointer.lstrip("/").partition("/")[0] or "order" for fault in found)
        return await _call(visit, mission_id, shown, Trouble(wrong))
    except (Conflict, Stale) as refusal:
        return await _call(visit, mission_id, shown, Trouble(refusal=refusal))
    async with held.database.reading() as connection:
        texts = await _texts(connection, mission_id)
    if selecting_form.are_texts_unpublished(shown, _written(texts)):
        return await _call(visit, mission_id, shown, news="call_published_texts_not")
    return RedirectResponse(f"/desk/missions/{mission_id}/call?saved=1", 303)


@router.post("/desk/missions/{mission_id}/call/certifications")
async def publish_texts(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Publish the texts that companies certify; each that changed gets a new version."""
    require(who, "application.decide", Scope(mission_id))
    given = selecting_form.shown(await sent(request))
    visit = Visit(request, held, who, now)
    try:
        texts = [
            (code, BothLongTexts(en=given[f"{code}_en"], zh=given[f"{code}_zh"]).model_dump())
            for code in CERTIFICATIONS
        ]
    except (KeyError, ValidationError):
        trouble = Trouble(frozenset({"certifications"}))
        return await _call(visit, mission_id, given, trouble)
    for text in texts:
        await calls.put_certification(held.database, mission_id, text, who, now)
    async with held.database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        call = await calls.published(connection, mission)
    if "revision" in given and selecting_form.is_call_unpublished(given, call):
        return await _call(visit, mission_id, given, news="texts_published_call_not")
    return RedirectResponse(f"/desk/missions/{mission_id}/call?saved=1", 303)


async def _texts(connection: Any, mission_id: UUID) -> dict[str, asyncpg.Record]:
    return {row["code"]: row for row in await calls.texts(connection, mission_id)}


_TEXTS = frozenset(f"{code}_{language}" for code in CERTIFICATIONS for language in ("en", "zh"))


def _written(texts: Mapping[str, asyncpg.Record]) -> dict[str, str]:
    """Give each text to certify as it is published, or else as it is proposed."""
    return {
        f"{code}_{language}": texts[code]["content"][language]
        if code in texts
        else pages.text(f"proposed_{code}", language)
        for code in CERTIFICATIONS
        for language in ("en", "zh")
    }


def _id(given: object) -> UUID:
    try:
        return UUID(str(given))
    except ValueError:
        raise Malformed("This is no id.") from None


async def _required(
    connection: Any, who: Principal, application_id: UUID, action: Any
) -> asyncpg.Record:
    row = await applying.existing(connection, application_id)
    require(who, action, Scope(row["mission_id"], person_ids=(row["contact_id"],)))
    return row
