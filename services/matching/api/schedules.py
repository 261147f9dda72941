"""Schedules: asked for, solved, published."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from services.matching.answers import ScheduleAsked
from services.matching.bodies import ScheduleBody
from services.matching.commands import looking, publishing, scheduling
from services.matching.domain.unmet import Unmet
from services.matching.resources import Held, Resources
from services.matching.store import schedules as store
from services.matching.store import sessions
from shared.access import Principal, Scope, require
from shared.http import Caller, IfMatchIfAny, Now, etag, now
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post("/schedules", status_code=202, response_model=ScheduleAsked)
async def ask(body: ScheduleBody, held: Held, who: Caller, key: OptionalKey, now: Now) -> Response:
    """Have a schedule made for a stop. The solver works on it beside other requests."""
    await _require(held, who, body.stop_id)
    answer = await scheduling.ask(held.database, body.stop_id, body.seconds_max, key, now)
    held.asked.set()
    return answer.response()


@router.get("/schedules")
async def list_schedules(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List a stop's schedules, the newest first."""
    await _require(held, who, stop_id)
    async with held.database.reading() as connection:
        return {"items": [dict(row) for row in await store.of_stop(connection, stop_id)]}


@router.get("/schedules/{schedule_id}")
async def read_schedule(
    schedule_id: UUID, held: Held, who: Caller, response: Response
) -> dict[str, Any]:
    """Read a schedule: its progress, its meetings, and why wishes are not in it.

    The version's revision is the ETag.
    """
    async with held.database.reading() as connection:
        schedule = dict(await looking.existing_schedule(connection, schedule_id))
        labels = await sessions.labels(connection, schedule["stop_id"])
    await _require(held, who, schedule["stop_id"])
    response.headers.update(etag(schedule["revision"]))
    entries, unmet = schedule.pop("entries"), schedule.pop("unmet")
    return schedule | {
        "entries": [entry | {"point": labels[UUID(entry["point_id"])]} for entry in entries],
        "unmet": [Unmet.model_validate(one).shown() for one in unmet],
    }


@router.post("/schedules/{schedule_id}/cancel")
async def cancel(schedule_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """End a search; what it has found so far is kept as a provisional version."""
    async with held.database.reading() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
    await _require(held, who, schedule["stop_id"])
    return await scheduling.cancel(held.database, schedule_id)


@router.post("/schedules/{schedule_id}/publish")
async def publish(
    schedule_id: UUID, held: Held, who: Caller, seen: IfMatchIfAny, response: Response
) -> dict[str, Any]:
    """Put a schedule in force and tell those whom it changes.

    With If-Match only as it was seen: nobody else's edit comes into force unseen.
    """
    async with held.database.reading() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
    await _require(held, who, schedule["stop_id"])
    content = await publishing.publish(held.database, schedule_id, now, seen)
    response.headers.update(etag(content["revision"]))
    return content


async def _require(held: Resources, who: Principal, stop_id: UUID) -> None:
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "schedule.write", Scope(stop["mission_id"], stop_id))
