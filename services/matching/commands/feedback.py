"""Feedback: each side, or staff for it, says what a meeting was worth."""

from datetime import datetime
from typing import Any
from uuid import UUID

from services.matching.commands import looking
from services.matching.domain import feedback as domain
from services.matching.domain.feedback import Felt, Opinion
from services.matching.domain.requests import Author
from services.matching.store import feedback as store
from shared.events.matching import MeetingReported
from shared.ids import new_id
from shared.log import outbox
from shared.postgres import Connection, Database


async def say(
    database: Database, about: tuple[UUID, UUID], opinion: Opinion, by: Author, now: datetime
) -> dict[str, Any]:
    """Take in what a meeting was to one of the two (`about`: meeting, person); the last counts.

    Raises `NotFound`, `Invalid` for a stranger and for an opinion of what was not held, and
    `Conflict` before it has begun (`too_early`) or where it was cancelled.
    """
    meeting_id, person_id = about
    async with database.transaction() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id, lock=True)
        side = domain.side_of(meeting, person_id)
        domain.check_opinion(opinion)
        domain.check_over(meeting, now)
        said = await store.of_meeting(connection, meeting_id)
        before = next((row for row in said if row["side"] == side), None)
        report: dict[str, Any] = {
            "id": before["id"] if before else new_id(),
            "revision": before["revision"] + 1 if before else 1,
            "meeting_id": meeting.id,
            "stop_id": meeting.stop_id,
            "mission_id": meeting.mission_id,
            "person_id": person_id,
            "side": side,
            "was_held": opinion.was_held,
            "usefulness": opinion.usefulness,
            "next_step": opinion.next_step,
            "note": opinion.note,
            "stated_by": by.id,
            "stated_role": by.role,
            "stated_at": now,
        }
        await store.add(connection, report)
        event = MeetingReported(
            report_id=report["id"],
            meeting_id=meeting.id,
            stop_id=meeting.stop_id,
            mission_id=meeting.mission_id,
            revision=report["revision"],
            side=side,
            was_held=opinion.was_held,
            occurred_at=now,
        )
        await outbox.append(connection, event, sequence=event.revision, now=now)
        return report


async def summary(
    connection: Connection, mission_id: UUID, stop_id: UUID | None = None
) -> tuple[Felt, Felt]:
    """Sum up what the sides said of a mission's meetings, or of a stop's."""
    rows = await store.of_mission(connection, mission_id, stop_id)
    names = ("was_held", "usefulness", "next_step", "note")
    return domain.felt((row["side"], Opinion(*(row[name] for name in names))) for row in rows)
