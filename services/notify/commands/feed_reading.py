"""Reading the feed: page by page, every event once, and waiting for what is to come."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.notify.commands.feeding import Bell
from services.notify.domain.feed import Cursor
from services.notify.store import feed
from services.notify.store.feed import Head, Viewer
from shared.access import Principal, Scope, require
from shared.errors import Fault, Invalid, NotFound
from shared.postgres import Connection, Database

SPAN = 5_000
SPANS_MAX = 20
"""So many positions at once, and so often for one request: most may be others' events."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which events somebody wants: after a cursor's text, if any, and of some types, if named."""

    after: str | None
    types: Sequence[str]
    limit: int
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class Page:
    """Events as texts (CloudEvents, JSON), and the cursor to go on with."""

    events: Sequence[str]
    cursor: Cursor


def viewer_of(who: Principal, mission_id: UUID | None) -> Viewer:
    """Say what somebody may see of the feed; `mission_id` matters for whom all missions are open.

    Raises `Forbidden` and `Invalid`.
    """
    mission_id = who.mission_id or mission_id
    require(who, "event.read", Scope(mission_id=mission_id, partner_id=who.seen_partner))
    if mission_id is None:
        fault = Fault("query/mission_id", "Name the mission.")
        raise Invalid("Of which mission?", faults=[fault])
    return Viewer(mission_id, who.seen_partner, who.stop_ids if who.is_partner else None)


async def read(database: Database, bell: Bell, viewer: Viewer, asked: Asked) -> Page:
    """Read a page; waits where there is none yet. Raises `Invalid` for a cursor of no use."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + asked.wait_seconds
    after: int | None = None
    while True:
        async with database.reading() as connection:
            head = await feed.head(connection)
            if after is None:
                after = _start(head, asked.after)
            events, after = await _scan(connection, viewer, asked, (after, head))
        left = deadline - loop.time()
        if events or after < head.position or left <= 0 or bell.is_closed:
            return Page(events, Cursor(head.epoch, after))
        await bell.wait(after, left)


async def one(database: Database, viewer: Viewer, event_id: UUID) -> str:
    """Read one event; raises `NotFound` when there is none that may be seen."""
    async with database.reading() as connection:
        head = await feed.head(connection)
        row = await feed.one(connection, viewer, event_id)
    if row is None:
        raise NotFound("There is no such event, or none that you may see.")
    return _placed(row["event"], Cursor(head.epoch, row["position"]))


def _start(head: Head, after: str | None) -> int:
    if after is None:
        return head.dropped
    cursor = Cursor.read(after)
    if cursor is None:
        raise _useless("This is not a position of the feed.", "invalid")
    if cursor.epoch != head.epoch or cursor.position > head.position:
        raise _useless(
            "The feed was rebuilt, and its positions are others: begin again, without `after`.",
            "feed_restarted",
        )
    if cursor.position < head.dropped:
        raise _useless(
            "Events after this position are not kept any longer: begin again, without `after`.",
            "feed_forgotten",
        )
    return cursor.position


def _useless(detail: str, code: str) -> Invalid:
    return Invalid(detail, code=code, faults=[Fault("query/after", detail)])


async def _scan(
    connection: Connection, viewer: Viewer, asked: Asked, place: tuple[int, Head]
) -> tuple[list[str], int]:
    """Read on until something is found, and say how far that was."""
    after, head = place
    for _ in range(SPANS_MAX):
        until = min(after + SPAN, head.position)
        rows = await feed.read(connection, viewer, (after, until), asked.types, asked.limit)
        after = rows[-1]["position"] if len(rows) == asked.limit else until
        if rows or after >= head.position:
            break
    return [_placed(row["event"], Cursor(head.epoch, row["position"])) for row in rows], after


def _placed(event: str, cursor: Cursor) -> str:
    """Add its position to an event, an extension attribute by which a reader may go on."""
    return f'{event[:-1]},"position":"{cursor}"}}'
