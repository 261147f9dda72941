"""Publishing: a provisional version is put in force in one transaction, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.matching.commands import looking
from services.matching.commands.fitting import refuse_misfits
from services.matching.commands.telling import tell
from services.matching.domain.fitting import as_meeting
from services.matching.domain.meetings import Meeting
from services.matching.domain.versions import Entry, differences
from services.matching.store import facts, meetings, versions
from services.matching.store import schedules as store
from shared.errors import Conflict
from shared.events.matching import (
    MeetingCancelled,
    MeetingMoved,
    MeetingScheduled,
    SchedulePublished,
)
from shared.log import outbox
from shared.postgres import Connection, Database


@dataclass(frozen=True, slots=True)
class _Version:
    stop: asyncpg.Record
    number: int
    entries: tuple[Entry, ...]
    since: int
    """How many interventions there had been when it was made."""


@dataclass(frozen=True, slots=True)
class _Written:
    cancelled: list[Meeting]
    moved: list[Meeting]
    added: list[Meeting]
    former: dict[UUID, UUID | None]
    """The interpreters that moved meetings had."""
    count: int


async def publish(
    database: Database,
    schedule_id: UUID,
    clock: Callable[[], datetime],
    revision: int | None = None,
) -> dict[str, Any]:
    """Put a version in force and tell everybody whom it changes; a repeat changes nothing.

    `clock` is asked when all is written: a large version takes its time, and waits for its turn.
    Raises `NotFound`, `Stale` when it was edited after `revision`, or `Conflict` when it is not
    solved, superseded, or does not fit any more (`stale_schedule`).
    """
    async with database.transaction() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
        stop = await facts.stop(connection, schedule["stop_id"], lock=True)
        assert stop is not None
        schedule = await looking.existing_schedule(connection, schedule_id)
        if schedule["state"] == "published":
            return _content(schedule)
        if schedule["state"] != "provisional":
            raise Conflict(f"A schedule that is {schedule['state']} cannot be published.")
        row = await looking.existing_version(connection, schedule_id, revision=revision)
        entries, since = tuple(versions.entries_of(row)), row["interventions"]
        number = await store.next_number(connection, stop["id"])
        try:
            async with connection.transaction():
                written = await _put_in_force(connection, _Version(stop, number, entries, since))
        except (asyncpg.ExclusionViolationError, asyncpg.UniqueViolationError):
            # Taken at another stop in this moment: what is there now says which meeting.
            current = await meetings.of_stop(connection, stop["id"])
            await refuse_misfits(connection, stop["id"], entries, current, since)
            raise
        now = clock()
        await _tell(connection, written, now)
        await store.publish(connection, schedule_id, number, written.count, now)
        event = SchedulePublished(
            schedule_id=schedule_id,
            stop_id=stop["id"],
            mission_id=stop["mission_id"],
            number=number,
            meetings=len(entries),
            changed=written.count,
        )
        await outbox.append(connection, event, sequence=number, now=now)
        return _content(await looking.existing_schedule(connection, schedule_id))


async def _put_in_force(connection: Connection, version: _Version) -> _Written:
    current = await meetings.of_stop(connection, version.stop["id"], lock=True)
    entries = {(entry.delegate_id, entry.local_id): entry for entry in version.entries}
    since = version.since
    await refuse_misfits(connection, version.stop["id"], version.entries, current, since)
    found = differences(current, {pair: entry.spot for pair, entry in entries.items()}, since)
    cancelled = [_revised(one, version, state="cancelled") for one in found.cancelled]
    moved = [_moved(one, entries[one.people], version) for one, _ in found.moved]
    added = [_new(entries[pair], version) for pair, _ in found.added]
    placed = [pair for pair, entry in entries.items() if entry.locked]
    await versions.lock_meetings(connection, version.stop["id"], placed)
    # What is cancelled first: a pair meets once.
    await meetings.put(connection, [*cancelled, *moved, *added])
    await meetings.book(connection, [*cancelled, *moved, *added])
    await meetings.check_walls(connection)
    former = {one.id: one.spot.interpreter_id for one, _ in found.moved}
    return _Written(cancelled, moved, added, former, found.count)


async def _tell(connection: Connection, written: _Written, now: datetime) -> None:
    await tell(connection, MeetingCancelled, written.cancelled, now)
    await tell(connection, MeetingMoved, written.moved, now, written.former)
    await tell(connection, MeetingScheduled, written.added, now)


def _moved(meeting: Meeting, entry: Entry, version: _Version) -> Meeting:
    return _revised(
        meeting,
        version,
        session_id=entry.session_id,
        spot=entry.spot,
        interpreter_needed=entry.interpreter_needed,
        delay_minutes=0,
        locked=entry.locked,
    )


def _revised(meeting: Meeting, version: _Version, **changes: Any) -> Meeting:
    revision = meeting.revision + 1
    return replace(meeting, revision=revision, schedule_number=version.number, **changes)


def _new(entry: Entry, version: _Version) -> Meeting:
    stop = version.stop["id"], version.stop["mission_id"]
    return as_meeting(entry, uuid4(), stop, version.number)


def _content(schedule: asyncpg.Record) -> dict[str, Any]:
    names = ("id", "stop_id", "number", "state", "revision", "meetings", "changed")
    return {name: schedule[name] for name in names}
