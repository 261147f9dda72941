"""The page on which a person edits an own registration."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands import editing
from services.registration.commands.editing_facts import (
    editor_of,
    person_of,
)
from services.registration.commands.missions import existing_mission
from services.registration.domain.editing import Edit
from services.registration.domain.people import Person, SignUp, shown_address
from services.registration.domain.questions import Facts
from services.registration.pages import form, form_questions
from services.registration.pages.form_view import form_context
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from services.registration.store import editing as store
from services.registration.store import missions, people
from shared.errors import Conflict, Fault, Invalid, Malformed, NotFound, Stale
from shared.http import Caller, Now
from shared.limits import client_of

NO_ADDRESS = "none@example.com"

router = APIRouter(include_in_schema=False)

Row = asyncpg.Record


class Known:
    """What is on file about a registration when its page is shown or sent."""

    registration: Row
    person: Row
    company: Row
    listings: Mapping[str, Any]
    others: Sequence[Row]
    item: Row
    stop: Row
    mission: Row
    is_shared: bool


@router.get("/status/{registration_id}/edit")
async def edit_page(registration_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a person's facts and answers, to be changed."""
    known = await _known(held, registration_id)
    editor_of(who, known.registration)
    return await _page(request, held, known)


@router.post("/status/{registration_id}/edit")
async def edit(
    registration_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Change what was changed on the page; what is wrong is said beside its field."""
    known = await _known(held, registration_id)
    editor = editor_of(who, known.registration)
    asked = await held.forms.of_item(held.database, known.item["id"])
    given = await form.given(request)
    given = await form_questions.keep_files(
        held, client_of(request), known.mission["id"], asked, given, now
    )
    typed = _typed(given, known)
    sheet = await form_questions.sent(held, asked, given, _facts(known, typed["country"]))
    faults = [Fault(f"/answers/{code}", wrong.detail) for code, wrong in sheet.wrong.items()]
    try:
        sign_up = form.read(_as_form(typed))
        _refuse(faults)
        change = _change(known, typed, sign_up, sheet)
        revision = _revision(given)
        answer = await editing.edit(held.database, registration_id, change, revision, editor, now)
    except ValidationError as error:
        return _render(request, known, typed, sheet, [*form.faults_of(error), *faults])
    except Invalid as refusal:
        return _render(request, known, typed, sheet, refusal.faults)
    except Stale:
        return await _page(request, held, await _known(held, registration_id), "edit_stale", 412)
    except Conflict as refusal:
        if refusal.code != "company_is_shared":
            raise
        return _render(request, known, typed, sheet, notice="edit_company_is_shared", status=409)
    kind = "pending" if answer.content["is_pending_again"] else "yes"
    return RedirectResponse(f"/status?saved={kind}", 303)


async def _known(held: Held, registration_id: UUID) -> Known:
    known = Known()
    async with held.database.reading() as connection:
        row = known.registration = await editing.existing(connection, registration_id)
        person = await people.person(connection, row["person_id"])
        if person is None:
            raise NotFound("This person was erased on request.")
        known.person = person
        known.company = await store.organization(connection, row["organization_id"])
        listings = await people.listings_of(connection, row["organization_id"])
        known.listings = {one.kind: one for one in reversed(listings)}
        known.others = await store.of_people(connection, [row["person_id"]])
        known.item = await _required(missions.item(connection, row["programme_item_id"]))
        known.stop = await _required(missions.stop(connection, row["stop_id"]))
        known.mission = await existing_mission(connection, row["mission_id"])
        colleagues = await store.colleagues(connection, row["organization_id"], row["person_id"])
        known.is_shared = bool(colleagues)
    return known


async def _required(reading: Any) -> Row:
    row: Row | None = await reading
    assert row is not None
    return row


def _facts(known: Known, country: str) -> Facts:
    return Facts(
        side="delegation" if known.person["role"] == "delegate" else "local",
        country=country,
        items=[str(row["programme_item_id"]) for row in known.others],
        kinds=[row["item_kind"] for row in known.others],
    )


async def _page(
    request: Request, held: Held, known: Known, notice: str = "", status: int = 200
) -> Response:
    """Show what is on file."""
    asked = await held.forms.of_item(held.database, known.item["id"])
    answers = known.registration["answers"]
    sheet = form_questions.opened(asked, answers, _facts(known, known.company["country"]))
    names = await form_questions.file_names(held, answers.values())
    shown = form_questions.with_files(sheet, names)
    return _render(request, known, _on_file(known), shown, notice=notice, status=status)


def _render(  # noqa: PLR0913  # what is shown, and what is wrong with it
    request: Request,
    known: Known,
    given: Mapping[str, Any],
    sheet: form_questions.Sheet,
    faults: Sequence[Fault] = (),
    *,
    notice: str = "",
    status: int = 0,
) -> Response:
    facts = sheet.facts
    context = form_context(
        request,
        given,
        sheet,
        faults,
        mission=str(known.mission["id"]),
        items=facts.items,
        items_kinds=facts.kinds,
        country=facts.country,
    )
    context["marks_material"] = known.item["requires_approval"]
    return pages.render(
        request,
        "edit.html",
        status=status or (422 if faults else 200),
        registration=known.registration,
        item=known.item,
        stop=known.stop,
        mission=known.mission,
        is_shared=known.is_shared,
        notice=notice,
        **context,
    )


def _on_file(known: Known) -> dict[str, Any]:
    """Give what is on file as the form's fields hold it."""
    person, company = known.person, known.company
    offer, need = known.listings.get("offer"), known.listings.get("need")
    position = person["position"] or {}
    language = person["language"]
    return {
        **dict.fromkeys(form.SINGLE, ""),
        **{name: person[name] or "" for name in ("full_name", "native_name", "language")},
        "email": shown_address(person["email"]),
        "position": position.get(language) or position.get("en") or position.get("zh") or "",
        "languages": person["languages"],
        "organization_name": company["name"],
        "organization_native_name": company["native_name"] or "",
        **{name: company[name] or "" for name in ("country", "registration_number", "size")},
        "sectors": company["sectors"],
        "offer": offer.text.in_(language) or offer.text.zh if offer else "",
        "need": need.text.in_(language) or need.text.zh if need else "",
        "offer_sector": offer.sector if offer else "",
        "need_sector": need.sector if need else "",
        "revision": known.registration["revision"],
        "items": [],
        "consent": True,
    }


def _typed(given: FormData, known: Known) -> dict[str, Any]:
    """Give what was sent, over what the page does not ask."""
    typed = form.shown(given)
    asked = {name: typed[name] for name in (*form.SINGLE, *form.SEVERAL) if name in given}
    several = {name: typed[name] for name in ("languages",)}
    if not known.is_shared:
        several["sectors"] = typed["sectors"]
    kept = _on_file(known)
    fixed = {name: kept[name] for name in ("email", "language", "offer_sector", "need_sector")}
    return {**kept, **asked, **several, **fixed, "revision": given.get("revision", "")}


def _as_form(typed: Mapping[str, Any]) -> FormData:
    """Give the fields as the registration form sends them, to be read by the same rules."""
    # The address is not asked here: of whoever came without one it is not needed either.
    typed = {**typed, "email": typed["email"] or NO_ADDRESS}
    fields: list[tuple[str, Any]] = [(name, str(typed[name])) for name in form.SINGLE]
    fields += [(name, value) for name in ("languages", "sectors") for value in typed[name]]
    return FormData([*fields, ("consent", "yes")])


def _change(
    known: Known, typed: Mapping[str, Any], sign_up: SignUp, sheet: form_questions.Sheet
) -> Edit:
    """Give what was changed; what the form shows as it was is not written anew."""
    before = _on_file(known)
    person = {"full_name", "native_name", "position", "languages"}
    company = {
        *("organization_name", "organization_native_name", "country"),
        *("registration_number", "size", "sectors"),
    }
    listings = {"offer", "need"}

    def differs(names: set[str]) -> bool:
        return any(typed[name] != before[name] for name in names)

    other = tuple(one for kind, one in known.listings.items() if kind not in listings)
    return Edit(
        person=_person(known, sign_up) if differs(person) else None,
        organization=sign_up.organization if differs(company) else None,
        listings=(*sign_up.listings, *other) if differs(listings) else None,
        answers=_answers(sheet),
    )


def _person(known: Known, sign_up: SignUp) -> Person:
    before = person_of(known.person)
    position = sign_up.person.position
    return replace(
        sign_up.person,
        email=before.email,
        latin_name=before.latin_name,
        position=position and {**(before.position or {}), **_said(position)},
    )


def _said(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: text for language, text in texts.items() if text}


def _answers(sheet: form_questions.Sheet) -> dict[str, Any]:
    """Give all that the form asks; None takes back what is hidden or empty now."""
    return {q.code: sheet.answers.get(q.code) for q in sheet.asked.questions}


def _refuse(faults: Sequence[Fault]) -> None:
    if faults:
        raise Invalid("Some answers are missing or wrong.", faults=faults)


def _revision(given: FormData) -> int:
    text = str(given.get("revision", ""))
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise Malformed("The form lacks the revision it was opened at.")
    return int(text)
