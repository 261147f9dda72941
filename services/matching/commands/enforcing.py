"""Enforcing: a repair is put in force whole, or what came between is named."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import uuid4

import asyncpg

from services.matching.commands.checking import check, outdated
from services.matching.commands.telling import tell
from services.matching.domain.meetings import Meeting
from services.matching.domain.repair.record import Added, Happened, Record, Touched
from services.matching.store import absences, facts, meetings, schedules, sessions
from shared.events.matching import MeetingCancelled, MeetingMoved, MeetingScheduled
from shared.postgres import Connection


async def put_in_force(
    connection: Connection, stop: facts.Row, what: tuple[Happened, Record], now: datetime
) -> None:
    """Note who is away, close what is lost, and change the meetings; the stop is locked.

    Raises `Outdated`, which names the first meeting that is not as it was, or cannot go there.
    """
    told, record = what
    await absences.note(connection, stop["id"], told.absences, now)
    for lost in told.closings:
        await sessions.close_point(connection, lost.point_id, lost.closed_from)
    number = await facts.intervene(connection, stop["id"])
    before = await _unchanged(connection, stop, record.touched, now)
    goals = {one.meeting_id: one.to for one in record.touched}
    changed = [replace(one, revision=one.revision + 1, intervention=number) for one in before]
    cancelled = [replace(one, state="cancelled") for one in changed if goals[one.id] is None]
    moved = [
        replace(one, spot=to.spot, delay_minutes=0) for one in changed if (to := goals[one.id])
    ]
    added = [await _new(connection, stop, one) for one in record.additions]
    await check(connection, stop, moved, added, now, cancelled)
    await _write(connection, stop, cancelled, [*moved, *added])
    former = {meeting.id: meeting.spot.interpreter_id for meeting in before}
    await tell(connection, MeetingCancelled, cancelled, now)
    await tell(connection, MeetingMoved, moved, now, former)
    await tell(connection, MeetingScheduled, added, now)


async def add(connection: Connection, stop: facts.Row, offer: Added, now: datetime) -> None:
    """Let two meet where something became free; the stop is locked. Raises `Outdated`."""
    added = [await _new(connection, stop, offer)]
    await check(connection, stop, [], added, now)
    await _write(connection, stop, [], added)
    await tell(connection, MeetingScheduled, added, now)


async def _unchanged(
    connection: Connection, stop: facts.Row, touched: Iterable[Touched], now: datetime
) -> list[Meeting]:
    """Lock the meetings of a proposal; each must be at the revision that it was decided on."""
    found = []
    # In one order for all: two that lock each other's meetings would wait for ever.
    for one in sorted(touched, key=lambda touched: touched.meeting_id):
        meeting = await meetings.one(connection, one.meeting_id, lock=True)
        about = (one.meeting_id, one.people, one.now.spot)
        if meeting is None or (meeting.revision, meeting.state) != (one.revision, "scheduled"):
            raise await outdated(connection, stop, about, "changed")
        if meeting.spot.starts_at <= now:
            raise await outdated(connection, stop, about, "late")
        found.append(meeting)
    return found


async def _write(
    connection: Connection,
    stop: facts.Row,
    cancelled: Sequence[Meeting],
    placed: Sequence[Meeting],
) -> None:
    """Write what changed; the walls decide, and whom they refuse is named."""
    every = [*cancelled, *placed]
    try:
        async with connection.transaction():
            await meetings.put(connection, every)
            await meetings.book(connection, every)
            await meetings.check_walls(connection)
    except asyncpg.UniqueViolationError:
        here = await meetings.of_stop(connection, stop["id"])
        there = {frozenset(one.people) for one in here if one.state != "cancelled"}
        there |= await meetings.pairs_elsewhere(connection, stop["mission_id"], stop["id"])
        one = next(one for one in placed if frozenset(one.people) in there and one.revision == 1)
        about = (one.id, one.people, one.spot)
        raise await outdated(connection, stop, about, "has_one") from None
    except asyncpg.ExclusionViolationError:
        one = await _taken(connection, every, placed)
        about = (one.id, one.people, one.spot)
        raise await outdated(connection, stop, about, "taken") from None


async def _taken(
    connection: Connection, every: Sequence[Meeting], placed: Sequence[Meeting]
) -> Meeting:
    """Give the first of those placed that wants what another meeting holds."""
    resources = {resource for one in placed for resource in one.resources}
    held = await meetings.bookings(connection, resources, without=[one.id for one in every])
    return next(
        one
        for one in placed
        if any(
            starts_at < one.spot.ends_at and one.spot.starts_at < ends_at
            for resource in one.resources
            for starts_at, ends_at in held.get(resource, ())
        )
    )


async def _new(connection: Connection, stop: facts.Row, one: Added) -> Meeting:
    """Make a meeting of the version in force."""
    return Meeting(
        id=uuid4(),
        stop_id=stop["id"],
        mission_id=stop["mission_id"],
        session_id=one.session_id,
        delegate_id=one.delegate_id,
        local_id=one.local_id,
        spot=one.to.spot,
        interpreter_needed=one.interpreter_needed,
        # As by hand: a version that was made before must not cancel it.
        locked=True,
        schedule_number=await schedules.next_number(connection, stop["id"]) - 1,
    )
