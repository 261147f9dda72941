"""Privacy as people see it: their own page, and what staff sees of a person and of a mission."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from services.registration.commands import privacy as commands
from services.registration.commands import retention
from services.registration.commands.missions import existing_mission
from services.registration.domain.consents import Basis, ConsentText
from services.registration.domain.retention import RULES
from services.registration.pages import browsers
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import consents, registrations
from services.registration.store import privacy as store
from shared.access import Action, Principal, Scope, require
from shared.errors import Fault, Invalid, Malformed
from shared.events.base import Language
from shared.http import Caller, Now
from shared.web.pages import language_of

router = APIRouter(include_in_schema=False)

_MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d[.\d]*\+00:00$")

HIDDEN = frozenset(
    {"search", "core", "identity", "digest", "asked", "version", "revision", "rank", "live"}
)
"""Columns that say nothing to a reader, as ids do not; the file that is taken away has them."""


@router.get("/my/privacy")
async def mine(request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show what somebody agreed to, with what follows from taking it back."""
    async with held.database.reading() as connection:
        person = await commands.existing_person(connection, who.subject)
        require(who, "privacy.export", Scope(person_ids=(who.subject,)))
        texts = await commands.texts(connection, person["mission_id"])
        said = await consents.of_person(connection, who.subject)
        ending = set(await store.active_registrations(connection, who.subject, now))
        all_ = await registrations.all_of_person(connection, who.subject)
    return pages.render(
        request,
        "privacy.html",
        purposes=[_purpose(text, said) for text in texts],
        ending=[one for one in all_ if one["id"] in ending],
        now=now,
    )


def _purpose(text: ConsentText, said: Sequence[store.Row]) -> dict[str, Any]:
    """Put a text beside the last thing that was said to it."""
    about = [row for row in said if row["purpose"] == text.purpose]
    in_force = next((row for row in about if row["withdrawn_at"] is None), None)
    ended = max((row["withdrawn_at"] for row in about if row["withdrawn_at"]), default=None)
    return {
        "text": text,
        "given": in_force,
        "is_old": in_force is not None and in_force["text_version"] != text.version,
        "ended_at": None if in_force else ended,
    }


@router.post("/my/privacy/consents/{purpose}")
async def agree(
    purpose: str,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    version: Annotated[str, Form(max_length=40)],
) -> Response:
    """Agree to a text in the version that the page showed."""
    require(who, "privacy.consent", Scope(person_ids=(who.subject,)))
    language = cast(Language, language_of(request))
    await commands.give(held.database, who.subject, purpose, version, language, now)
    return RedirectResponse("/my/privacy", 303)


@router.post("/my/privacy/consents/{purpose}/withdraw")
async def take_back(purpose: str, held: Held, who: Caller, now: Now) -> Response:
    """Take back what was agreed to."""
    require(who, "privacy.withdraw", Scope(person_ids=(who.subject,)))
    await commands.withdraw(held.database, who.subject, purpose, who, now)
    return RedirectResponse("/my/privacy", 303)


@router.get("/my/privacy/data")
async def my_data(request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show all that is held about oneself."""
    require(who, "privacy.export", Scope(person_ids=(who.subject,)))
    return await _data(request, held, who.subject, who, now)


@router.get("/my/privacy/data.json")
async def my_file(held: Held, who: Caller, now: Now) -> Response:
    """Give all that is held about oneself as a file."""
    require(who, "privacy.export", Scope(person_ids=(who.subject,)))
    return await _file(held, who.subject, who, now)


@router.post("/my/privacy/erase")
async def erase_me(
    held: Held, who: Caller, now: Now, sure: Annotated[str, Form(max_length=3)] = ""
) -> Response:
    """Forget oneself, and sign out."""
    require(who, "privacy.erase", Scope(person_ids=(who.subject,)))
    _be_sure(sure)
    await commands.erase(held.database, who.subject, who, now)
    response = RedirectResponse("/", 303)
    browsers.forget(response)
    return response


@router.get("/desk/people/{person_id}/privacy")
async def data_of(person_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show mission staff all that is held about somebody who asks for it."""
    await _require(held, who, "privacy.export", person_id)
    return await _data(request, held, person_id, who, now)


@router.get("/desk/people/{person_id}/privacy.json")
async def file_of(person_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Give the same as a file, to be handed on to the person."""
    await _require(held, who, "privacy.export", person_id)
    return await _file(held, person_id, who, now)


@router.post("/desk/people/{person_id}/erase")
async def erase(
    person_id: UUID,
    held: Held,
    who: Caller,
    now: Now,
    sure: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Forget somebody who asks for it."""
    await _require(held, who, "privacy.erase", person_id)
    _be_sure(sure)
    await commands.erase(held.database, person_id, who, now)
    return RedirectResponse(f"/desk/people/{person_id}/privacy", 303)


@router.get("/desk/missions/{mission_id}/privacy")
async def mission(mission_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show what a mission asks people to agree to, what it keeps until when, and what crossed."""
    require(who, "privacy.write", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        found = await existing_mission(connection, mission_id)
        texts = await commands.texts(connection, mission_id)
        setting = await consents.setting(connection, mission_id)
    return pages.render(
        request,
        "privacy_mission.html",
        mission=found,
        texts=texts,
        rules=await retention.shown(held.database, mission_id),
        exports=await retention.exports(held.database),
        basis=setting["cross_border_basis"],
    )


@router.post("/desk/missions/{mission_id}/privacy")
async def set_mission(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Set how long a mission keeps things."""
    require(who, "privacy.write", Scope(mission_id=mission_id))
    sent = await request.form(max_fields=50, max_files=0)
    basis: Basis = "consent" if sent.get("basis") == "consent" else "other"
    days = {rule.code: _number(rule.code, sent) for rule in RULES if rule.code in sent}
    usual = {rule.code: rule.days for rule in RULES}
    changed = {code: number for code, number in days.items() if number != usual[code]}
    await commands.set_privacy(held.database, mission_id, basis, changed, who, now)
    return RedirectResponse(f"/desk/missions/{mission_id}/privacy", 303)


def _number(code: str, sent: Mapping[str, Any]) -> int:
    text = str(sent[code]).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5):  # noqa: PLR2004
        fault = Fault(f"/retention/{code}", "Give a number of days.")
        raise Invalid("Some fields are wrong.", faults=[fault])
    return int(text)


def _be_sure(sure: str) -> None:
    if sure != "yes":
        raise Malformed("Say that you are sure: this cannot be undone.", code="not_sure")


async def _data(
    request: Request, held: Resources, person_id: UUID, who: Principal, now: Now
) -> Response:
    found = await commands.everything(held.database, held.elsewhere, person_id, who, now)
    person = found["registration"]["person"][0]
    return pages.render(
        request,
        "privacy_data.html",
        person=person,
        is_own=who.subject == person_id,
        missing=found["missing"],
        parts=[
            (service, [(table, _readable(rows)) for table, rows in found[service].items()])
            for service in ("registration", "matching", "notify")
            if found.get(service)
        ],
    )


def _readable(rows: Sequence[Mapping[str, Any]]) -> list[list[tuple[str, str]]]:
    """Give rows as pairs of name and text, without what is empty."""
    return [
        sorted(
            (
                (name, _text(value))
                for name, value in row.items()
                if not _is_hidden(name) and value not in (None, "", [], {}, False)
            ),
            # What has a name in the reader's language comes first.
            key=lambda pair: f"column_{pair[0]}" not in pages.words,
        )
        for row in rows
    ]


def _is_hidden(name: str) -> bool:
    return name in HIDDEN or name == "id" or name.endswith(("_id", "_ids"))


def _text(value: object) -> str:
    match value:
        case str():
            return _MOMENT.sub(r"\1 \2 UTC", value)
        case True:
            return "✓"
        case list() if all(isinstance(part, str) for part in value):
            return ", ".join(value)
        case {"en": en, "zh": zh, **rest} if not rest:
            return " / ".join(text for text in (en, zh) if text)
        case _:
            return json.dumps(value, ensure_ascii=False)


async def _file(held: Resources, person_id: UUID, who: Principal, now: Now) -> Response:
    found = await commands.everything(held.database, held.elsewhere, person_id, who, now)
    return Response(
        json.dumps(found, ensure_ascii=False, indent=2),
        media_type="application/json",
        headers={
            "Content-Disposition": 'attachment; filename="my-data.json"',
            "Cache-Control": "no-store",
        },
    )


async def _require(held: Resources, who: Principal, action: Action, person_id: UUID) -> None:
    async with held.database.reading() as connection:
        person = await commands.existing_person(connection, person_id)
    require(who, action, Scope(mission_id=person["mission_id"], person_ids=(person_id,)))
