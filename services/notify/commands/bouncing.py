"""Bouncing: a mail that came back suppresses its address, and is told otherwise."""

from datetime import datetime

import httpx2

from services.notify.channels.base import Reach
from services.notify.channels.hygiene import Hygiene
from services.notify.commands.planning import tell_otherwise
from services.notify.domain.bounces import Bounce, read
from services.notify.store import attempts, deliveries, messages, suppressions
from services.notify.store.attempts import Result
from shared.contacts import Contacts
from shared.errors import Busy
from shared.postgres import Database

AWAY_SECONDS = 30


async def take(
    database: Database,
    contacts: Contacts,
    known: tuple[Hygiene, Reach],
    content: bytes,
    now: datetime,
) -> Bounce | None:
    """Take a report in; None: it is of no mail of ours. Again it suppresses nothing anew.

    Raises `Busy` while registration is away.

    A delay is noted and nothing more: the mail server goes on trying.
    """
    hygiene, reach = known
    bounce = read(content)
    if bounce is None:
        return None
    async with database.reading() as connection:
        person_id = await deliveries.reader_of(connection, bounce.message_id)
    if person_id is None:
        return None
    try:
        contact = (await contacts.of([person_id])).get(person_id)
    except httpx2.HTTPError as error:
        raise Busy("Registration is away: post it again.", retry_seconds=AWAY_SECONDS) from error
    async with database.transaction() as connection:
        message = await deliveries.sent_as(connection, bounce.message_id)
        if message is None:
            return bounce
        attempt = await attempts.note(connection, message.id, now)
        result: Result = "refused" if bounce.is_permanent else "deferred"
        await attempts.end(connection, attempt, result, now, bounce.reason)
        if bounce.is_permanent:
            if contact is not None:
                address = hygiene.stands_for(contact.email)
                await suppressions.put(connection, person_id, address, bounce.reason, now)
            reason = f"Came back: {bounce.reason}"
            await messages.end(connection, message.id, "failed", now, reason)
            await tell_otherwise(connection, message, now, reach.available)
    return bounce
