"""Requests: asked, answered, listed."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from services.matching.acting import author, require_for
from services.matching.answers import Requested
from services.matching.commands import looking, requesting
from services.matching.domain.requests import Answer
from services.matching.resources import Held, Resources
from services.matching.store import requests as store
from services.matching.wish_bodies import RequestBody
from shared.access import Principal
from shared.http import Caller, Now
from shared.idempotency import RequiredKey

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post(
    "/requests", status_code=201, response_model=Requested, responses={200: {"model": Requested}}
)
async def request(
    body: RequestBody, held: Held, who: Caller, key: RequiredKey, now: Now
) -> Response:
    """Ask for a meeting, for oneself or on somebody's behalf; it blocks no slot.

    A new one of the same person supersedes the one that waits. If the other side has asked, that
    request is accepted instead, and answered with 200.
    """
    await require_for(held, who, "preference.write", body.stop_id, body.participant_id)
    answer = await requesting.request(held.database, body.model_dump(), author(who), key, now)
    return answer.response()


@router.get("/requests")
async def list_requests(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller, now: Now
) -> dict[str, list[dict[str, Any]]]:
    """List the requests that somebody made or received at a stop."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await store.of_person(connection, stop_id, participant_id)
    return {"items": [requesting.content(row, now) for row in found]}


@router.post("/requests/{request_id}/accept")
async def accept(request_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Agree to meet."""
    return await _answer(held, who, request_id, "accept", now)


@router.post("/requests/{request_id}/decline")
async def decline(request_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Decline to meet."""
    return await _answer(held, who, request_id, "decline", now)


@router.post("/requests/{request_id}/cancel")
async def cancel(request_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Take a request back."""
    return await _answer(held, who, request_id, "cancel", now)


async def _answer(
    held: Resources, who: Principal, request_id: UUID, answer: Answer, now: Now
) -> dict[str, Any]:
    async with held.database.reading() as connection:
        found = await looking.existing_request(connection, request_id)
    # Who asked may take it back, who was asked may agree or decline.
    person = found["participant_id"] if answer == "cancel" else found["counterpart_id"]
    await require_for(held, who, "preference.write", found["stop_id"], person)
    return await requesting.answer(held.database, request_id, answer, author(who), now)
