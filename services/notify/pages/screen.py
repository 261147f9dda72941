"""The venue screen: who is called to which table, in both languages at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.notify.commands.looking import current, existing_stop
from services.notify.domain.order import by_point
from services.notify.pages.rendering import pages
from services.notify.resources import Held
from shared.access import Scope, require
from shared.http import Caller, Now

SIZES = (6, 12, 20, 30, 42)
"""How many tables a layout has room for."""
STATES = ("called", "in_progress", "next", "free")

router = APIRouter(include_in_schema=False)


@router.get("/screen/{stop_id}")
async def screen(stop_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Show every table of a stop."""
    stop = await existing_stop(held.database, stop_id)
    require(who, "live.stop", Scope(stop["mission_id"], stop_id))
    tables = by_point(await current(held.database, held.live, stop_id), now)
    return pages.render(
        request,
        "screen.html",
        stop=stop,
        tables=tables,
        size=next((size for size in SIZES if len(tables) <= size), SIZES[-1]),
        clock_at=now,
        both=_both,
        empty=pages.words["screen_empty"],
        facts=_facts(stop, now),
    )


def _both(key: str, **values: object) -> str:
    """Give a text in both languages, the host's first."""
    return f"{pages.text(key, 'zh', **values)} {pages.text(key, 'en', **values)}"


def _facts(stop: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Give the page's script what it needs besides the stream."""
    return {
        "stop": str(stop["id"]),
        "zone": stop["timezone"],
        "now": now.isoformat(),
        "texts": {state: pages.words[f"screen_{state}"] for state in STATES},
    }
