"""Calling up: free places go to those who wait, and held ones come back when their time is up."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from services.registration.commands.telling import News, tell_all
from services.registration.domain.line import Claim, Line, Terms, Waiting
from services.registration.domain.places import expired
from services.registration.store import places, rush
from services.registration.store import registrations as store
from shared.errors import NotFound
from shared.postgres import Connection, Database

ITEMS_MAX = 20
EXPIRED_MAX = 500


@dataclass(frozen=True, slots=True)
class Held:
    """A programme item that is locked, and its line."""

    id: UUID
    facts: asyncpg.Record
    line: Line
    terms: Terms


async def held(connection: Connection, item_id: UUID) -> Held:
    """Lock an item and read its line; raises `NotFound`."""
    rows = await places.locked_items(connection, [item_id])
    if not rows:
        raise NotFound("There is no such programme item.")
    kept = await places.allotments(connection, [item_id])
    line = places.line_of(rows[0], kept[item_id])
    return Held(item_id, rows[0], line, places.terms_of(rows[0]))


async def call_up(connection: Connection, item: Held, now: datetime) -> int:
    """Give free places to those who wait longest, and say to how many.

    The counts change in `item.line`; whoever locked it writes them back.
    """
    has_free = item.line.free > 0 or any(one.free for one in item.line.allotments)
    if not (item.line.waiting and has_free and item.terms.may_call_up(now)):
        return 0
    rows = await places.waiting(connection, item.id, item.line)
    called = item.line.call_up(
        Waiting(row["id"], Claim(row["partner_id"], row["source"] == "walk_in"), row["group_id"])
        for row in rows
    )
    if not called:
        return 0
    status, until = item.terms.called_up(now)
    changed = [(one.registration_id, status, seat.allotment_id, until) for one, seat in called]
    await rush.set_statuses(connection, changed)
    found = await store.several(connection, [one.registration_id for one, _ in called])
    await tell_all(connection, [News(row, status, until) for row in found], now)
    return len(called)


async def keep_expiring(database: Database) -> None:
    """Look every second for places whose time is up, for ever."""
    while True:
        if await expire(database, datetime.now(UTC)) < ITEMS_MAX:
            await asyncio.sleep(1)


async def expire(database: Database, now: datetime) -> int:
    """Take back places that were held for as long as they may be, release what is due, call up.

    Says how many items were changed. A second run finds nothing: each item in a transaction.
    """
    async with database.reading() as connection:
        due = await places.due(connection, now, limit=ITEMS_MAX)
    for row in due:
        async with database.transaction() as connection:
            await _expire(connection, row["programme_item_id"], now)
    return len(due)


async def _expire(connection: Connection, item_id: UUID, now: datetime) -> None:
    item = await held(connection, item_id)
    rows = await places.expired(connection, item_id, now, limit=EXPIRED_MAX)
    ended = {row["id"]: expired(row["status"]) for row in rows}
    for row in rows:
        item.line.leave(row["allotment_id"])
    if ended:
        await rush.set_statuses(connection, [(id_, ended[id_], None, None) for id_ in ended])
        found = await store.several(connection, list(ended))
        await tell_all(connection, [News(row, ended[row["id"]]) for row in found], now)
    due = await places.release_due(connection, item_id, now)
    for allotment in item.line.allotments:
        if allotment.id in due:
            item.line.release(allotment)
    await call_up(connection, item, now)
    await places.save(connection, [(item_id, item.line)], now)
