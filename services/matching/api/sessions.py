"""Meeting sessions, points and interpreters."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_jsonable_python

from services.matching.answers import SessionMade
from services.matching.bodies import ClosingBody, SessionBody
from services.matching.commands import looking
from services.matching.commands import sessions as commands
from services.matching.resources import Held
from services.matching.store import facts
from services.matching.store import sessions as store
from shared.access import Scope, require
from shared.errors import NotFound
from shared.http import Caller
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post("/meeting-sessions", status_code=201, response_model=SessionMade)
async def add_session(body: SessionBody, held: Held, who: Caller, key: OptionalKey) -> Response:
    """Plan a block of slots with its points."""
    async with held.database.reading() as connection:
        item = await facts.item(connection, body.programme_item_id)
    if item is None:
        raise NotFound("There is no such programme item.")
    require(who, "schedule.write", Scope(item["mission_id"], item["stop_id"]))
    answer = await commands.add_session(held.database, body.model_dump(), key)
    async with held.database.reading() as connection:
        session = await looking.existing_session(connection, UUID(answer.content["id"]))
        content = await looking.session_view(connection, session)
    headers = {"Idempotent-Replayed": "true"} if answer.is_replayed else None
    return JSONResponse(to_jsonable_python(content), answer.status, headers)


@router.get("/meeting-sessions")
async def list_sessions(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List a stop's sessions with their slots and points."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        require(who, "board.read", Scope(stop["mission_id"], stop_id))
        found = await store.of_stop(connection, stop_id)
        return {"items": [await looking.session_view(connection, row) for row in found]}


@router.post("/meeting-sessions/{session_id}/points/{point_id}/close")
async def close_point(
    session_id: UUID, point_id: UUID, body: ClosingBody, held: Held, who: Caller
) -> dict[str, Any]:
    """Take a point out of use; answers with the meetings that must go elsewhere."""
    async with held.database.reading() as connection:
        session = await looking.existing_session(connection, session_id)
        stop = await looking.existing_stop(connection, session["stop_id"])
    require(who, "meeting.run", Scope(stop["mission_id"], stop["id"]))
    at, found = await commands.close_point(held.database, session_id, point_id, body.from_slot)
    async with held.database.reading() as connection:
        views = await looking.meeting_views(connection, stop["id"], found)
    return {"point_id": point_id, "closed_from": at, "meetings": views}


@router.get("/interpreters")
async def list_interpreters(
    stop_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List a stop's interpreters."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        require(who, "board.read", Scope(stop["mission_id"], stop_id))
        found = await facts.interpreters(connection, stop_id)
    return {"items": [dict(row) for row in found]}
