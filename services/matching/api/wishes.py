"""Recommendations and preferences."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from services.matching.acting import author, require_for
from services.matching.commands import wishing
from services.matching.domain.scoring import Profile, Recommendation
from services.matching.resources import Held
from services.matching.store import schedules
from services.matching.store import wishes as store
from services.matching.wish_bodies import CompanyPreferenceBody, PreferenceBody
from shared.http import Caller, Now

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
    stop = await require_for(held, who, "recommendation.read", stop_id, participant_id)
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
    await require_for(held, who, "preference.write", body.stop_id, body.participant_id)
    stated = body.model_dump()
    await wishing.state_preference(held.database, stated, author(who), now)
    return wishing.shown(stated | {"stated_by": who.subject, "stated_role": who.role})


@router.get("/preferences")
async def list_preferences(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List what somebody stated at a stop."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await store.preferences_of(connection, stop_id, participant_id)
    return {"items": [wishing.shown(dict(row)) for row in found]}


@router.put("/company-preferences")
async def state_company_preference(
    body: CompanyPreferenceBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """State whether somebody wants to meet a company, whoever represents it."""
    await require_for(held, who, "preference.write", body.stop_id, body.participant_id)
    stated = body.model_dump()
    await wishing.state_company_preference(held.database, stated, author(who), now)
    return wishing.shown(stated | {"stated_by": who.subject, "stated_role": who.role})


@router.get("/company-preferences")
async def list_company_preferences(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List what somebody stated about companies at a stop."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await store.company_preferences_of(connection, stop_id, participant_id)
    return {"items": [wishing.shown(dict(row)) for row in found]}


@router.get("/unmet-wishes")
async def list_unmet_wishes(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List which wishes the published schedule leaves unmet, and why.

    Reasons that would tell of the other side's wishes, or of what the organiser decided, are told
    to mission staff alone; all others read that no slot was found.
    """
    await require_for(held, who, "preference.write", stop_id, participant_id)
    async with held.database.reading() as connection:
        found = await schedules.unmet_in_force(connection, stop_id)
    own = [one for one in found if one.participant_id == participant_id]
    shown = own if who.role == "mission_staff" else [one.for_participants for one in own]
    return {"items": [one.shown() for one in shown]}
