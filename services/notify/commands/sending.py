"""Sending: the queue of mails to an SMTP server, over one connection while there is work."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

import aiosmtplib
import httpx2
import structlog

from services.notify.commands.rendering import Letterhead, Rendered, render
from services.notify.domain.mail import (
    LEASE,
    Message,
    Never,
    NothingNew,
    NotYet,
    next_attempt,
    without_addresses,
)
from services.notify.store import messages
from shared.contacts import Contact, Contacts
from shared.http import now
from shared.postgres import Database

BATCH_SIZE_MAX = 20
LOOK_SECONDS = 0.5
REPLY_SECONDS_MAX = 20
BACKOFF_SECONDS_MAX = 30.0
PERMANENT = 500
REST = 2
"""After each mail, as many times as it took: that time is for those who wait for an answer."""

BROKEN = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)
"""The connection ended; whether the server took the mail cannot be known."""

UNSENDABLE = (aiosmtplib.SMTPNotSupported, ValueError)
"""No command was given: the address has letters that the server or SMTP cannot take."""

log = structlog.get_logger()


class Away(Exception):
    """Registration or the mail server cannot be reached; no mail is to blame."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out."""

    host: str
    port: int
    user: str = ""
    password: str = ""
    starttls: bool = False

    def client(self) -> aiosmtplib.SMTP:
        """Make a client, not connected yet."""
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user or None,
            password=self.password or None,
            start_tls=self.starttls,
            timeout=REPLY_SECONDS_MAX,
        )


class Sender:
    """Sends what is due. Any number may work on one queue."""

    def __init__(
        self, database: Database, contacts: Contacts, head: Letterhead, server: MailServer
    ) -> None:
        self._database = database
        self._contacts = contacts
        self._head = head
        self._server = server
        self._client: aiosmtplib.SMTP | None = None

    async def run(self) -> None:
        """Send for ever; an outage of the mail server or of registration is waited out."""
        backoff = LOOK_SECONDS
        try:
            while True:
                try:
                    is_idle = not await self.send_due(now())
                    backoff = LOOK_SECONDS
                except Away as away:
                    log.warning("mail waits for an outage to end", error=str(away))
                    backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
                    is_idle = True
                if is_idle:
                    await self._disconnect()
                    await asyncio.sleep(backoff)
        finally:
            if self._client:
                self._client.close()

    async def send_due(self, at: datetime) -> int:
        """Send one batch of what is due and count it; raises `Away`."""
        async with self._database.transaction() as connection:
            await messages.queue_due_notices(connection, at)
            batch = await messages.claim(connection, at, limit=BATCH_SIZE_MAX)
        left = list(batch)
        deadline = time.monotonic() + LEASE.total_seconds() / 2
        try:
            contacts = await self._addresses(batch)
            while left and time.monotonic() < deadline:
                await self._connect()
                message = left.pop(0)
                began = time.monotonic()
                await self._handle(message, contacts.get(message.person_id), at)
                await asyncio.sleep(REST * (time.monotonic() - began))
        finally:
            if left:
                await self._give_back(left, at)
        return len(batch)

    async def _addresses(self, batch: Sequence[Message]) -> dict[object, Contact]:
        try:
            found = await self._contacts.of(message.person_id for message in batch)
        except httpx2.HTTPError as error:
            raise Away(f"registration: {error!r}") from error
        return cast(dict[object, Contact], found)

    async def _connect(self) -> None:
        if self._client and self._client.is_connected:
            return
        client = self._server.client()
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise Away(f"mail server: {without_addresses(repr(error))}") from error
        self._client = client

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client and client.is_connected:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError):
                client.close()

    async def _handle(self, message: Message, contact: Contact | None, at: datetime) -> None:
        try:
            async with self._database.reading() as connection:
                rendered = await render(connection, self._head, message, contact, at)
        except NotYet as reason:
            await self._put_off(message, at, str(reason))
        except Never as reason:
            await self._end(message, "failed", at, str(reason))
        except NothingNew:
            await self._end(message, "superseded", at)
        else:
            await self._send(message, rendered, at)

    async def _send(self, message: Message, rendered: Rendered, at: datetime) -> None:
        assert self._client is not None
        try:
            await self._client.send_message(rendered.mail)
        except (aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPResponseException) as refusal:
            await self._refused(message, refusal, at)
        except UNSENDABLE as error:
            await self._end(message, "failed", at, without_addresses(str(error)))
        except BROKEN as error:
            reason = without_addresses(repr(error))
            self._client.close()
            await self._put_off(message, at, f"The connection broke: {reason}")
            raise Away(reason) from error
        else:
            async with self._database.transaction() as connection:
                await messages.end(connection, message.id, "sent", at)
                if rendered.told:
                    await messages.mark_told(connection, message.person_id, rendered.told)

    async def _refused(
        self,
        message: Message,
        refusal: aiosmtplib.SMTPRecipientsRefused | aiosmtplib.SMTPResponseException,
        at: datetime,
    ) -> None:
        if isinstance(refusal, aiosmtplib.SMTPRecipientsRefused):
            refusal = refusal.recipients[0]
        reason = without_addresses(f"{refusal.code} {refusal.message}")
        # A refused sender is a fault of our settings, which somebody may mend.
        is_of_mail = not isinstance(refusal, aiosmtplib.SMTPSenderRefused)
        if refusal.code >= PERMANENT and is_of_mail:
            await self._end(message, "failed", at, reason)
        else:
            await self._put_off(message, at, reason)

    async def _end(
        self, message: Message, state: str, at: datetime, reason: str | None = None
    ) -> None:
        if state == "failed":
            log.warning("mail failed", message=message.id, kind=message.kind, reason=reason)
        async with self._database.transaction() as connection:
            await messages.end(connection, message.id, state, at, reason)

    async def _put_off(self, message: Message, at: datetime, reason: str) -> None:
        again = next_attempt(message.attempts, at)
        if again is None:
            await self._end(message, "failed", at, f"Given up: {reason}")
            return
        async with self._database.transaction() as connection:
            await messages.put_off(connection, message.id, again, reason)

    async def _give_back(self, left: Sequence[Message], at: datetime) -> None:
        ids = [message.id for message in left]
        async with self._database.transaction() as connection:
            await messages.release(connection, ids, at + timedelta(seconds=1), is_uncounted=True)
