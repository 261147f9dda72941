"""Keeping the live state: each meeting event into PostgreSQL, then into Redis, and repairs."""

import asyncio
import secrets
from collections.abc import Sequence
from uuid import UUID

import structlog

from services.notify.domain.live import Entry, Position
from services.notify.store import meetings, people
from services.notify.store.live import CaughtUp, Live
from shared.events.matching import MeetingEvent
from shared.log.consumer import Outage
from shared.postgres import Connection, Database
from shared.redis import OUTAGE

LOOK_SECONDS = 10
SERVER_SECONDS = 1
SERVER_LENGTH = 8
"""So much of the name of Redis's history is in each epoch."""

log = structlog.get_logger()


async def apply(connection: Connection, live: Live, events: Sequence[MeetingEvent]) -> None:
    """Take meetings' new states in; raises `Outage` while Redis is away.

    Redis is written before the transaction commits: a crash between the two repeats this, and the
    repeat changes nothing.
    """
    entries = await people.without_erased(connection, [Entry.of(event) for event in events])
    await meetings.put(connection, entries)
    by_stop: dict[UUID, list[Entry]] = {}
    for entry in entries:
        by_stop.setdefault(entry.stop_id, []).append(entry)
    try:
        for stop_id, changes in by_stop.items():
            while await live.apply(stop_id, changes) is None:
                await rebuild(connection, live, stop_id)
    except OUTAGE as error:
        raise Outage(repr(error)) from error


async def rebuild(
    connection: Connection, live: Live, stop_id: UUID, *, instead_of: str = ""
) -> None:
    """Fill a stop from PostgreSQL under a new epoch, unless somebody else just did."""
    async with live.filling(stop_id):
        if await live.epoch(stop_id) != instead_of:
            return
        entries = await meetings.of_stop(connection, stop_id)
        epoch = new_epoch(await live.server())
        if await live.rebuild(stop_id, entries, epoch=epoch, instead_of=instead_of):
            log.info("live state rebuilt", stop_id=str(stop_id), meetings=len(entries))


def new_epoch(server: str) -> str:
    """Name an epoch after the history of Redis in which it begins."""
    return f"{server[:SERVER_LENGTH]}{secrets.token_hex(4)}"


async def catch_up(
    database: Database,
    live: Live,
    stop_id: UUID,
    person_id: UUID | None,
    seen: Position | None = None,
) -> CaughtUp:
    """Read what a listener needs; a wiped Redis is filled first."""
    while (caught := await live.catch_up(stop_id, person_id, seen)) is None:
        async with database.reading() as connection:
            await rebuild(connection, live, stop_id)
    return caught


class Reconciler:
    """Compares Redis with PostgreSQL and repairs what stays different from one look to the next.

    That is what a wipe between a write and its commit may leave. A Redis that was restarted or
    failed over may lack its latest writes, and newer ones hide which: each stop's epoch names the
    history of Redis in which it began, and in another every stop is filled anew.
    """

    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._behind: dict[UUID, dict[UUID, int]] = {}

    async def run(self) -> None:
        """Look for ever, and at once when Redis goes on with another history."""
        while True:
            server = await self._live.server()
            await self.look()
            for _ in range(LOOK_SECONDS // SERVER_SECONDS):
                await asyncio.sleep(SERVER_SECONDS)
                if await self._live.server() != server:
                    break

    async def look(self) -> int:
        """Look once and say how many stops were repaired."""
        repaired = 0
        server = await self._live.server()
        async with self._database.reading() as connection:
            for stop_id in await meetings.stops_in_use(connection):
                repaired += await self._look_at(connection, stop_id, server)
        return repaired

    async def _look_at(self, connection: Connection, stop_id: UUID, server: str) -> bool:
        wanted = await meetings.revisions(connection, stop_id)
        epoch, held = await self._live.revisions(stop_id)
        behind = {
            meeting: revision
            for meeting, revision in wanted.items()
            if held.get(meeting, -1) < revision
        }
        before = self._behind.pop(stop_id, {})
        is_same_history = epoch.startswith(server[:SERVER_LENGTH])
        # What is on its way just now is there at the next look.
        if epoch and is_same_history and not behind.items() & before.items():
            if behind:
                self._behind[stop_id] = behind
            return False
        if epoch:
            log.warning(
                "live state differs",
                stop_id=str(stop_id),
                meetings=len(behind),
                is_same_history=is_same_history,
            )
        await rebuild(connection, self._live, stop_id, instead_of=epoch)
        return True
