"""Somebody's own day: the next meeting first, kept current by the live stream."""

from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.notify.commands.looking import current, existing_stop, names, stops_of
from services.notify.commands.subscribing import Wanted, address
from services.notify.domain.order import OVER, is_forgotten, next_of
from services.notify.pages.rendering import pages
from services.notify.resources import Held, Resources
from shared.access import Principal, Scope, Tokens, may, require
from shared.http import Caller, Now
from shared.web.pages import language_of

TEXTS = (
    "state_scheduled",
    "state_called",
    "state_in_progress",
    "state_completed",
    "state_no_show",
    "state_cancelled",
    "state_forgotten",
    "minutes_late",
    "with_interpreter",
    "without_interpreter",
)

router = APIRouter(include_in_schema=False)


@router.get("/day")
async def day(
    request: Request, held: Held, who: Caller, now: Now, stop: UUID | None = None
) -> Response:
    """Show one's own meetings at a stop; who has none is led to his or her own page."""
    if not may(who, "live.me", Scope(person_ids=(who.subject,))):
        return RedirectResponse("/home", 303)
    stops = await stops_of(held.database, who.subject)
    shown = await _chosen(held, stops, stop, now)
    if shown is None:
        return pages.render(request, "no_day.html", chooses=_chooses(who))
    language = language_of(request)
    meetings = await current(held.database, held.live, shown["id"], who.subject)
    known = await _names(held, who, meetings, language)
    first = next_of(meetings, now)
    over = [m for m in meetings if m["state"] in OVER or is_forgotten(m, now)]
    return pages.render(
        request,
        "day.html",
        stops=stops if any(s["id"] == shown["id"] for s in stops) else [*stops, shown],
        stop=shown,
        first=first,
        others=[m for m in meetings if m is not first and m not in over],
        over=over,
        forgotten=[m["meeting_id"] for m in over if m["state"] not in OVER],
        me=str(who.subject),
        chooses=_chooses(who),
        names=known,
        now=now,
        calendar=await _calendar(request, held, who, now),
        facts=_facts(who, shown, known, language) | {"now": now.isoformat()},
    )


@router.get("/day/names")
async def day_names(request: Request, held: Held, who: Caller, stop: UUID) -> dict[str, str]:
    """Name the people of one's own meetings, for those that came after the page was made."""
    require(who, "live.me", Scope(person_ids=(who.subject,)))
    await existing_stop(held.database, stop)
    meetings = await current(held.database, held.live, stop, who.subject)
    return await _names(held, who, meetings, language_of(request))


async def _calendar(request: Request, held: Resources, who: Principal, now: datetime) -> str:
    """Give the address of one's own calendar."""
    tokens: Tokens = request.app.state.tokens
    path = await address(held.database, tokens, who, Wanted(), now)
    return held.letterhead.origin + path


def _chooses(who: Principal) -> bool:
    """Say whether somebody chooses whom to meet."""
    return who.role in ("delegate", "local")


async def _chosen(
    held: Resources, stops: list[dict[str, Any]], asked: UUID | None, now: datetime
) -> dict[str, Any] | None:
    """Choose the stop: the one asked for, today's, the first with meetings to come, the last."""
    if asked:
        return await existing_stop(held.database, asked)
    today = [s for s in stops if s["held_on"] == now.astimezone(ZoneInfo(s["timezone"])).date()]
    return next(iter(today or [s for s in stops if s["unfinished"]] or stops[-1:]), None)


async def _names(
    held: Resources, who: Principal, meetings: list[dict[str, Any]], language: str
) -> dict[str, str]:
    others = {UUID(party["participant_id"]) for m in meetings for party in m["parties"]}
    return await names(held.contacts, others - {who.subject}, language)


def _facts(
    who: Principal, stop: dict[str, Any], known: dict[str, str], language: str
) -> dict[str, Any]:
    """Give the page's script what it needs besides the stream."""
    return {
        "me": str(who.subject),
        "stop": str(stop["id"]),
        "zone": stop["timezone"],
        "language": language,
        "names": known,
        "texts": {key: pages.words[key][language] for key in TEXTS},
    }
