"""Letters: anybody may check whether an invitation letter is genuine."""

from datetime import date
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response

from services.registration.commands.applications import letters
from services.registration.domain.letters import as_written, initials, worth
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from shared.http import Now

router = APIRouter(include_in_schema=False)


@router.get("/letters")
async def ask(request: Request, number: Annotated[str, Query(max_length=60)] = "") -> Response:
    """Ask for the number of a letter."""
    if number.strip():
        return RedirectResponse(f"/letters/{quote(as_written(number), safe='-')}", 303)
    return pages.render(request, "letter.html", letter=None, number="")


@router.get("/letters/{number}")
async def check(
    number: Annotated[str, Path(max_length=60)], request: Request, held: Held, now: Now
) -> Response:
    """Say whether a letter is genuine and valid, without saying who is invited."""
    async with held.database.reading() as connection:
        letter = await letters.verify(connection, number)
    if letter is None:
        return pages.render(
            request, "letter.html", status=404, letter=None, number=as_written(number)
        )
    content = letter["content"]
    return pages.render(
        request,
        "letter.html",
        letter=letter,
        number=letter["number"],
        mission=content["mission"],
        starts_on=date.fromisoformat(content["mission"]["starts_on"]),
        ends_on=date.fromisoformat(content["mission"]["ends_on"]),
        company=content["company"],
        initials=initials(content["invitee"]["full_name"]),
        worth=worth(
            letter["valid_until"], now.date(), is_revoked=letter["revoked_at"] is not None
        ).value,
    )
