"""A partner's page about its invitees' meetings: numbers for each stop, and who met whom."""

from datetime import datetime, time
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.matching.allowing import brought_by
from services.matching.domain import brought as domain
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held
from services.matching.store import brought, meetings, sessions
from shared.access import Scope, may
from shared.errors import NotFound
from shared.http import Caller
from shared.postgres import Connection
from shared.web.pages import language_of

PAGE_LENGTH = 40
"""Companies."""
PAGES_MAX = 1_000

router = APIRouter(include_in_schema=False)


@router.get("/partner/{partner_id}/meetings")
async def partner_meetings(  # each is given by the framework
    *,
    partner_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    stop: UUID | None = None,
    page: Annotated[int, Query(ge=1, le=PAGES_MAX)] = 1,
) -> Response:
    """Show what became of the meetings of a partner's invitees; of one stop by company."""
    async with held.database.reading() as connection:
        stops = await brought_by(connection, who, partner_id)
        chosen = next((one for one in stops if stop in (None, one["id"])), None)
        if stop is not None and chosen is None:
            raise NotFound("This partner brought nobody there.")
        there = await _there(connection, partner_id, chosen, page) if chosen else {}
    if chosen:
        scope = Scope(chosen["mission_id"], chosen["id"], (), partner_id)
        own = [person for company in there["shown"] for person in company.people]
        name = await names(held, who, scope, dict.fromkeys(own, partner_id))
        language = language_of(request)
        there["name"] = lambda person: name(person, language)
        there["may_wish"] = may(who, "preference.write", scope)
    return pages.render(
        request,
        "partner_meetings.html",
        **company_words(request),
        partner_id=partner_id,
        stops=stops,
        chosen=chosen,
        page=page,
        **there,
    )


async def _there(
    connection: Connection, partner_id: UUID, stop: brought.Row, page: int
) -> dict[str, Any]:
    """Read one page of the companies whom a partner brought to a stop, with their meetings."""
    people = map(dict, await brought.people(connection, partner_id, stop["id"]))
    companies = domain.companies(people)
    shown = companies[(page - 1) * PAGE_LENGTH : page * PAGE_LENGTH]
    own = [person for company in shown for person in company.people]
    found = await brought.meetings_of(connection, stop["id"], own)
    domain.fill(shown, found)
    zone = ZoneInfo(stop["timezone"])
    return {
        "shown": shown,
        "has_more": len(companies) > page * PAGE_LENGTH,
        "link": lambda page: urlencode({"stop": stop["id"], "page": page}),
        "labels": await sessions.labels(connection, stop["id"]),
        "others": await meetings.companies(connection, {p for one in found for p in one.people}),
        "date_of": lambda moment: moment.astimezone(zone).date(),
        # A zone's distance from UTC may change with the season.
        "noon": datetime.combine(stop["held_on"], time(12), zone),
    }
