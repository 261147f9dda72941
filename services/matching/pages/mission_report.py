"""The mission report on one page: what came of a mission, for those who paid for it."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.matching.commands import mission_reporting
from services.matching.pages.quality import percent
from services.matching.pages.rendering import pages
from services.matching.resources import Held
from shared.access import Scope, require
from shared.http import Caller, Now

router = APIRouter(include_in_schema=False)


@router.get("/outcomes/report")
async def mission_report(
    mission_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Show the mission report, on the screen and on sheets of A4."""
    require(who, "outcome.read", Scope(mission_id))
    async with held.database.reading() as connection:
        found = await mission_reporting.report(connection, mission_id, now)
    return pages.render(request, "mission_report.html", found=found, now=now, percent=percent)
