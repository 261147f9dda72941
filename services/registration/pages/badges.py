"""Badges: sheets to print for a stop, and one's own on the phone."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import segno
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from services.registration.commands.check_in import issue_badges, replace_badge
from services.registration.commands.missions import existing_stop
from services.registration.domain.badges import shown
from services.registration.door import place_of, stop_at_the_door
from services.registration.pages.rendering import pages
from services.registration.resources import Held
from services.registration.store import check_in as store
from shared.access import Scope, require
from shared.errors import Conflict, NotFound
from shared.http import Caller, Now
from shared.printing import CJK_FONT, PRESS, families, typeset
from shared.web.pages import day

TEMPLATE = Path(__file__).parent / "badges.typ"
QUIET_MODULES = 2
BADGES_MAX = 2_000

router = APIRouter(include_in_schema=False)


@router.get("/desk/stops/{stop_id}/badges.pdf")
async def sheets(
    stop_id: UUID,
    held: Held,
    who: Caller,
    now: Now,
    participant: UUID | None = None,
    item: UUID | None = None,
) -> Response:
    """Print the badges of a stop, an item or a participant; a partner's are those it brought."""
    if participant is None:
        async with held.database.reading() as connection:
            stop = await existing_stop(connection, stop_id)
        require(who, "people.invite", Scope(stop["mission_id"], stop_id, (), who.seen_partner))
    else:
        stop = await stop_at_the_door(held, who, stop_id)
    await issue_badges(held.database, stop_id, now, participant)
    async with held.database.reading() as connection:
        rows = await store.badges_of_stop(
            connection,
            stop_id,
            person_id=participant,
            partner_id=who.seen_partner,
            item_id=item,
            limit=BADGES_MAX + 1,
        )
    if len(rows) > BADGES_MAX:
        raise Conflict(
            f"These are more than {BADGES_MAX} badges: print them item by item (?item=).",
            code="too_many_badges",
        )
    if not rows:
        raise NotFound("There is nobody here to print a badge for.")
    if CJK_FONT not in families():
        raise Conflict(
            f"Badges need the font {CJK_FONT}, and it is not installed where this service runs.",
            code="font_missing",
        )
    name = f"badges-{stop['slug']}.pdf"
    pdf = await PRESS.printed(partial(printed, stop, rows))
    return Response(
        pdf,
        media_type="application/pdf",
        headers={
            "Content-Disposition": f'inline; filename="{name}"',
            "Cache-Control": "private, no-store",
        },
    )


@router.post("/desk/stops/{stop_id}/participants/{participant_id}/badge")
async def replace(
    stop_id: UUID, participant_id: UUID, held: Held, who: Caller, now: Now
) -> Response:
    """Replace a lost badge, and show the new one to be printed."""
    place = await place_of(held, who, participant_id)
    await issue_badges(held.database, place["id"], now, participant_id)
    await replace_badge(held.database, who, place, participant_id, None, now)
    return RedirectResponse(f"/desk/stops/{stop_id}/badges.pdf?participant={participant_id}", 303)


@router.get("/my/badge")
async def mine(request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show somebody's own badge, to be scanned from the phone."""
    async with held.database.reading() as connection:
        stops = await store.stops_of_person(connection, who.subject)
    if not stops:
        raise NotFound("A badge comes with the first registration.")
    await issue_badges(held.database, stops[0]["id"], now, who.subject)
    async with held.database.reading() as connection:
        badge = await store.badge_of(connection, who.subject)
        people = await store.names_of(connection, [who.subject])
    if badge is None:
        raise NotFound("A badge comes with the first registration.")
    answer = pages.render(
        request,
        "badges_mine.html",
        person=people[who.subject],
        code=shown(badge["code"]),
        qr=Markup(qr(badge["code"])),  # noqa: S704  # drawn here, of a code made here
    )
    # What lets somebody in is not for a browser to keep.
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def printed(stop: asyncpg.Record, rows: Sequence[asyncpg.Record]) -> bytes:
    """Set badges as a PDF."""
    held_on: date = stop["held_on"]
    content = {
        "title": f"{stop['city']['en']} {held_on}",
        "city_en": stop["city"]["en"],
        "city_zh": stop["city"]["zh"],
        "date": f"{day(held_on, 'en')} · {held_on.year}年{held_on.month}月{held_on.day}日",
        "badges": [_content(row) for row in rows],
    }
    return typeset(TEMPLATE, content)


def qr(code: str) -> str:
    """Draw a code as SVG: the smallest QR code, of which a quarter may be unreadable."""
    symbol = segno.make(code, micro=False, error="q", boost_error=False)
    drawn = BytesIO()
    symbol.save(drawn, kind="svg", xmldecl=False, border=QUIET_MODULES, omitsize=True, light="#fff")
    return drawn.getvalue().decode()


def _content(row: asyncpg.Record) -> dict[str, Any]:
    side = "delegation" if row["role"] == "delegate" else "local"
    names = ("full_name", "native_name", "organization", "native_organization")
    return {
        "side": side,
        **{f"side_{language}": pages.text(f"badge_{side}", language) for language in ("en", "zh")},
        **{name: row[name] for name in names},
        "code": shown(row["code"]),
        "qr": qr(row["code"]),
    }
