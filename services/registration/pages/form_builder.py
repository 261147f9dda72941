"""The page on which mission staff makes a stop's form, and sees it in both languages."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands import questions as commands
from services.registration.commands.missions import existing_stop
from services.registration.domain.questions import Facts, Kind, Question
from services.registration.pages import form, form_questions
from services.registration.pages.rendering import pages
from services.registration.question_bodies import FormQuestionBody, FormQuestionChangeBody
from services.registration.resources import Held
from services.registration.store import missions
from services.registration.store import questions as store
from shared.access import Scope, require
from shared.errors import Conflict, Fault, Invalid, NotFound, Refusal, Stale
from shared.http import Caller, Now
from shared.web.pages import bilingual

router = APIRouter(include_in_schema=False)

KINDS: Sequence[Kind] = (
    "text",
    "long_text",
    "choice",
    "several",
    "number",
    "date",
    "file",
    "consent",
)
LIMITS = ("length_min", "length_max", "pattern", "min", "max")


@router.get("/desk/stops/{stop_id}/form")
async def builder(
    stop_id: UUID, request: Request, held: Held, who: Caller, edit: UUID | None = None
) -> Response:
    """Show what a stop's form asks, one question to be changed or a new one, and a preview."""
    return await _page(request, held, who, stop_id, editing=edit)


@router.post("/desk/stops/{stop_id}/form")
async def add(stop_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Add a question to a stop's form."""
    stop = await _stop(held, who, stop_id)
    given = await form.given(request)
    try:
        body = FormQuestionBody.model_validate(_body(given) | _place(given, stop_id))
        new = commands.New(body.code, body.stop_id, body.programme_item_id, body.definition())
        await commands.define(held.database, who, stop["mission_id"], new, None, now)
    except (ValidationError, Invalid, Conflict) as error:
        return await _page(request, held, who, stop_id, given=given, error=error)
    return _back(held, stop_id)


@router.post("/desk/stops/{stop_id}/form/{question_id}")
async def change(
    stop_id: UUID, question_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Change a question of a stop's form."""
    await _question(held, who, stop_id, question_id)
    given = await form.given(request)
    try:
        body = FormQuestionChangeBody.model_validate(_body(given, is_new=False))
        revision = int(str(given.get("revision", "0")) or 0)
        await commands.change(held.database, who, question_id, body.changes(), revision, now)
    except (ValidationError, ValueError, Invalid, Conflict, Stale) as error:
        return await _page(
            request, held, who, stop_id, editing=question_id, given=given, error=error
        )
    return _back(held, stop_id)


@router.post("/desk/stops/{stop_id}/form/{question_id}/retire")
async def retire(
    stop_id: UUID, question_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Ask a question no longer."""
    row = await _question(held, who, stop_id, question_id)
    try:
        await commands.retire(held.database, who, question_id, row["version"], now)
    except (Conflict, Stale) as error:
        return await _page(request, held, who, stop_id, error=error)
    return _back(held, stop_id)


@router.post("/desk/stops/{stop_id}/form/{question_id}/up")
async def move_up(stop_id: UUID, question_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Ask a question one place earlier."""
    stop = await _stop(held, who, stop_id)
    async with held.database.reading() as connection:
        ids = [row["id"] for row in await store.of_stop(connection, stop_id)]
    at = ids.index(question_id) if question_id in ids else 0
    if at:
        pair = [question_id, ids[at - 1]]
        await commands.put_in_order(held.database, who, stop["mission_id"], pair, now)
    return _back(held, stop_id)


def _back(held: Held, stop_id: UUID) -> Response:
    held.forms.forget()
    return RedirectResponse(f"/desk/stops/{stop_id}/form", 303)


async def _stop(held: Held, who: Caller, stop_id: UUID) -> Any:
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(stop["mission_id"], stop_id))
    return stop


async def _question(held: Held, who: Caller, stop_id: UUID, question_id: UUID) -> Any:
    stop = await _stop(held, who, stop_id)
    async with held.database.reading() as connection:
        row = await commands.existing(connection, question_id)
    if row["mission_id"] != stop["mission_id"]:
        raise NotFound("There is no such question in this mission.")
    return row


async def _page(  # noqa: PLR0913  # what is shown, and what was wrong with it
    request: Request,
    held: Held,
    who: Caller,
    stop_id: UUID,
    *,
    editing: UUID | None = None,
    given: FormData | None = None,
    error: Exception | None = None,
) -> Response:
    stop = await _stop(held, who, stop_id)
    async with held.database.reading() as connection:
        rows = await store.of_stop(connection, stop_id)
        items = [
            item
            for item in await missions.items_of(connection, stop["mission_id"])
            if item["stop_id"] == stop_id
        ]
    questions = [store.question_of(row) for row in rows]
    row = next((row for row in rows if row["id"] == editing), None)
    return pages.render(
        request,
        "form_builder.html",
        status=200 if error is None else 409 if isinstance(error, (Conflict, Stale)) else 422,
        stop=stop,
        items=items,
        rows=list(zip(rows, questions, strict=True)),
        editing=row,
        typed=_typed(given) if given is not None else _on_file(row),
        faults=_faults(error),
        kinds=KINDS,
        previews={language: _preview(questions, items, language) for language in ("en", "zh")},
    )


def _faults(error: Exception | None) -> Sequence[Fault]:
    match error:
        case None:
            return ()
        case ValidationError():
            return form.faults_of(error)
        case Refusal():
            return error.faults or [Fault("", error.detail)]
        case _:
            return [Fault("", str(error))]


def _preview(questions: Sequence[Question], items: Sequence[Any], language: str) -> Markup:
    """Give the questions as the form shows them, to those who chose everything."""
    facts = Facts(
        country="CN", items=[str(item["id"]) for item in items], kinds=[i["kind"] for i in items]
    )
    asked = commands.Asked("", questions, {question.code: UUID(int=0) for question in questions})
    template = pages.environment.get_template("form_questions.html")
    text = template.render(
        sheet=form_questions.opened(asked, {}, facts),
        lang=language,
        t=lambda key, **values: pages.text(key, language, **values),
        b=lambda value: bilingual(value, language),
        said=lambda wrong: form_questions.said(wrong, language),
        marks_material=False,
        is_bare=True,
    )
    return Markup(text)  # noqa: S704  # a template of ours wrote it, with everything escaped


def _body(given: FormData, *, is_new: bool = True) -> dict[str, Any]:
    """Give what was typed as the API's body."""
    typed = _typed(given)
    body: dict[str, Any] = {
        "label": {"en": typed["label_en"], "zh": typed["label_zh"]},
        "help": _both(typed, "help"),
        "section": _both(typed, "section"),
        "choices": [_choice(line) for line in typed["choices"].splitlines() if line.strip()],
        "is_required": typed["is_required"],
        "is_material": typed["is_material"],
        "limits": _limits(typed),
        "when": _when(typed["when"]),
    }
    return body | ({"code": typed["code"], "kind": typed["kind"]} if is_new else {})


def _place(given: FormData, stop_id: UUID) -> dict[str, Any]:
    where = str(given.get("where", "stop"))
    if where == "mission":
        return {}
    if where == "stop":
        return {"stop_id": str(stop_id)}
    return {"stop_id": str(stop_id), "programme_item_id": where}


def _both(typed: Mapping[str, Any], name: str) -> dict[str, str] | None:
    both = {"en": typed[f"{name}_en"], "zh": typed[f"{name}_zh"]}
    return both if any(both.values()) else None


def _choice(line: str) -> dict[str, Any]:
    code, _, words = line.partition("|")
    english, _, chinese = words.partition("|")
    return {"code": code.strip(), "label": {"en": english.strip(), "zh": chinese.strip()}}


def _limits(typed: Mapping[str, Any]) -> dict[str, Any]:
    limits: dict[str, Any] = {}
    for name in LIMITS:
        text = typed[name].strip()
        if text:
            is_number = name != "pattern" and text.replace(".", "", 1).lstrip("-").isdigit()
            limits[name] = json.loads(text.lstrip("0") or "0") if is_number else text
    return limits | ({"is_whole": True} if typed["is_whole"] else {})


def _when(text: str) -> Any:
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        fault = Fault("/when", "This is not JSON.")
        raise Invalid("The condition cannot be read.", faults=[fault]) from None


TEXTS = ("code", "kind", "where", "label_en", "label_zh", "help_en", "help_zh", "section_en")


def _typed(given: FormData) -> dict[str, Any]:
    names = (*TEXTS, "section_zh", "choices", "when", *LIMITS)
    typed: dict[str, Any] = {name: str(given.get(name, "")) for name in names}
    return typed | {
        name: given.get(name) == "yes" for name in ("is_required", "is_material", "is_whole")
    }


def _on_file(row: Any) -> dict[str, Any]:
    """Give a question as the page's fields hold it; none: a new one."""
    if row is None:
        return _typed(FormData()) | {"kind": "text", "where": "stop"}
    asked = row["definition"]
    texts = {
        f"{name}_{language}": (asked.get(name) or {}).get(language, "")
        for name in ("label", "help", "section")
        for language in ("en", "zh")
    }
    choices = [f"{c['code']} | {c['label']['en']} | {c['label']['zh']}" for c in asked["choices"]]
    when = json.dumps(asked["when"], ensure_ascii=False) if asked["when"] else ""
    return {
        "code": row["code"],
        "kind": asked["kind"],
        "where": "",
        **texts,
        "choices": "\n".join(choices),
        "when": when,
        "is_required": asked["is_required"],
        "is_material": asked["is_material"],
        "is_whole": asked["limits"].get("is_whole", False),
        **{name: str(asked["limits"].get(name, "")) for name in LIMITS},
    }
