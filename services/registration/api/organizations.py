"""Companies: the list and search, likely duplicates, merging two and taking that back."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.registration.answers import Merged
from services.registration.commands import companies as commands
from services.registration.commands.missions import existing_mission
from services.registration.domain.names import query_terms
from services.registration.resources import Held, Resources
from services.registration.store import companies as store
from services.registration.store import search
from shared.access import Principal, Scope, require
from shared.http import Body, Caller, Now
from shared.idempotency import OptionalKey

LIMIT_MAX = 500
LOOK_MAX = 500

router = APIRouter(prefix="/api/v1", tags=["registration"])


class OtherCompanyBody(Body):
    """The other of two companies."""

    organization_id: UUID


@router.get("/organizations")
async def list_organizations(
    mission_id: UUID,
    held: Held,
    who: Caller,
    q: Annotated[str, Query(max_length=100)] = "",
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> dict[str, Any]:
    """List a mission's companies by name; with `q`, the fifty that fit best.

    `q` is searched for in characters, pinyin and initials. `next` is the `after` to go on with.
    """
    require(who, "organization.merge", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        await existing_mission(connection, mission_id)
        if q.strip():
            rows = await search.companies(connection, mission_id, query_terms(q))
            return {"items": [_company(row) for row in rows], "next": None}
        rows = await store.companies(connection, mission_id, after=after, limit=limit)
    return {
        "items": [_company(row) for row in rows],
        "next": rows[-1]["id"] if len(rows) == limit else None,
    }


@router.get("/organizations/duplicates")
async def list_duplicates(
    mission_id: UUID,
    held: Held,
    who: Caller,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LOOK_MAX)] = LOOK_MAX,
) -> dict[str, Any]:
    """List pairs of companies that are likely one, the likeliest first, with reasons.

    Looks at `limit` companies; `next` is what to go on `after`.
    """
    require(who, "organization.merge", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        pairs, last = await commands.duplicates(connection, mission_id, after=after, limit=limit)
    return {
        "items": [
            {
                "kept": _company(pair.first),
                "gone": _company(pair.second),
                "score": pair.likeness.score,
                "reasons": list(pair.likeness.reasons),
            }
            for pair in pairs
        ],
        "next": last,
    }


@router.get("/organizations/merges")
async def list_merges(mission_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """List a mission's last hundred merges; each with both companies as they were."""
    require(who, "organization.merge", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        await existing_mission(connection, mission_id)
        rows = await store.merges(connection, mission_id)
    names = ("id", "kept_id", "gone_id", "kept_before", "gone_before", "kept_after", "people")
    times = ("merged_by", "merged_at", "undone_by", "undone_at")
    return {"items": [{name: row[name] for name in (*names, *times)} for row in rows]}


@router.get("/organizations/{organization_id}")
async def read_organization(organization_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read a company; `merged_into` names the one that it turned out to be."""
    row = await require_company(held, who, organization_id)
    return _company(row) | {"merged_into": row["merged_into"]}


@router.post("/organizations/{organization_id}/merges", status_code=201, response_model=Merged)
async def merge(
    organization_id: UUID,
    body: OtherCompanyBody,
    held: Held,
    who: Caller,
    key: OptionalKey,
    now: Now,
) -> Response:
    """Merge another company into this one: its people, listings and references move here."""
    await require_company(held, who, organization_id)
    answer = await commands.merge(
        held.database, organization_id, body.organization_id, who, key, now
    )
    return answer.response()


@router.post("/organizations/{organization_id}/distinctions")
async def tell_apart(
    organization_id: UUID, body: OtherCompanyBody, held: Held, who: Caller, now: Now
) -> dict[str, UUID]:
    """Say that another company that looks like this one is another one indeed."""
    await require_company(held, who, organization_id)
    ids = (organization_id, body.organization_id)
    await commands.tell_apart(held.database, ids, who, now)
    return {"organization_id": organization_id, "distinct_from": body.organization_id}


@router.post("/organizations/merges/{merge_id}/undo")
async def undo(merge_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Take a merge back; exactly what it moved goes back, and both companies are as they were."""
    return await undone(held, who, merge_id, now)


async def undone(held: Resources, who: Principal, merge_id: UUID, now: datetime) -> dict[str, Any]:
    """Take a merge back for somebody who may."""
    async with held.database.reading() as connection:
        found = await commands.existing_merge(connection, merge_id)
    require(who, "organization.merge", Scope(mission_id=found["mission_id"]))
    return (await commands.undo(held.database, merge_id, who, now)).content


async def require_company(held: Resources, who: Principal, organization_id: UUID) -> asyncpg.Record:
    """Read a company for somebody who may merge it."""
    async with held.database.reading() as connection:
        row = await commands.existing_company(connection, organization_id)
    require(who, "organization.merge", Scope(mission_id=row["mission_id"]))
    return row


def _company(row: asyncpg.Record) -> dict[str, Any]:
    names = ("id", "name", "native_name", "country", "registration_number", "sectors", "size")
    return {name: row[name] for name in (*names, "people")}
