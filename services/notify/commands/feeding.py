"""Feeding: events are appended to the feed, and readers who wait are woken."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.domain.feed import OF_HOSTS, OF_PARTNERS, Entry, brought
from services.notify.store import feed, webhook_deliveries
from services.notify.store.feed import Pairs
from shared.events.base import Event
from shared.events.matching import MeetingEvent
from shared.events.registration import StopPlanned
from shared.http import now
from shared.log.records import Envelope
from shared.postgres import Connection, Database
from shared.sweeping import in_batches
from shared.waiting import moment

KEPT = timedelta(days=90)
BATCH_SIZE_MAX = 1_000
LOOK_SECONDS = 0.25
"""How long an event waits at most that another process appended."""


class Bell:
    """Wakes those who wait for the feed to go on, and who delivers what is queued with it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.queued = asyncio.Event()
        """Something may be due to webhooks; whoever looks clears it first."""
        self._rung = asyncio.Event()
        self._appended = asyncio.Event()
        self._position = 0
        self._waiting = 0
        self.is_closed = False

    def ring(self) -> None:
        """Wake everybody who waits."""
        self._rung.set()
        self._rung = asyncio.Event()
        self.queued.set()

    def appended(self) -> None:
        """Have it looked at once how far the feed goes: this process took it further."""
        self._appended.set()

    def close(self) -> None:
        """Keep nobody waiting any longer: the process ends."""
        self.is_closed = True
        self.ring()

    async def wait(self, position: int, seconds_max: float) -> None:
        """Wait until the feed goes beyond a position, or for a moment."""
        if self._position <= position and not self.is_closed:
            self._waiting += 1
            try:
                await moment(self._rung, seconds_max)
            finally:
                self._waiting -= 1

    @property
    def has_waiting(self) -> bool:
        """Whether somebody waits."""
        return self._waiting > 0

    async def run(self) -> None:
        """Look for ever how far the feed goes."""
        while True:
            self._appended.clear()
            async with self.database.reading() as connection:
                found = (await feed.head(connection)).position
            if found != self._position:
                self._position = found
                self.ring()
            await moment(self._appended, LOOK_SECONDS)


async def take(connection: Connection, events: Sequence[tuple[Envelope, Event]]) -> None:
    """Append events to the feed, and queue them for the webhooks that want them.

    One at a time for all processes: a position that is visible has no lower one to come.
    """
    at = now()
    entries = [Entry.of(envelope, event) for envelope, event in events]
    head = await feed.lock_head(connection)
    position = await _plan(connection, entries, head.position, at)
    people = brought([entry.event for entry in entries])
    position = await _attribute(connection, people, position, at)
    bringers = await _bringers(connection, entries)
    meetings = {
        (entry.event.key, partner)
        for entry, partners in zip(entries, bringers, strict=True)
        if isinstance(entry.event, MeetingEvent)
        for partner in partners
    }
    position = await _attribute(connection, sorted(meetings), position, at)
    bringers = await _bringers(connection, entries)
    stops = sorted({entry.stop_id for entry in entries if entry.stop_id})
    roles = await feed.roles_at(connection, stops)
    rows = [
        (entry, sorted(partners | entry.partners(*roles.get(entry.stop_id, ((), ())))))
        for entry, partners in zip(entries, bringers, strict=True)
    ]
    await feed.set_position(connection, await feed.append(connection, rows, position, at))
    await webhook_deliveries.queue(connection, head.position, at)


async def sweep(database: Database, at: datetime) -> None:
    """Drop what the feed does not keep any longer."""
    await in_batches(
        database,
        lambda connection: feed.drop(connection, at - KEPT, BATCH_SIZE_MAX),
        size=BATCH_SIZE_MAX,
    )


async def _plan(
    connection: Connection, entries: Sequence[Entry], position: int, at: datetime
) -> int:
    """Note which partners stops have, and append what those that are new there have missed.

    The topics have no order between them: a meeting may be told before the stop where it is.
    """
    for entry in entries:
        if isinstance(entry.event, StopPlanned):
            stop_id, version = entry.event.stop_id, entry.envelope.sequence
            hosts, partners = await feed.put_stop(connection, entry.event, version)
            for new, audiences in ((hosts, OF_HOSTS), (partners, OF_PARTNERS)):
                if new:
                    position = await feed.append_missed(
                        connection, stop_id, new, audiences, position, at
                    )
    return position


async def _attribute(connection: Connection, pairs: Pairs, position: int, at: datetime) -> int:
    """Note who was brought by whom, and append what that partner has missed.

    The topics have no order between them: a meeting may be told before the person who attends it.
    """
    new = await feed.attribute(connection, pairs) if pairs else []
    while new:
        position, late = await feed.append_late(connection, new, position, at)
        # Of a meeting that is theirs now, reports name nothing else.
        new = await feed.attribute(connection, sorted(set(late))) if late else []
    return position


async def _bringers(connection: Connection, entries: Sequence[Entry]) -> list[set[UUID]]:
    concerned = {one for entry in entries for one in entry.concerned}
    known: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for one, partner in await feed.partners_of(connection, sorted(concerned)):
        known[one].add(partner)
    return [set().union(*(known[one] for one in entry.concerned)) for entry in entries]
