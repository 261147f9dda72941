"""Erasing: what is left of a person here when registration has forgotten him or her."""

from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain.waves import KEPT as WAVES_KEPT
from services.notify.store import audit, people, waves
from services.notify.store.live import Live
from shared.contacts import Contacts
from shared.erased import forget_answers, note_erased
from shared.events.registration import PersonErased
from shared.log.consumer import Outage
from shared.postgres import Connection, Database
from shared.redis import OUTAGE
from shared.sweeping import KEPT, forget_requests, in_batches

MAILS_KEPT = timedelta(days=90)
"""How long it stays on file which mail went to whom: registration shows the same number."""

TRAIL_KEPT = timedelta(days=2190)
"""How long it stays on file what staff did, as in registration's own trail."""

BATCH_SIZE_MAX = 500


async def erase(
    connection: Connection, live: Live, contacts: Contacts, event: PersonErased
) -> None:
    """Forget a person; raises `Outage` while Redis is away. Again it changes nothing.

    The live state of the stops concerned is wiped, with the history of its stream. Whoever reads
    it next fills it from PostgreSQL, as after any loss of Redis.
    """
    contacts.forget(event.person_id)
    await note_erased(connection, event.person_id, event.erased_at)
    await forget_answers(connection, event.person_id)
    stops = await people.forget(connection, event.person_id)
    try:
        for stop_id in stops:
            await live.wipe(stop_id)
    except OUTAGE as error:
        raise Outage(repr(error)) from error


async def end_session(live: Live, person_id: UUID) -> None:
    """End somebody's open streams in all processes; raises `Outage` while Redis is away."""
    try:
        await live.end_session(person_id)
    except OUTAGE as error:
        raise Outage(repr(error)) from error


async def sweep(database: Database, at: datetime) -> int:
    """Delete what is not kept any longer, in batches, and count the mails."""
    await forget_requests(database, at - KEPT)
    async with database.transaction() as connection:
        await audit.end(connection, at - TRAIL_KEPT)
        await waves.forget(connection, at - WAVES_KEPT)
    return await in_batches(
        database,
        lambda connection: people.forget_mails(connection, at - MAILS_KEPT, BATCH_SIZE_MAX),
        size=BATCH_SIZE_MAX,
    )
