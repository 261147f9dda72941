"""Telling: the event that says what became of a meeting."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.store import meetings as store
from services.matching.store import sessions
from shared.events.matching import MeetingEvent, MeetingMoved, Party
from shared.log import outbox
from shared.postgres import Connection


async def tell(
    connection: Connection,
    kind: type[MeetingEvent],
    changed: Sequence[Meeting],
    now: datetime,
    former_interpreters: Mapping[UUID, UUID | None] | None = None,
) -> None:
    """Announce the new state of meetings that are locked; each has its new revision."""
    if not changed:
        return
    labels = await sessions.labels(connection, changed[0].stop_id)
    people = {person for meeting in changed for person in meeting.people}
    companies = await store.companies(connection, people)
    events = []
    for meeting in changed:
        facts = _facts(meeting, labels, companies) | {"occurred_at": now}
        if kind is MeetingMoved:
            former = (former_interpreters or {}).get(meeting.id)
            is_released = former != meeting.spot.interpreter_id
            facts["former_interpreter_id"] = former if is_released else None
        events.append((kind(**facts), meeting.revision))
    await outbox.append_all(connection, events, now=now)


def parties(meeting: Meeting, companies: Mapping[UUID, Any]) -> tuple[Party, ...]:
    """Give the two sides of a meeting, the delegation first."""
    return tuple(
        Party(
            participant_id=person,
            side=companies[person]["side"],
            organization=companies[person]["organization"],
            native_organization=companies[person]["native_organization"],
            attendance=attendance,
        )
        for person, attendance in (
            (meeting.delegate_id, meeting.delegate_attendance),
            (meeting.local_id, meeting.local_attendance),
        )
    )


def _facts(
    meeting: Meeting, labels: Mapping[UUID, str], companies: Mapping[UUID, Any]
) -> dict[str, Any]:
    return {
        "meeting_id": meeting.id,
        "stop_id": meeting.stop_id,
        "mission_id": meeting.mission_id,
        "revision": meeting.revision,
        "state": meeting.state,
        "starts_at": meeting.spot.starts_at,
        "ends_at": meeting.spot.ends_at,
        "delay_minutes": meeting.delay_minutes,
        "point": labels[meeting.spot.point_id],
        "parties": parties(meeting, companies),
        "interpreter_id": meeting.spot.interpreter_id,
        "schedule_number": meeting.schedule_number,
    }
