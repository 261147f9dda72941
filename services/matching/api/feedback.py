"""What the sides say of their meetings. Neither reads the other's word."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic_core import to_jsonable_python

from services.matching.acting import author
from services.matching.commands import feedback, looking
from services.matching.domain.feedback import Opinion
from services.matching.domain.meetings import Meeting
from services.matching.outcome_bodies import MeetingReportBody
from services.matching.resources import Held, Resources
from services.matching.store import feedback as store
from services.matching.store import meetings
from shared.access import Principal, Scope, may, require
from shared.http import Caller, Now
from shared.postgres import Connection

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post("/meetings/{meeting_id}/report", status_code=201)
async def say(
    meeting_id: UUID, body: MeetingReportBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Say what a meeting was to one of the two, once it has begun; the last word counts."""
    person = body.participant_id or who.subject
    await require_for(held, who, meeting_id, person)
    opinion = Opinion(body.was_held, body.usefulness, body.next_step, body.note)
    report = await feedback.say(held.database, (meeting_id, person), opinion, author(who), now)
    shown: dict[str, Any] = to_jsonable_python(report)
    return shown


@router.get("/meetings/{meeting_id}/reports")
async def list_reports(
    meeting_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List what was said of a meeting: one's own side's words, for staff all."""
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
        sides = await _sides(connection, who, meeting)
        if not sides:
            require(who, "feedback.write", Scope(meeting.mission_id, meeting.stop_id))
        rows = await store.of_meeting(connection, meeting_id)
    return {"items": [to_jsonable_python(dict(row)) for row in rows if row["side"] in sides]}


@router.get("/outcomes/feedback")
async def read_summary(
    mission_id: UUID, held: Held, who: Caller, stop_id: UUID | None = None
) -> dict[str, Any]:
    """Sum up what the sides said of their meetings, for mission staff."""
    require(who, "feedback.write", Scope(mission_id, stop_id))
    async with held.database.reading() as connection:
        sides = await feedback.summary(connection, mission_id, stop_id)
    return {"mission_id": mission_id, "stop_id": stop_id, "sides": [s.model_dump() for s in sides]}


async def require_for(
    held: Resources, who: Principal, meeting_id: UUID, person_id: UUID
) -> Meeting:
    """Check the right to speak of a meeting for one of the two; raises `Forbidden`, `NotFound`."""
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
        partners = await meetings.companies(connection, [person_id])
    partner = partners[person_id]["partner_id"] if person_id in partners else None
    # Whoever is not part of the meeting is told so, and speaks for nobody.
    person = (person_id,) if person_id in meeting.people else ()
    scope = Scope(meeting.mission_id, meeting.stop_id, person, partner)
    require(who, "feedback.write", scope)
    return meeting


async def _sides(connection: Connection, who: Principal, meeting: Meeting) -> set[str]:
    rows = await meetings.companies(connection, meeting.people)
    return {
        row["side"]
        for person, row in rows.items()
        if may(
            who,
            "feedback.write",
            Scope(meeting.mission_id, meeting.stop_id, (person,), row["partner_id"]),
        )
    }
