"""Sending: the queue of one channel's messages, each handed over in the light or not at all."""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import httpx2
import structlog

from services.notify.channels.base import (
    Away,
    Channel,
    Deferred,
    Later,
    Reader,
    Refused,
    Unknown,
)
from services.notify.commands.knowing import Known, known
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.planning import WITHOUT_SETTINGS, tell_due, tell_otherwise
from services.notify.commands.rendering import Rendered, render
from services.notify.domain.announcing import NOBODY
from services.notify.domain.mail import (
    COPIES_MAX,
    LEASE,
    ChannelName,
    Message,
    Never,
    NothingNew,
    NotYet,
    State,
    Unwanted,
    next_attempt,
)
from services.notify.store import attempts, changes, messages
from shared.contacts import Contact, Contacts
from shared.http import now
from shared.postgres import Database

BATCH_SIZE_MAX = 100
LOOK_SECONDS = 0.5
BACKOFF_SECONDS_MAX = 30.0
REST = 2.0
"""After each message, as many times as it took: that time is for those who wait for an answer."""

IN_THE_DARK = (
    f"{COPIES_MAX} attempts ended without an answer, and each may have arrived: look before you "
    "send it again."
)

GROUP = Contact(person_id=NOBODY, name="", email="", language="zh", role="screen", sign_in_path="/")
"""Reads what a robot says."""

RESULTS: Mapping[type[Exception], attempts.Result] = {
    Deferred: "deferred",
    Refused: "refused",
    Unknown: "unknown",
}

log = structlog.get_logger()


class Sender:
    """Sends what is due over one channel. Any number may work on one queue.

    What is handed over is noted before, in a transaction of its own, and its end after. A process
    that dies between the two leaves an attempt without an end; of those a message has at most
    `COPIES_MAX`, so nobody ever gets more copies than that.
    """

    def __init__(
        self,
        database: Database,
        contacts: Contacts,
        head: Letterhead,
        channel: Channel,
        available: Collection[ChannelName] = WITHOUT_SETTINGS,
        rest: float = REST,
    ) -> None:
        self._database = database
        self._contacts = contacts
        self._head = head
        self._channel = channel
        self._available = available
        self._rest = rest

    async def run(self) -> None:
        """Send for ever; an outage of the channel or of registration is waited out."""
        backoff = LOOK_SECONDS
        try:
            while True:
                try:
                    is_idle = not await self.send_due(now())
                    backoff = LOOK_SECONDS
                except Away as away:
                    log.warning(
                        "messages wait for an outage to end",
                        channel=self._channel.name,
                        error=str(away),
                    )
                    backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
                    is_idle = True
                if is_idle:
                    await self._channel.close()
                    await asyncio.sleep(backoff)
        finally:
            await self._channel.close()

    async def send_due(self, at: datetime) -> int:
        """Send one batch of what is due and count it; raises `Away`."""
        async with self._database.transaction() as connection:
            await tell_due(connection, at, self._available)
            batch = await messages.claim(connection, self._channel.name, at, limit=BATCH_SIZE_MAX)
        if not batch:
            return 0
        left = list(batch)
        deadline = time.monotonic() + LEASE.total_seconds() / 2
        try:
            contacts = await self._addresses(batch)
            async with self._database.reading() as connection:
                facts = await known(connection, batch)
            while left and time.monotonic() < deadline:
                await self._channel.open()
                message = left.pop(0)
                began = time.monotonic()
                reader = _reader(facts, message, contacts.get(message.person_id))
                await self._handle(message, facts, reader, at)
                await asyncio.sleep(self._rest * (time.monotonic() - began))
        finally:
            if left:
                await self._give_back(left, at)
        return len(batch)

    async def _addresses(self, batch: Sequence[Message]) -> Mapping[UUID, Contact]:
        try:
            return await self._contacts.of(message.person_id for message in batch)
        except httpx2.HTTPError as error:
            raise Away(f"registration: {error!r}") from error

    async def _handle(self, message: Message, facts: Known, reader: Reader, at: datetime) -> None:
        try:
            rendered = render(facts, self._head, message, reader.contact, at)
        except NotYet as reason:
            await self._put_off(message, at, str(reason))
        except Unwanted as reason:
            await self._end(message, "suppressed", str(reason))
        except Never as reason:
            # Nobody is there who could be told otherwise.
            await self._end(message, "failed", str(reason))
        except NothingNew:
            await self._end(message, "superseded")
        else:
            await self._hand_over(message, rendered, reader, at)

    async def _hand_over(
        self, message: Message, rendered: Rendered, reader: Reader, at: datetime
    ) -> None:
        async with self._database.single() as connection:
            attempt = await attempts.begin(connection, message.id, at)
        if attempt is None:
            await self._fail(message, at, IN_THE_DARK)
            return
        try:
            await self._channel.send(rendered.letter, reader)
        except Away:
            async with self._database.transaction() as connection:
                await attempts.withdraw(connection, attempt)
            await self._give_back([message], at)
            raise
        except Later as turn:
            async with self._database.transaction() as connection:
                await attempts.withdraw(connection, attempt)
                await messages.release(connection, [message.id], turn.at, is_uncounted=True)
        except (Deferred, Refused, Unknown) as trouble:
            await self._note(message, attempt, trouble, at)
        else:
            at_once = self._database.transaction if rendered.told else self._database.single
            async with at_once() as connection:
                await attempts.succeed(connection, attempt, at)
                if rendered.told:
                    await changes.mark_told(connection, message.person_id, rendered.told)

    async def _note(
        self,
        message: Message,
        attempt: int,
        trouble: Deferred | Refused | Unknown,
        at: datetime,
    ) -> None:
        reason = str(trouble)
        async with self._database.transaction() as connection:
            await attempts.end(connection, attempt, RESULTS[type(trouble)], at, reason)
        if isinstance(trouble, Refused):
            await self._fail(message, at, reason)
            return
        await self._put_off(message, at, reason)
        if isinstance(trouble, Unknown):
            raise Away(reason) from trouble

    async def _end(self, message: Message, state: State, reason: str | None = None) -> None:
        async with self._database.transaction() as connection:
            await messages.end(connection, message.id, state, reason)

    async def _fail(self, message: Message, at: datetime, reason: str) -> None:
        """Give a message up, and have it told otherwise."""
        async with self._database.transaction() as connection:
            await messages.end(connection, message.id, "failed", reason)
            other = await tell_otherwise(connection, message, at, self._available)
        log.warning(
            "message failed",
            message=message.id,
            kind=message.kind,
            channel=message.channel,
            reason=reason,
            instead=other,
        )

    async def _put_off(self, message: Message, at: datetime, reason: str) -> None:
        again = next_attempt(message.attempts, at)
        if again is None:
            await self._fail(message, at, f"Given up: {reason}")
            return
        async with self._database.transaction() as connection:
            await messages.put_off(connection, message.id, again, reason)

    async def _give_back(self, left: Sequence[Message], at: datetime) -> None:
        ids = [message.id for message in left]
        async with self._database.transaction() as connection:
            await messages.release(connection, ids, at + timedelta(seconds=1), is_uncounted=True)


def _reader(facts: Known, message: Message, contact: Contact | None) -> Reader:
    wanted = facts.wishes[message.person_id]
    if contact and wanted.language:
        contact = contact.model_copy(update={"language": wanted.language})
    if message.channel == "wecom":
        contact = GROUP
    stop = facts.stops.get(message.stop_id) if message.stop_id else None
    return Reader(message.person_id, contact, wanted.phone, stop["slug"] if stop else None)
