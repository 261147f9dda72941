"""Learning: what registration's events change here."""

from dataclasses import replace
from datetime import datetime

from services.matching.commands.telling import tell
from services.matching.store import facts, meetings
from shared.events.matching import MeetingCancelled
from shared.events.registration import (
    CheckInRetracted,
    ParticipantCancelled,
    ParticipantCheckedIn,
    ParticipantConfirmed,
    ParticipantLapsed,
    ParticipantOffered,
    ParticipantPending,
    ParticipantRejected,
    ParticipantWaitlisted,
)
from shared.postgres import Connection

WithoutPlace = (
    ParticipantCancelled
    | ParticipantOffered
    | ParticipantLapsed
    | CheckInRetracted
    | ParticipantPending
    | ParticipantRejected
    | ParticipantWaitlisted
)


async def has_place(connection: Connection, event: ParticipantConfirmed, version: int) -> None:
    """Take in somebody who has a place."""
    about = (event.participant_id, event.programme_item_id, event.stop_id)
    await facts.put_participant(connection, event, version)
    await facts.put_participation(connection, about, is_confirmed=True, version=version)


async def has_arrived(connection: Connection, event: ParticipantCheckedIn, version: int) -> None:
    """Take in that somebody arrived, and so has a place, even before that is heard of."""
    about = (event.participant_id, event.programme_item_id, event.stop_id)
    if await facts.put_participation(connection, about, is_confirmed=True, version=version):
        await facts.check_in(connection, *about[:2], event.checked_in_at)


async def has_not_arrived(
    connection: Connection, event: CheckInRetracted, version: int, now: datetime
) -> None:
    """Take in that an arrival was a mistake, and pass over what is older than that."""
    if not event.has_place:
        await has_no_place(connection, event, version, now)
        return
    about = (event.participant_id, event.programme_item_id, event.stop_id)
    if await facts.put_participation(connection, about, is_confirmed=True, version=version):
        await facts.check_in(connection, *about[:2], None)


async def has_no_place(
    connection: Connection, event: WithoutPlace, version: int, now: datetime
) -> None:
    """Take in that somebody has no place, and cancel the meetings that hung on it."""
    # A schedule that is being published has this person, or sees that there is no place any more.
    await facts.stop(connection, event.stop_id, lock=True)
    about = (event.participant_id, event.programme_item_id, event.stop_id)
    if not await facts.put_participation(connection, about, is_confirmed=False, version=version):
        return
    found = await meetings.open_of_person(connection, event.participant_id, event.programme_item_id)
    cancelled = [replace(one, state="cancelled", revision=one.revision + 1) for one in found]
    await meetings.put(connection, cancelled)
    await meetings.book(connection, cancelled)
    await tell(connection, MeetingCancelled, cancelled, now)
