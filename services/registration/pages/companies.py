"""Companies: the list, who is likely whom side by side, merging, and taking that back."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field, StringConstraints

from services.registration.commands import companies as commands
from services.registration.commands.missions import existing_mission
from services.registration.domain.names import displayed, query_terms
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.resources import Held, Resources
from services.registration.store import companies as store
from services.registration.store import missions, search
from shared.access import Principal, Scope, require
from shared.errors import Conflict
from shared.events.base import Language
from shared.http import Caller, Now
from shared.postgres import Connection
from shared.web.pages import language_of

LIST_LENGTH = 50
LOOK_LENGTH = 300

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """What the page's address says: a search, where to go on, two to compare, what was done."""

    q: Annotated[str, StringConstraints(strip_whitespace=True, max_length=100)] = ""
    after: UUID | None = None
    look: UUID | None = None
    c: list[UUID] = Field(default_factory=list, max_length=LIST_LENGTH)
    done: UUID | None = None


@router.get("/desk/missions/{mission_id}/companies")
async def companies(
    mission_id: UUID, request: Request, held: Held, who: Caller, asked: Annotated[Asked, Query()]
) -> Response:
    """Show a mission's companies and those that are likely one."""
    return await _page(request, held, who, mission_id, asked)


@router.post("/desk/companies/{kept_id}/merge/{gone_id}")
async def merge(
    kept_id: UUID, gone_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Merge two companies, and say so with a way back."""
    mission_id = await _mission_of(held, who, kept_id)
    try:
        answer = await commands.merge(held.database, kept_id, gone_id, who, None, now)
    except Conflict as refusal:
        return await _page(request, held, who, mission_id, problem=refusal.code)
    return _to_page(mission_id, done=answer.content["id"])


@router.post("/desk/companies/{one_id}/distinct/{other_id}")
async def tell_apart(one_id: UUID, other_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Note that two companies are two."""
    mission_id = await _mission_of(held, who, one_id)
    await commands.tell_apart(held.database, (one_id, other_id), who, now)
    return _to_page(mission_id)


@router.post("/desk/company-merges/{merge_id}/undo")
async def undo(merge_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Take a merge back, or say why that cannot be."""
    async with held.database.reading() as connection:
        found = await commands.existing_merge(connection, merge_id)
    require(who, "organization.merge", Scope(mission_id=found["mission_id"]))
    try:
        await commands.undo(held.database, merge_id, who, now)
    except Conflict as refusal:
        return await _page(request, held, who, found["mission_id"], problem=refusal.code)
    return _to_page(found["mission_id"], done=str(merge_id))


async def _mission_of(held: Resources, who: Principal, organization_id: UUID) -> UUID:
    async with held.database.reading() as connection:
        company = await commands.existing_company(connection, organization_id)
    mission_id: UUID = company["mission_id"]
    require(who, "organization.merge", Scope(mission_id=mission_id))
    return mission_id


def _to_page(mission_id: UUID, **query: str) -> RedirectResponse:
    return RedirectResponse(f"/desk/missions/{mission_id}/companies?{urlencode(query)}", 303)


async def _page(
    request: Request,
    held: Resources,
    who: Principal,
    mission_id: UUID,
    asked: Asked | None = None,
    *,
    problem: str = "",
) -> Response:
    asked = asked or Asked()
    require(who, "organization.merge", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        mission = await existing_mission(connection, mission_id)
        stops = await missions.stops_of(connection, mission_id)
        if asked.q:
            listed = await search.companies(connection, mission_id, query_terms(asked.q))
        else:
            listed = await store.companies(
                connection, mission_id, after=asked.after, limit=LIST_LENGTH
            )
        compared = await _compared(connection, mission_id, asked.c)
        pairs, more = (
            ([], None)
            if asked.q or compared
            else await commands.duplicates(
                connection, mission_id, after=asked.look, limit=LOOK_LENGTH
            )
        )
        zone = stops[0]["timezone"] if stops else "UTC"
        merges = await _merges(connection, mission_id, language_of(request), zone)
        count = await store.count(connection, mission_id)
    return pages.render(
        request,
        "companies.html",
        status=409 if problem else 200,
        mission=mission,
        countries=COUNTRIES,
        zone=zone,
        count=count,
        listed=listed,
        next=listed[-1]["id"] if not asked.q and len(listed) == LIST_LENGTH else None,
        pairs=pairs,
        more=more,
        compared=compared,
        is_half=bool(asked.c) and not compared,
        merges=merges,
        done=next((one for one in merges if one["id"] == asked.done), None),
        problem=problem,
        q=asked.q,
        after=asked.after,
    )


async def _compared(
    connection: Connection, mission_id: UUID, chosen: list[UUID]
) -> list[dict[str, Any]]:
    """Read the two companies that were chosen; nothing unless they are two of this mission."""
    found = await store.read_all(connection, chosen)
    rows = [
        dict(found[one])
        for one in dict.fromkeys(chosen)
        if one in found
        and found[one]["mission_id"] == mission_id
        and found[one]["merged_into"] is None
    ]
    return rows if len(rows) == 2 else []  # noqa: PLR2004  # two are compared


async def _merges(
    connection: Connection, mission_id: UUID, language: str, zone: str
) -> list[dict[str, Any]]:
    wanted: Language = "zh" if language == "zh" else "en"
    return [
        {
            **row,
            "on": row["merged_at"].astimezone(ZoneInfo(zone)).date(),
            "by": row["full_name"]
            and displayed(row["full_name"], row["native_name"], row["latin_name"], wanted),
        }
        for row in await store.merges(connection, mission_id, limit=20)
    ]
