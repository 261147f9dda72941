"""The public mission, the registration form, one's own status."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.registration.commands import deciding, files
from services.registration.commands.privacy import texts
from services.registration.commands.registered_before import NOT_TOLD
from services.registration.domain.names import displayed
from services.registration.domain.places import Decision
from services.registration.front import mail_link
from services.registration.pages import form, form_questions, waiting_room
from services.registration.pages.form_view import form_context
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import pages
from services.registration.pages.signing_in import sent, welcomed
from services.registration.resources import Held, Resources
from services.registration.store import calls, registrations
from services.registration.store import missions as store
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.events.base import Language
from shared.http import Caller, Now, Visitor, now
from shared.limits import client_of
from shared.web.pages import language_of

router = APIRouter(include_in_schema=False)


@router.get("/")
async def start(request: Request, held: Held) -> Response:
    """Show the missions that are announced."""
    async with held.database.reading() as connection:
        missions = await store.missions(connection, with_rehearsals=False)
    return pages.render(request, "start.html", missions=missions)


@router.get("/missions/{slug}")
async def mission(slug: str, request: Request, held: Held, now: Now) -> Response:
    """Show a mission to the public."""
    facts = await _mission(held, slug)
    async with held.database.reading() as connection:
        call = await calls.call(connection, facts["mission"]["id"])
    can_apply = call is not None and now < call["closes_at"]
    return pages.render(
        request,
        "mission.html",
        **facts,
        has_call=call is not None,
        can_apply=can_apply,
        open_stops={item["stop_id"] for item in facts["items"] if _takes_people(item, now)},
        now=now,
        moment=on_day(request),
    )


def _takes_people(item: Mapping[str, Any], now: datetime) -> bool:
    return item["ends_at"] > now and not (item["closes_at"] and item["closes_at"] <= now)


async def _mission(held: Resources, slug: str) -> dict[str, Any]:
    async with held.database.reading() as connection:
        found = await store.mission_by_slug(connection, slug)
        if found is None:
            raise NotFound("There is no such mission.")
        return {
            "mission": found,
            "stops": await store.stops_of(connection, found["id"]),
            "items": await store.items_of(connection, found["id"]),
            "roles": await store.roles_of(connection, found["id"]),
        }


@router.get("/missions/{slug}/stops/{stop_slug}/register")
async def registration_form(
    slug: str, stop_slug: str, request: Request, held: Held, now: Now
) -> Response:
    """Show the registration form of a stop; in a rush, when it is somebody's turn."""
    facts = await _stop(held, slug, stop_slug)
    entrance = await waiting_room.enter(request, held, facts["stop"], now)
    if entrance.is_held:
        room = f"/missions/{slug}/stops/{stop_slug}/waiting-room"
        return entrance.keep(RedirectResponse(room, 303))
    given = form.empty(facts["items"], facts["mission"]["host_country"])
    asked = await held.forms.of_stop(held.database, facts["stop"]["id"])
    sheet = form_questions.opened(asked, {}, form.facts_of(given, facts["items"]))
    return entrance.keep(_form(request, facts, given | {"key": uuid4(), **entrance.fields}, sheet))


@router.post("/missions/{slug}/stops/{stop_slug}/register")
async def register(
    slug: str, stop_slug: str, request: Request, held: Held, who: Visitor, now: Now
) -> Response:
    """Register somebody who filled in the form; what is wrong is said beside its field."""
    facts = await _stop(held, slug, stop_slug)
    asked = await held.forms.of_stop(held.database, facts["stop"]["id"])
    mission_id = facts["mission"]["id"]
    given = await form.given(request)
    passage = await waiting_room.passing(request, held, facts["stop"], given, now)
    given = await form_questions.keep_files(held, client_of(request), mission_id, asked, given, now)
    typed = form.shown(given) | {"key": given.get("key", ""), **passage.fields}
    sheet = await form_questions.sent(held, asked, given, form.facts_of(typed, facts["items"]))
    if passage.refused:
        return _form(request, facts, typed, sheet, refused=passage.refused)
    try:
        sign_up, chosen = form.filled(given, facts["items"], sheet.wrong)
        answers = [
            await held.rush.register(
                item_id,
                replace(sign_up, answers=sheet.of_item(item_id), by=who.subject if who else None),
                passage.key(form.key(given, item_id), sign_up.person.email),
                now,
            )
            for item_id in chosen
        ]
    except Invalid as error:
        return _form(request, facts, typed, sheet, error.faults, passage.why(error))
    except Conflict as conflict:
        if conflict.code not in NOT_TOLD:
            return _form(request, facts, typed, sheet, refused=conflict.code)
        # A delegate's or a colleague's address, or whose owner took consent back: it is not said.
        answers = []
    if not any(answer.content["is_new"] for answer in answers):
        # Whoever types an address that is on file has not shown that it is theirs.
        await mail_link(held, mission_id, sign_up.person.email, now)
        return passage.leave(sent(request, held, facts["mission"], sign_up.person.email))
    person_id = UUID(answers[0].content["participant_id"])
    claimed = await files.claim(held.database, sheet.answers, person_id)
    held.limits.file_bytes.give_back(client_of(request), claimed)
    return passage.leave(await welcomed(request, held, person_id, "/status?new=1", now))


async def _stop(held: Resources, slug: str, stop_slug: str) -> form.StopFacts:
    facts = await _mission(held, slug)
    async with held.database.reading() as connection:
        facts["texts"] = await texts(connection, facts["mission"]["id"])
    return form.stop_facts(facts, stop_slug)


def _form(
    request: Request,
    facts: form.StopFacts,
    given: dict[str, Any],
    sheet: form_questions.Sheet,
    faults: Sequence[Fault] = (),
    refused: str = "",
) -> Response:
    kinds = {str(item["id"]): item["kind"] for item in facts["items"]}
    context = form_context(
        request, given, sheet, faults, mission=str(facts["mission"]["id"]), kinds=kinds
    )
    status = 422 if faults else 409 if refused else 200
    return pages.render(
        request,
        "register.html",
        status=status,
        **facts,
        **context,
        refused=refused,
        is_over=bool(facts["items"]) and all(item["ends_at"] <= now() for item in facts["items"]),
    )


@router.get("/status")
async def status(
    request: Request,
    held: Held,
    who: Caller,
    *,
    new: bool = False,
    saved: Literal["", "yes", "pending"] = "",
    late: bool = False,
) -> Response:
    """Show somebody's own registrations."""
    async with held.database.reading() as connection:
        found = await registrations.all_of_person(connection, who.subject)
        groups = await registrations.groups_of_person(connection, who.subject)
    language: Language = "zh" if language_of(request) == "zh" else "en"
    together: dict[UUID, list[str]] = {}
    for row in groups:
        name = displayed(row["full_name"], row["native_name"], row["latin_name"], language)
        together.setdefault(row["registration_id"], []).append(name)
    return pages.render(
        request,
        "status.html",
        registrations=found,
        together=together,
        moment=on_day(request),
        role=who.role,
        is_new=new,
        saved=saved,
        is_late=late,
    )


@router.post("/status/{registration_id}/cancel")
async def cancel(registration_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Cancel one's own registration."""
    return await _decide(held, who, registration_id, Decision.CANCEL, now)


@router.post("/status/{registration_id}/accept")
async def accept(registration_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Take the place that was offered."""
    return await _decide(held, who, registration_id, Decision.ACCEPT, now)


async def _decide(
    held: Resources, who: Principal, registration_id: UUID, decision: Decision, now: Now
) -> Response:
    async with held.database.reading() as connection:
        found = await deciding.existing(connection, registration_id)
    require(who, "registration.cancel", Scope(person_ids=(found["person_id"],)))
    try:
        await deciding.decide(held.database, registration_id, decision, who, now)
    except Conflict:
        # The page was older than the registration: it says itself what is true now.
        return RedirectResponse("/status?late=1", 303)
    return RedirectResponse("/status", 303)
