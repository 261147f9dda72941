"""Bouncing: a mail that came back is told otherwise, and its address may be written to no more."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

import httpx2

from services.notify.channels.base import Reach
from services.notify.channels.hygiene import Hygiene
from services.notify.commands.planning import tell_otherwise
from services.notify.domain.bounces import SOFT_MAX, Bounce, read
from services.notify.store import attempts, deliveries, messages, suppressions
from services.notify.store.attempts import Result
from shared.contacts import Contacts
from shared.errors import Busy
from shared.postgres import Connection, Database

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

    A delay is noted, as the mail server goes on trying: the third within `SOFT_WITHIN` makes the
    address suspect.
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
        address = hygiene.stands_for(contact.email) if contact else None
        is_lost = bounce.is_given_up
        if address is not None:
            report = (sha256(content).digest(), person_id, address)
            is_lost |= await _suppress(connection, bounce, report, now)
        if is_lost:
            reason = f"Came back: {bounce.reason}"
            await messages.end(connection, message.id, "failed", reason)
            await tell_otherwise(connection, message, now, reach.available)
    return bounce


async def _suppress(
    connection: Connection, bounce: Bounce, report: tuple[bytes, UUID, bytes], now: datetime
) -> bool:
    """Write to the address no more, if that is due, and say so; `report` is whose it is about."""
    digest, person_id, address = report
    if bounce.is_permanent:
        await suppressions.put(connection, person_id, address, bounce.reason, now)
        return True
    count = await suppressions.note_soft(connection, digest, person_id, address, now)
    if count < SOFT_MAX:
        return False
    reason = f"{count} mails came back for now, at last: {bounce.reason}"
    await suppressions.put(connection, person_id, address, reason, now, is_suspect=True)
    return True
