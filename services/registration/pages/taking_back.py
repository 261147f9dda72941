"""Taking a check-in back on the pages of the desk."""

from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.registration.commands.taking_back import take_back
from services.registration.domain.taking_back import Mistake, Undoing
from services.registration.pages.desk import require_about
from services.registration.resources import Held
from shared.errors import Conflict
from shared.http import Caller, Now

router = APIRouter(include_in_schema=False)


class Sent(BaseModel):
    """Why, which check-in as the page showed it, and where that page was."""

    reason: Mistake
    checked_in_at: AwareDatetime
    origin: str = Field(default="", max_length=20)
    q: str = Field(default="", max_length=100)


@router.post("/desk/arrivals/{registration_id}/undo")
async def undo_arrival(
    registration_id: UUID, sent: Annotated[Sent, Form()], held: Held, who: Caller, now: Now
) -> Response:
    """Take a check-in back, and go back to where that was asked for."""
    stop_id = await require_about(held, who, registration_id, "check_in")
    undoing = Undoing(sent.reason, sent.checked_in_at)
    undo, refused = "done", ""
    try:
        await take_back(held.database, registration_id, undoing, who, None, now)
    except Conflict as conflict:
        undo, refused = "again", f"?refused={conflict.code}"
    if sent.origin == "registration":
        return RedirectResponse(f"/desk/registrations/{registration_id}{refused}", 303)
    return RedirectResponse(f"/desk/stops/{stop_id}?{urlencode({'q': sent.q, 'undo': undo})}", 303)
