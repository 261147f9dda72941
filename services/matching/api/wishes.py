"""Recommendations, preferences and requests."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.matching.bodies import PreferenceBody, RequestBody
from services.matching.commands import looking, wishing
from services.matching.domain.scoring import Profile, Recommendation
from services.matching.domain.wishes import Answer
from services.matching.resources import Held, Resources
from services.matching.store import facts
from services.matching.store import wishes as store
from shared.access import Action, Principal, Scope, require
from shared.http import Caller, Now
from shared.idempotency import RequiredKey

LIMIT_MAX = 200

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/recommendations")
async def list_recommendations(
    stop_id: UUID,
    participant_id: UUID,
    held: Held,
    who: Caller,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 20,
) -> dict[str, list[dict[str, Any]]]:
    """Rank whom somebody should meet at a stop, with reasons."""
    stop = await _require(held, who, "recommendation.read", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await held.recommender.recommend(connection, stop, participant_id, limit)
    return {"items": [_recommendation(*one) for one in found]}


def _recommendation(found: Recommendation, counterpart: Profile) -> dict[str, Any]:
    return {
        "participant_id": found.participant_id,
        "counterpart_id": found.counterpart_id,
        "organization": counterpart.organization,
        "native_organization": counterpart.native_organization,
        "score": found.score,
        "reasons": [
            {"code": reason.code, "en": reason.text.en, "zh": reason.text.zh}
            for reason in found.reasons
        ],
        "needs_interpreter": found.needs_interpreter,
    }


@router.put("/preferences")
async def state_preference(
    body: PreferenceBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """State whether somebody wants to meet somebody; a no is final and private."""
    await _require(held, who, "preference.write", body.stop_id, body.participant_id)
    await wishing.state_preference(held.database, body.model_dump(), now)
    return body.model_dump()


@router.get("/preferences")
async def list_preferences(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List what somebody stated at a stop."""
    await _require(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await store.preferences_of(connection, stop_id, participant_id)
    return {"items": [dict(row) for row in found]}


@router.post("/requests", status_code=201)
async def request(
    body: RequestBody, held: Held, who: Caller, key: RequiredKey, now: Now
) -> Response:
    """Ask for a meeting; it blocks no slot until it is accepted and scheduled."""
    await _require(held, who, "preference.write", body.stop_id, body.participant_id)
    answer = await wishing.request(held.database, body.model_dump(), key, now)
    return answer.response()


@router.get("/requests")
async def list_requests(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List the requests that somebody made or received at a stop."""
    await _require(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await store.requests_of(connection, stop_id, participant_id)
    return {"items": [wishing.request_content(row) for row in found]}


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
    await _require(held, who, "preference.write", found["stop_id"], person)
    return await wishing.answer(held.database, request_id, answer, now)


async def _require(
    held: Resources, who: Principal, action: Action, stop_id: UUID, person_id: UUID
) -> facts.Row:
    """Check the right to act for somebody, and give the stop."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        person = await looking.existing_participant(connection, stop_id, person_id)
    require(who, action, Scope(stop["mission_id"], stop_id, (person_id,), person["partner_id"]))
    return stop
