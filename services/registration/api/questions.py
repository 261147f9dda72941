"""Questions of forms: what mission staff asks, and what a form shows."""

from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from services.registration.answers import QuestionMade
from services.registration.commands import questions as commands
from services.registration.commands.missions import existing_item, existing_mission
from services.registration.question_bodies import (
    FormOrderBody,
    FormQuestionBody,
    FormQuestionChangeBody,
)
from services.registration.resources import Held
from services.registration.store import questions as store
from shared.access import Scope, require
from shared.errors import NotFound
from shared.http import Caller, IfMatch, Now, etag
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.post("/missions/{mission_id}/questions", status_code=201, response_model=QuestionMade)
async def add_question(
    mission_id: UUID, body: FormQuestionBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Add a question to a mission's forms."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    new = commands.New(
        code=body.code,
        stop_id=body.stop_id,
        item_id=body.programme_item_id,
        definition=body.definition(),
    )
    answer = await commands.define(held.database, who, mission_id, new, key, now)
    held.forms.forget()
    return answer.response()


@router.get("/missions/{mission_id}/questions")
async def list_questions(
    mission_id: UUID, held: Held, who: Caller, *, with_retired: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """List a mission's questions in order, those of its stops and items too."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        await existing_mission(connection, mission_id)
        rows = await store.of_mission(connection, mission_id, with_retired=with_retired)
    return {"items": [_shown(row) for row in rows]}


@router.get("/programme-items/{item_id}/questions")
async def list_item_questions(item_id: UUID, held: Held) -> dict[str, list[dict[str, Any]]]:
    """List what those who register to a programme item are asked."""
    async with held.database.reading() as connection:
        await existing_item(connection, item_id)
        rows = await store.of_item(connection, item_id)
    return {"items": [_shown(row) for row in rows]}


@router.patch("/missions/{mission_id}/questions/{question_id:uuid}")
async def change_question(  # noqa: PLR0913, PLR0917  # what FastAPI hands in
    mission_id: UUID,
    question_id: UUID,
    body: FormQuestionChangeBody,
    held: Held,
    who: Caller,
    revision: IfMatch,
    now: Now,
) -> Response:
    """Change how a question is asked; earlier answers stay readable as they were asked."""
    await _require(held, who, mission_id, question_id)
    answer = await commands.change(held.database, who, question_id, body.changes(), revision, now)
    held.forms.forget()
    return JSONResponse(answer.content, headers=etag(answer.content["revision"]))


@router.delete("/missions/{mission_id}/questions/{question_id:uuid}")
async def retire_question(  # noqa: PLR0913  # each is given by the framework
    *,
    mission_id: UUID,
    question_id: UUID,
    held: Held,
    who: Caller,
    revision: IfMatch,
    now: Now,
    response: Response,
) -> dict[str, Any]:
    """Retire a question: nobody is asked any more, and what was answered stays."""
    await _require(held, who, mission_id, question_id)
    answer = await commands.retire(held.database, who, question_id, revision, now)
    held.forms.forget()
    response.headers.update(etag(answer.content["revision"]))
    return answer.content


@router.post("/missions/{mission_id}/questions/order")
async def order_questions(
    mission_id: UUID, body: FormOrderBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Put questions in order, in the places they have among the others."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    answer = await commands.put_in_order(held.database, who, mission_id, body.ids, now)
    held.forms.forget()
    return answer.content


@router.get("/missions/{mission_id}/questions/{question_id}/versions")
async def list_versions(
    mission_id: UUID, question_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List how a question was asked, and since when."""
    await _require(held, who, mission_id, question_id)
    async with held.database.reading() as connection:
        rows = await store.versions(connection, question_id)
    return {"items": [dict(row) for row in rows]}


async def _require(held: Held, who: Caller, mission_id: UUID, question_id: UUID) -> None:
    require(who, "mission.write", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        row = await store.one(connection, question_id)
    if row is None or row["mission_id"] != mission_id:
        raise NotFound("There is no such question in this mission.")


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    names = ("id", "stop_id", "programme_item_id", "code", "place", "retired_at")
    return {
        **{name: row[name] for name in names},
        "revision": row["version"],
        **row["definition"],
    }
