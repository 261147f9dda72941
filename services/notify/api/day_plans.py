"""The day's plans of a stop, as sheets to print."""

from fastapi import APIRouter
from fastapi.responses import Response

from services.notify.printed_plans import PrintedPlans

router = APIRouter(prefix="/api/v1/stops", tags=["live"])


@router.get("/{stop_id}/day-plans.pdf", response_class=Response)
async def day_plans(printed: PrintedPlans) -> Response:
    """Print the plans of the day at a stop as PDF.

    A sheet of A4 for everybody with meetings there, or for one person, each in that person's own
    language and with the version it was printed from. `by_hand`: only for those whom no message
    reached. More than 500 sheets come in parts.
    """
    return printed
