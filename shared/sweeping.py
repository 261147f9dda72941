"""Sweeping: what is not kept any longer is deleted now and then, in batches that each commit."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from shared.http import now
from shared.postgres import Connection, Database

KEPT = timedelta(hours=72)
"""How long answers to requests may be asked for again."""
LOOK_SECONDS = 600
BATCH_SIZE_MAX = 1_000


async def in_batches(
    database: Database, delete: Callable[[Connection], Awaitable[int]], *, size: int
) -> int:
    """Call `delete`, which says how many it deleted, until that is less than `size`; count all."""
    total = 0
    while True:
        async with database.transaction() as connection:
            count = await delete(connection)
        total += count
        if count < size:
            return total


async def forget_requests(database: Database, before: datetime) -> int:
    """Delete the answers given before a time, in batches, and count them."""

    async def delete(connection: Connection) -> int:
        done = await connection.execute(
            "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency "
            "WHERE answered_at < $1 LIMIT $2))",
            before,
            BATCH_SIZE_MAX,
        )
        return int(done.rpartition(" ")[2])

    return await in_batches(database, delete, size=BATCH_SIZE_MAX)


async def for_ever(
    sweep: Callable[[Database, datetime], Awaitable[object]],
    database: Database,
    *,
    seconds: float = LOOK_SECONDS,
) -> None:
    """Sweep now and then, with so many seconds between."""
    while True:
        await sweep(database, now())
        await asyncio.sleep(seconds)
