"""Checking: whether mail goes out."""

from datetime import timedelta

from services.notify.store import messages
from shared.http import now
from shared.postgres import Database

WAIT_MAX = timedelta(minutes=10)


class MailWaits(Exception):
    """The oldest unsent mail has waited for too long."""


async def mail_flows(database: Database) -> None:
    """Raise `MailWaits` when mail does not go out."""
    async with database.reading() as connection:
        waited = await messages.waiting(connection, now())
    if waited > WAIT_MAX:
        raise MailWaits(f"The oldest unsent mail has waited {waited}.")
