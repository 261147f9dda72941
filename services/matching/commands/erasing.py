"""Erasing: what is left of a person here when registration has forgotten him or her."""

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from services.matching.commands.requesting import cancel_all_of
from services.matching.commands.telling import tell
from services.matching.store import absences, audit, facts, meetings, people, repairs
from shared.erased import forget_answers, note_erased
from shared.events.matching import MeetingCancelled
from shared.events.registration import ConsentGranted, ConsentRevoked, PersonErased
from shared.postgres import Connection, Database
from shared.sweeping import KEPT, forget_requests, in_batches

MESSAGES_KEPT = timedelta(days=90)
"""How long what was written with a request stays: registration shows the same number."""

DISTURBANCES_KEPT = timedelta(days=30)
"""How long who was away, and what was proposed for it, stays."""

TRAIL_KEPT = timedelta(days=2190)
"""How long it stays on file what staff did, as in registration's own trail."""

BATCH_SIZE_MAX = 500


async def erase(connection: Connection, event: PersonErased, version: int, now: datetime) -> None:
    """Forget a person and cancel the meetings that have not begun; again it changes nothing."""
    if not await note_erased(connection, event.person_id, event.erased_at):
        return
    for stop_id in await people.stops_of(connection, event.person_id):
        # A schedule that is being published has this person, or sees that nobody is there any more.
        await facts.stop(connection, stop_id, lock=True)
        found = [
            one
            for one in await meetings.of_stop(connection, stop_id, lock=True)
            if event.person_id in one.people and one.state in ("scheduled", "called")
        ]
        cancelled = [replace(one, state="cancelled", revision=one.revision + 1) for one in found]
        await meetings.put(connection, cancelled)
        await meetings.book(connection, cancelled)
        await tell(connection, MeetingCancelled, cancelled, now)
    await cancel_all_of(connection, event.person_id, now)
    await people.forget(connection, event.person_id, version, now)
    await forget_answers(connection, event.person_id)


async def withhold(
    connection: Connection, event: ConsentGranted | ConsentRevoked, version: int
) -> None:
    """Stop, or begin again, to show a person to the other side; other purposes are not ours."""
    if event.is_cross_border:
        await people.withhold(
            connection,
            event.person_id,
            is_withheld=isinstance(event, ConsentRevoked),
            version=version,
        )


async def sweep(database: Database, at: datetime) -> int:
    """Delete what is not kept any longer, in batches, and count the messages."""
    await forget_requests(database, at - KEPT)
    async with database.transaction() as connection:
        await audit.end(connection, at - TRAIL_KEPT)
    for old in (absences, repairs):
        await in_batches(
            database,
            partial(old.forget, before=at - DISTURBANCES_KEPT, limit=BATCH_SIZE_MAX),
            size=BATCH_SIZE_MAX,
        )
    return await in_batches(
        database,
        lambda connection: people.forget_messages(connection, at - MESSAGES_KEPT, BATCH_SIZE_MAX),
        size=BATCH_SIZE_MAX,
    )
