"""Webhooks' deliveries: what was sent and what came of it, sent again, or skipped."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.commands.webhooks import Hooks, existing
from services.notify.store import feed, webhook_deliveries
from shared.access import Principal
from shared.errors import NotFound
from shared.postgres import Connection, Database


async def replay(
    hooks: Hooks, who: Principal, id_: UUID, span: tuple[datetime, datetime], now: datetime
) -> int:
    """Send again all that was told between two times, and count it."""
    async with _queueing(hooks, who, id_) as connection:
        positions = await feed.span(connection, *span)
        return await webhook_deliveries.replay(connection, id_, positions, now)


async def replay_failed(hooks: Hooks, who: Principal, id_: UUID, now: datetime) -> int:
    """Send again all that was given up, and count it."""
    async with _queueing(hooks, who, id_) as connection:
        return await webhook_deliveries.replay_failed(connection, id_, now)


async def replay_one(hooks: Hooks, who: Principal, id_: UUID, delivery: int, now: datetime) -> None:
    """Send one delivery again; raises `NotFound` and `Forbidden`."""
    async with _queueing(hooks, who, id_) as connection:
        if not await webhook_deliveries.replay_one(connection, id_, delivery, now):
            raise NotFound("There is no such delivery.")


async def skip(hooks: Hooks, who: Principal, id_: UUID, delivery: int, now: datetime) -> None:
    """Give up a delivery that waits, and send what waits behind it.

    Raises `NotFound` and `Forbidden`.
    """
    async with _queueing(hooks, who, id_) as connection:
        if not await webhook_deliveries.skip(connection, id_, delivery, now):
            raise NotFound("There is no such delivery that waits.")


@asynccontextmanager
async def _queueing(hooks: Hooks, who: Principal, id_: UUID) -> AsyncIterator[Connection]:
    """Make a transaction on a webhook that may queue something, and wake couriers after it."""
    async with hooks.bell.database.transaction() as connection:
        await existing(connection, who, id_)
        yield connection
    hooks.bell.queued.set()


async def log_of(
    database: Database,
    who: Principal,
    id_: UUID,
    asked: tuple[webhook_deliveries.Shown, int, int],
) -> list[dict[str, Any]]:
    """List deliveries, each with its attempts; asked: which, after, how many."""
    async with database.transaction() as connection:
        await existing(connection, who, id_)
        rows = await webhook_deliveries.log(connection, id_, *asked)
        tried = await webhook_deliveries.attempts(connection, [row["id"] for row in rows])
    return [{**row, "tried": _of(tried, row["id"])} for row in rows]


def _of(tried: Sequence[asyncpg.Record], delivery: int) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in one.items() if name != "delivery"}
        for one in tried
        if one["delivery"] == delivery
    ]
