"""Looking: what routes and pages read."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.commands.telling import parties
from services.matching.domain.meetings import Meeting
from services.matching.store import facts, meetings, requests, schedules, sessions, versions
from shared.errors import NotFound, Stale
from shared.postgres import Connection

Row = asyncpg.Record


async def existing_stop(connection: Connection, stop_id: UUID, *, lock: bool = False) -> Row:
    """Read a stop; raises `NotFound`."""
    return _found(await facts.stop(connection, stop_id, lock=lock), "stop")


async def existing_session(connection: Connection, session_id: UUID) -> Row:
    """Read a meeting session; raises `NotFound`."""
    return _found(await sessions.one(connection, session_id), "meeting session")


async def existing_schedule(connection: Connection, schedule_id: UUID) -> Row:
    """Read a schedule; raises `NotFound`."""
    return _found(await schedules.one(connection, schedule_id), "schedule")


async def existing_version(
    connection: Connection, schedule_id: UUID, *, revision: int | None = None
) -> Row:
    """Read a schedule as it can be edited; raises `NotFound`, and `Stale` at another revision."""
    found = _found(await versions.one(connection, schedule_id), "schedule")
    if revision is not None and found["revision"] != revision:
        raise Stale(f"This schedule is at revision {found['revision']} by now; look again.")
    return found


async def existing_request(connection: Connection, request_id: UUID, *, lock: bool = False) -> Row:
    """Read a request; raises `NotFound`."""
    return _found(await requests.one(connection, request_id, lock=lock), "request")


async def existing_participant(connection: Connection, stop_id: UUID, person_id: UUID) -> Row:
    """Read somebody who has a place among the stop's meetings; raises `NotFound`."""
    return _found(await facts.profile_at(connection, stop_id, person_id), "participant here")


async def existing_meeting(
    connection: Connection, meeting_id: UUID, *, lock: bool = False
) -> Meeting:
    """Read a meeting; raises `NotFound`."""
    meeting = await meetings.one(connection, meeting_id, lock=lock)
    if meeting is None:
        raise NotFound("There is no such meeting.")
    return meeting


def _found(row: Row | None, what: str) -> Row:
    if row is None:
        raise NotFound(f"There is no such {what}.")
    return row


async def session_view(connection: Connection, session: Row) -> dict[str, Any]:
    """Show a session with its slots and points."""
    points = await sessions.points_of(connection, session["id"])
    return {
        "id": session["id"],
        "stop_id": session["stop_id"],
        "programme_item_id": session["programme_item_id"],
        "slug": session["slug"],
        "venue": session["venue"],
        "slots": [
            {"number": slot.number, "starts_at": slot.starts_at, "ends_at": slot.ends_at}
            for slot in sessions.slots(session)
        ],
        "points": [dict(point) for point in points],
    }


async def meeting_views(
    connection: Connection, stop_id: UUID, found: Sequence[Meeting]
) -> list[dict[str, Any]]:
    """Show meetings of one stop with their companies and points."""
    labels = await sessions.labels(connection, stop_id)
    people = {person for meeting in found for person in meeting.people}
    companies = await meetings.companies(connection, people)
    return [
        {
            "meeting_id": one.id,
            "stop_id": one.stop_id,
            "mission_id": one.mission_id,
            "revision": one.revision,
            "state": one.state,
            "starts_at": one.spot.starts_at,
            "ends_at": one.spot.ends_at,
            "delay_minutes": one.delay_minutes,
            "point_id": one.spot.point_id,
            "point": labels[one.spot.point_id],
            "parties": [party.model_dump() for party in parties(one, companies)],
            "interpreter_id": one.spot.interpreter_id,
            "interpreter_needed": one.interpreter_needed,
            "locked": one.locked,
            "schedule_number": one.schedule_number,
            "started_at": one.started_at,
            "finished_at": one.finished_at,
        }
        for one in found
    ]
