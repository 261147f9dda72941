"""The running day: one command, one transaction, one new revision, one event."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.matching.commands import looking
from services.matching.commands.telling import tell
from services.matching.domain import meetings as domain
from services.matching.domain.meetings import Meeting
from services.matching.store import facts
from services.matching.store import meetings as store
from shared.errors import Stale
from shared.events.matching import (
    MeetingCalled,
    MeetingCancelled,
    MeetingDelayed,
    MeetingEvent,
    MeetingFinished,
    MeetingMissed,
    MeetingStarted,
)
from shared.postgres import Connection, Database

STEPS: dict[domain.Step, type[MeetingEvent]] = {
    "call": MeetingCalled,
    "start": MeetingStarted,
    "finish": MeetingFinished,
    "cancel": MeetingCancelled,
}


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command: which meeting, on which revision it was decided, and when."""

    meeting_id: UUID
    revision: int
    now: datetime


async def step(database: Database, order: Ordered, step_: domain.Step) -> Meeting:
    """Call, start, finish or cancel; raises `NotFound`, `Stale`, or `Conflict` by its state."""
    return await _change(
        database, order, STEPS[step_], lambda meeting: domain.stepped(meeting, step_, order.now)
    )


async def miss(database: Database, order: Ordered, absent: list[UUID]) -> Meeting:
    """Note who did not come; raises as `step` does, and `Invalid` for a stranger."""
    return await _change(
        database, order, MeetingMissed, lambda meeting: domain.missed(meeting, absent)
    )


async def delay(database: Database, order: Ordered, minutes: int) -> Meeting:
    """Let it start later; raises as `step` does, and `Invalid` when nothing would be left."""
    return await _change(
        database, order, MeetingDelayed, lambda meeting: domain.delayed(meeting, minutes)
    )


async def _change(
    database: Database,
    order: Ordered,
    kind: type[MeetingEvent],
    decide: Callable[[Meeting], Meeting],
) -> Meeting:
    async with database.transaction() as connection:
        number = None
        if kind is MeetingCancelled:
            # The stop before the meeting, as whoever publishes does.
            known = await looking.existing_meeting(connection, order.meeting_id)
            number = await facts.intervene(connection, known.stop_id)
        changed = revised(decide(await locked(connection, order)))
        if number:
            changed = replace(changed, intervention=number)
        await store.put(connection, [changed])
        if changed.state == "cancelled":
            await store.book(connection, [changed])
        await tell(connection, kind, [changed], order.now)
        return changed


async def locked(connection: Connection, order: Ordered) -> Meeting:
    """Read and lock the meeting of a command; raises `NotFound` or `Stale`."""
    meeting = await looking.existing_meeting(connection, order.meeting_id, lock=True)
    if meeting.revision != order.revision:
        raise Stale(f"This meeting is at revision {meeting.revision} by now; look again.")
    return meeting


def revised(meeting: Meeting) -> Meeting:
    """Give a changed meeting its next revision."""
    return replace(meeting, revision=meeting.revision + 1)
