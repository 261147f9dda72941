"""Questions of forms: what mission staff asks, and what a form shows."""

from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic import Field, JsonValue, StringConstraints

from services.registration.bodies import BothNames, BothTexts, Code
from services.registration.commands import questions as commands
from services.registration.commands.missions import existing_item, existing_mission
from services.registration.domain.questions import FILE_BYTES_MAX, FILE_TYPES, Kind
from services.registration.resources import Held
from services.registration.store import questions as store
from shared.access import Scope, require
from shared.errors import NotFound
from shared.http import Body, Caller, IfMatch, Now, etag
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["registration"])

CHOICES_MAX = 100
ORDER_MAX = 200

ChoiceCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]
Length = Annotated[int, Field(ge=1, le=4_000)]
FileType = Literal["pdf", "png", "jpeg", "docx", "xlsx"]
assert FileType.__args__ == FILE_TYPES  # type: ignore[attr-defined]  # a Literal has it


class ChoiceBody(Body):
    """One answer to choose."""

    code: ChoiceCode
    label: BothNames


class LimitsBody(Body):
    """What an answer keeps to; `min` and `max` are of a number, a date, or a count of choices."""

    length_min: Length | None = None
    length_max: Length | None = None
    pattern: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    min: Annotated[int | float, Field(allow_inf_nan=False)] | str | None = None
    max: Annotated[int | float, Field(allow_inf_nan=False)] | str | None = None
    is_whole: Literal[True] | None = None
    types: list[FileType] | None = Field(default=None, min_length=1, max_length=len(FILE_TYPES))
    bytes_max: Annotated[int, Field(ge=1, le=FILE_BYTES_MAX)] | None = None


class ChangeBody(Body):
    """What is changed about a question; its code, kind and place in the mission stay."""

    label: BothNames | None = None
    help: BothTexts | None = None
    section: BothNames | None = None
    choices: list[ChoiceBody] = Field(default_factory=list, max_length=CHOICES_MAX)
    is_required: bool = False
    is_material: bool = False
    limits: LimitsBody = LimitsBody()
    when: dict[str, JsonValue] | None = None

    def changes(self) -> dict[str, Any]:
        """Give what was sent, as it is kept."""
        sent = self._kept(self.model_fields_set)
        if sent.get("label", sent) is None:
            del sent["label"]
        return sent

    def _kept(self, names: set[str]) -> dict[str, Any]:
        kept = self.model_dump(include=names)
        if "limits" in kept:
            kept["limits"] = {k: v for k, v in kept["limits"].items() if v is not None}
        return kept


class QuestionBody(ChangeBody):
    """A question: of the whole mission, of one stop, or of those who chose one item."""

    code: Code
    kind: Kind
    label: BothNames
    stop_id: UUID | None = None
    programme_item_id: UUID | None = None

    def definition(self) -> dict[str, Any]:
        """Give all of it, as it is kept."""
        return self._kept({"kind", *ChangeBody.model_fields})


class OrderBody(Body):
    """Questions in the order in which they are to be asked."""

    ids: list[UUID] = Field(min_length=2, max_length=ORDER_MAX)


@router.post("/missions/{mission_id}/questions", status_code=201)
async def add_question(
    mission_id: UUID, body: QuestionBody, held: Held, who: Caller, key: OptionalKey, now: Now
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


@router.patch("/missions/{mission_id}/questions/{question_id}")
async def change_question(  # noqa: PLR0913, PLR0917  # what FastAPI hands in
    mission_id: UUID,
    question_id: UUID,
    body: ChangeBody,
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


@router.delete("/missions/{mission_id}/questions/{question_id}")
async def retire_question(
    mission_id: UUID, question_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now
) -> dict[str, Any]:
    """Retire a question: nobody is asked any more, and what was answered stays."""
    await _require(held, who, mission_id, question_id)
    answer = await commands.retire(held.database, who, question_id, revision, now)
    held.forms.forget()
    return answer.content


@router.post("/missions/{mission_id}/questions/order")
async def order_questions(
    mission_id: UUID, body: OrderBody, held: Held, who: Caller, now: Now
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
