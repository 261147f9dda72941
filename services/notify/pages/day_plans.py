"""The day's plans on paper: whose there are, and the sheets to print."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.notify.commands.plans import printing
from services.notify.commands.plans.reading import Asked, Plans, plans
from services.notify.pages.rendering import pages
from services.notify.printed_plans import PrintedPlans
from services.notify.resources import Held
from shared.access import Scope, may
from shared.contacts import Contact
from shared.http import Caller, Now

QUERY_LENGTH_MAX = 100
LISTED_MAX = 500

router = APIRouter(include_in_schema=False, prefix="/desk/stops/{stop_id}")


@router.get("/day-plans")
async def overview(
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    q: Annotated[str, Query(max_length=QUERY_LENGTH_MAX)] = "",
) -> Response:
    """Show whose plans can be printed, all or one by one, and who is waiting for one."""
    found = await plans((held.database, held.contacts), who, stop_id, Asked(), now)
    wanted = q.strip().casefold()
    people = [one for one in found.people if wanted in _searched(one)]
    return pages.render(
        request,
        "day_plans.html",
        stop=found.stop,
        version=found.version,
        people=people[:LISTED_MAX],
        left_out=max(0, len(people) - LISTED_MAX),
        days=found.days,
        total=len(found.people),
        parts=printing.parts_of(found),
        by_hand=found.by_hand,
        waiting=_waiting(found),
        q=q,
        may_tell=may(who, "messages.write", Scope(found.stop["mission_id"], stop_id)),
    )


@router.get("/day-plans.pdf")
async def sheets(printed: PrintedPlans) -> Response:
    """Print the plans of everybody, of those to be told by hand, or of one person."""
    return printed


def _searched(one: Contact) -> str:
    names = (one.name, one.native_name, one.organization, one.native_organization)
    return "\n".join(name for name in names if name).casefold()


def _waiting(found: Plans) -> int:
    return sum(one.person_id in found.by_hand for one in found.people)
