"""The board's card about the schedule: how far the solver is, what it found, and what cannot be."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.matching.commands import looking, scheduling
from services.matching.domain.meetings import Meeting
from services.matching.domain.problem import Conflict, Stage
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import meetings, schedules
from shared.access import Principal, Scope, may, require
from shared.errors import Refusal
from shared.events.base import Bilingual
from shared.http import Caller, Now
from shared.postgres import Connection

SOLVER_SECONDS_MAX = 10
STAGES: Sequence[Stage] = get_args(Stage)

router = APIRouter(include_in_schema=False)


@router.get("/stops/{stop_id}/board/schedule")
async def card(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show the card alone; the page asks for it while a schedule is being made."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        require(who, "board.read", Scope(stop["mission_id"], stop_id))
        found = await meetings.of_stop(connection, stop_id)
        facts = await card_facts(connection, who, stop, found)
    return pages.render(request, "schedule_card.html", **facts)


@router.post("/stops/{stop_id}/board/schedules")
async def ask(stop_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Have a schedule made, and go back to the board."""
    await require_writer(held, who, stop_id)
    await scheduling.ask(held.database, stop_id, SOLVER_SECONDS_MAX, None, now)
    held.asked.set()
    return RedirectResponse(f"/stops/{stop_id}/board", 303)


@router.post("/stops/{stop_id}/board/schedules/{schedule_id}/cancel")
async def cancel(stop_id: UUID, schedule_id: UUID, held: Held, who: Caller) -> Response:
    """End a search, and go back to the board, where the best so far is shown."""
    async with held.database.reading() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
    await require_writer(held, who, schedule["stop_id"])
    await scheduling.cancel(held.database, schedule_id)
    return RedirectResponse(f"/stops/{stop_id}/board", 303)


def why_refused(refusal: Refusal, state: str, language: str) -> str:
    """Say why a version in some state is not published or edited, where no meeting is to blame."""
    is_open = state == "provisional"
    keys = (f"refused_{refusal.code if is_open else state}", "refused_now")
    return pages.text(next(key for key in keys if key in pages.words), language)


async def require_writer(held: Resources, who: Principal, stop_id: UUID) -> None:
    """Refuse whoever may not make schedules of a stop."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "schedule.write", Scope(stop["mission_id"], stop_id))


async def card_facts(
    connection: Connection, who: Principal, stop: looking.Row, found: Sequence[Meeting]
) -> dict[str, Any]:
    """Give what the card shows; `found` are the stop's meetings."""
    rows = await schedules.of_stop(connection, stop["id"])
    may_write = may(who, "schedule.write", Scope(stop["mission_id"], stop["id"]))
    conflicts = []
    if rows and may_write:
        conflicts = [
            Conflict.model_validate(one)
            for one in await schedules.conflicts(connection, rows[0]["id"])
        ]
    people = {person for one in conflicts for pair in one.pairs for person in pair}
    people |= {person for one in conflicts for person in one.people}
    return {
        "stop": stop,
        "schedules": rows,
        "numbers": _numbers(found),
        "fewer": _fewer(rows, found),
        "may_write": may_write,
        "stages": STAGES,
        "conflicts": conflicts,
        "companies": await _companies(connection, people),
        "percent": _percent,
    }


async def _companies(connection: Connection, people: set[UUID]) -> Mapping[UUID, Bilingual]:
    return {
        person: Bilingual(en=row["organization"], zh=row["native_organization"] or "")
        for person, row in (await meetings.companies(connection, people)).items()
    }


def _numbers(found: Sequence[Meeting]) -> dict[str, int]:
    states = [meeting.state for meeting in found]
    return {state: states.count(state) for state in dict.fromkeys(states)}


def _fewer(rows: Sequence[Any], found: Sequence[Meeting]) -> int:
    """Count by how many meetings a proposal has fewer than are in force."""
    if not rows or rows[0]["state"] != "provisional":
        return 0
    proposed: int = rows[0]["meetings"]
    return max(0, sum(one.state != "cancelled" for one in found) - proposed)


def _percent(share: float) -> str:
    """Write a share in percent; what is not all is never rounded to all."""
    percent = 100 * share
    rounded = round(percent, 1)
    if rounded == 100 and percent < 100:  # noqa: PLR2004  # percent
        rounded = 99.9
    if rounded == 0 < percent:
        rounded = 0.1
    return f"{rounded:g}"
