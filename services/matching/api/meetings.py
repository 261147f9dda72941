"""Meetings, and the commands of the running day."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_jsonable_python

from services.matching.allowing import seen
from services.matching.bodies import AbsenceBody, DelayBody, DestinationBody
from services.matching.commands import locking, looking, moving, running
from services.matching.commands.moving import Destination
from services.matching.commands.running import Ordered
from services.matching.domain.meetings import Meeting, Step
from services.matching.resources import Held, Resources
from services.matching.store import meetings as store
from services.matching.store import sessions
from shared.access import Principal, Scope, require
from shared.errors import NotFound
from shared.http import Caller, IfMatch, Now, etag

OPTIONS_MAX = 100

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/meetings")
async def list_meetings(
    stop_id: UUID, held: Held, who: Caller, participant_id: UUID | None = None
) -> dict[str, list[dict[str, Any]]]:
    """List a stop's meetings, or somebody's there; to a partner that is no host its own."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        found = await store.of_stop(connection, stop_id)
        if participant_id is None or participant_id != who.subject:
            require(who, "board.read", Scope(stop["mission_id"], stop_id))
            found = await seen(connection, who, stop, found)
        if participant_id is not None:
            found = [m for m in found if participant_id in (*m.people, m.spot.interpreter_id)]
        return {"items": await looking.meeting_views(connection, stop_id, found)}


@router.get("/meetings/{meeting_id}")
async def read_meeting(meeting_id: UUID, held: Held, who: Caller) -> Response:
    """Read a meeting; its revision is the ETag."""
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
        if who.subject not in (*meeting.people, meeting.spot.interpreter_id):
            require(who, "board.read", Scope(meeting.mission_id, meeting.stop_id))
            stop = await looking.existing_stop(connection, meeting.stop_id)
            if not await seen(connection, who, stop, [meeting]):
                raise NotFound("There is no such meeting.")
    return await _shown(held, meeting)


@router.get("/meetings/{meeting_id}/options")
async def list_options(
    meeting_id: UUID,
    held: Held,
    who: Caller,
    limit: Annotated[int, Query(ge=1, le=OPTIONS_MAX)] = 20,
) -> dict[str, list[dict[str, Any]]]:
    """List where a meeting could go now, the nearest in time first."""
    meeting = await _require(held, who, meeting_id)
    found = await moving.options(held.database, meeting_id, limit)
    async with held.database.reading() as connection:
        labels = await sessions.labels(connection, meeting.stop_id)
    return {
        "items": [
            {
                "starts_at": spot.starts_at,
                "ends_at": spot.ends_at,
                "point_id": spot.point_id,
                "point": labels[spot.point_id],
                "interpreter_id": spot.interpreter_id,
            }
            for spot in found
        ]
    }


@router.post("/meetings/{meeting_id}/call")
async def call(meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now) -> Response:
    """Ask the parties to their table."""
    return await _step(held, who, Ordered(meeting_id, revision, now), "call")


@router.post("/meetings/{meeting_id}/start")
async def start(meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now) -> Response:
    """Note that the parties sit at their table."""
    return await _step(held, who, Ordered(meeting_id, revision, now), "start")


@router.post("/meetings/{meeting_id}/finish")
async def finish(
    meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Note that the meeting was held."""
    return await _step(held, who, Ordered(meeting_id, revision, now), "finish")


@router.post("/meetings/{meeting_id}/cancel")
async def cancel(
    meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Cancel a meeting that has not begun."""
    return await _step(held, who, Ordered(meeting_id, revision, now), "cancel")


@router.post("/meetings/{meeting_id}/no-show")
async def miss(
    meeting_id: UUID, body: AbsenceBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Note that a party did not come."""
    await _require(held, who, meeting_id)
    order = Ordered(meeting_id, revision, now)
    return await _shown(held, await running.miss(held.database, order, body.absent))


@router.post("/meetings/{meeting_id}/delay")
async def delay(
    meeting_id: UUID, body: DelayBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Let a meeting start later than planned; it ends as planned."""
    await _require(held, who, meeting_id)
    order = Ordered(meeting_id, revision, now)
    return await _shown(held, await running.delay(held.database, order, body.minutes))


@router.post("/meetings/{meeting_id}/move")
async def move(
    meeting_id: UUID, body: DestinationBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Put a meeting to another slot or point; it stays there in later versions."""
    await _require(held, who, meeting_id)
    to = Destination(body.starts_at, body.point_id, body.interpreter_id)
    order = Ordered(meeting_id, revision, now)
    return await _shown(held, await moving.move(held.database, order, to))


@router.post("/meetings/{meeting_id}/lock")
async def lock(meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now) -> Response:
    """Keep a meeting where it is in later versions of the schedule."""
    return await _lock(held, who, Ordered(meeting_id, revision, now), is_locked=True)


@router.post("/meetings/{meeting_id}/unlock")
async def unlock(
    meeting_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Let later versions of the schedule move a meeting."""
    return await _lock(held, who, Ordered(meeting_id, revision, now), is_locked=False)


async def _lock(held: Resources, who: Principal, order: Ordered, *, is_locked: bool) -> Response:
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, order.meeting_id)
    require(who, "schedule.write", Scope(meeting.mission_id, meeting.stop_id))
    return await _shown(held, await locking.lock(held.database, order, is_locked=is_locked))


async def _step(held: Resources, who: Principal, order: Ordered, step: Step) -> Response:
    await _require(held, who, order.meeting_id)
    return await _shown(held, await running.step(held.database, order, step))


async def _require(held: Resources, who: Principal, meeting_id: UUID) -> Meeting:
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
    require(who, "meeting.run", Scope(meeting.mission_id, meeting.stop_id))
    return meeting


async def _shown(held: Resources, meeting: Meeting) -> Response:
    async with held.database.reading() as connection:
        (view,) = await looking.meeting_views(connection, meeting.stop_id, [meeting])
    return JSONResponse(to_jsonable_python(view), headers=etag(meeting.revision))
