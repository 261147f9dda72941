"""Moving a meeting: where it could go, and putting it there."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from services.matching.commands import fitting, looking, reaching
from services.matching.commands.barring import refuse_barred
from services.matching.commands.running import Ordered, locked, revised
from services.matching.commands.telling import tell
from services.matching.domain import meetings as domain
from services.matching.domain.explaining import reason
from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point, Surroundings, free_spots
from services.matching.store import absences, facts, sessions
from services.matching.store import meetings as store
from shared.errors import Conflict, Fault, Invalid
from shared.events.matching import MeetingMoved
from shared.postgres import Connection, Database


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a meeting is to go; the interpreter is kept, or chosen, when none is named."""

    starts_at: datetime
    point_id: UUID
    interpreter_id: UUID | None


async def move(database: Database, order: Ordered, to: Destination) -> Meeting:
    """Put a meeting elsewhere, where it stays in later versions.

    Raises `NotFound`, `Stale`, `Conflict` by its state, `Invalid` where its session has no such
    slot, point or interpreter, and `Conflict` where something it needs is taken or away then
    (`taken`), somebody has no time for the way (`too_far`), or the two are kept apart by now
    (`barred`).
    """
    async with database.transaction() as connection:
        stop_id = (await looking.existing_meeting(connection, order.meeting_id)).stop_id
        # Two who take one place would wait for one another at the wall: this locks the stop.
        intervention = await facts.intervene(connection, stop_id)
        meeting = await locked(connection, order)
        await refuse_barred(connection, meeting)
        spot = await _spot(connection, meeting, to)
        moved = replace(revised(domain.moved(meeting, spot)), intervention=intervention)
        held = [(resource, spot.starts_at, spot.ends_at) for resource in moved.resources]
        if await absences.met_by(connection, held):
            raise await _taken(connection, meeting, spot)
        await _refuse_too_far(connection, moved)
        try:
            async with connection.transaction():
                await store.put(connection, [moved])
                await store.book(connection, [moved])
                await store.check_walls(connection)
        except asyncpg.ExclusionViolationError:
            raise await _taken(connection, meeting, spot) from None
        former = {meeting.id: meeting.spot.interpreter_id}
        await tell(connection, MeetingMoved, [moved], order.now, former)
        return moved


async def options(database: Database, meeting_id: UUID, limit: int) -> list[Spot]:
    """List where a meeting could go now: its own slot at other points first, then the nearest."""
    async with database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
        if meeting.state not in domain.NOT_BEGUN:
            return []
        return free_spots(meeting, await _surroundings(connection, meeting))[:limit]


async def _spot(connection: Connection, meeting: Meeting, to: Destination) -> Spot:
    around = await _surroundings(connection, meeting)
    slot = next((slot for slot in around.slots if slot.starts_at == to.starts_at), None)
    faults = []
    if slot is None:
        faults.append(Fault("/starts_at", "No slot of the session starts then."))
    point = next((point for point in around.points if point.id == to.point_id), None)
    if point is None:
        faults.append(Fault("/point_id", "The session has no such point."))
    helper = to.interpreter_id
    if helper is not None and helper not in around.helpers:
        faults.append(Fault("/interpreter_id", "None who speaks with both, or none is needed."))
    if slot is None or point is None or faults:
        raise Invalid("A meeting goes to a slot and a point of its session.", faults=faults)
    if not point.is_open_until(slot.ends_at):
        raise Conflict("Taken at that time: the point, which is closed.", code="taken")
    if helper is None and meeting.interpreter_needed:
        # Nobody free: the one it has now is named as taken by the wall.
        helper = next(around.free_helpers(slot, point.venue), meeting.spot.interpreter_id)
    return Spot(slot.starts_at, slot.ends_at, to.point_id, helper)


async def _surroundings(connection: Connection, meeting: Meeting) -> Surroundings:
    session = await looking.existing_session(connection, meeting.session_id)
    points = await sessions.points_of(connection, meeting.session_id)
    helpers = await _helpers(connection, meeting)
    resources = [*meeting.people, *(point["id"] for point in points), *helpers]
    return Surroundings(
        slots=sessions.slots(session),
        points=[Point(p["id"], p["closed_from"], p["venue"]) for p in points],
        helpers=helpers,
        taken=await store.bookings(connection, resources, without=[meeting.id]),
        trips=await reaching.trips(connection, meeting.stop_id, meeting.id),
    )


async def _helpers(connection: Connection, meeting: Meeting) -> list[UUID]:
    """List the interpreters who can speak with both, the present one first."""
    if not meeting.interpreter_needed:
        return []
    spoken = await store.languages(connection, meeting.people)
    able = [
        row["id"]
        for row in await facts.interpreters(connection, meeting.stop_id)
        if all(set(row["languages"]) & set(languages) for languages in spoken)
    ]
    return sorted(able, key=lambda helper: helper != meeting.spot.interpreter_id)


async def _refuse_too_far(connection: Connection, moved: Meeting) -> None:
    found = await reaching.too_far(connection, moved.stop_id, [moved])
    if not found:
        return
    others = [person for one in found if one.other for person in one.other.people]
    names = await fitting.names(connection, moved.stop_id, [*moved.people, *others])
    sentences = [reason(one, names).en for one in found]
    # The first letter alone: the others are of names.
    detail = " ".join(f"{text[:1].upper()}{text[1:]}." for text in sentences)
    raise Conflict(detail, code="too_far")


async def _taken(connection: Connection, meeting: Meeting, spot: Spot) -> Conflict:
    names = {
        spot.point_id: "the point",
        spot.interpreter_id: "the interpreter",
        meeting.delegate_id: "the delegate",
        meeting.local_id: "the local participant",
    }
    taken = await store.bookings(connection, filter(None, names), without=[meeting.id])
    found = [
        names[resource]
        for resource, times in taken.items()
        if any(starts < spot.ends_at and spot.starts_at < ends for starts, ends in times)
    ]
    return Conflict(f"Taken at that time: {', '.join(found)}.", code="taken")
