"""Quotas: how many meetings people have."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.matching.commands import limiting, looking
from services.matching.resources import Held, Resources
from services.matching.wish_bodies import PersonalQuotaBody, SideQuotaBody
from shared.access import Principal, Scope, require
from shared.http import Caller, IfMatch, etag

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/quotas")
async def list_quotas(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """Read a stop's quotas, for each side and for single people.

    Each has its `revision`; that of what is not set is 0.
    """
    await _require(held, who, stop_id)
    async with held.database.reading() as connection:
        return await limiting.limits(connection, stop_id)


@router.put("/quotas")
async def limit_side(
    body: SideQuotaBody, held: Held, who: Caller, seen: IfMatch, response: Response
) -> dict[str, Any]:
    """Set how many meetings each of a side has."""
    await _require(held, who, body.stop_id)
    found, revision = await limiting.limit_side(held.database, body.model_dump(), seen)
    response.headers.update(etag(revision))
    return found


@router.put("/quotas/people")
async def limit_person(
    body: PersonalQuotaBody, held: Held, who: Caller, seen: IfMatch, response: Response
) -> dict[str, Any]:
    """Set how many meetings one person has."""
    await _require(held, who, body.stop_id)
    found, revision = await limiting.limit_person(held.database, body.model_dump(), seen)
    response.headers.update(etag(revision))
    return found


async def _require(held: Resources, who: Principal, stop_id: UUID) -> None:
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "quota.write", Scope(stop["mission_id"], stop_id))
