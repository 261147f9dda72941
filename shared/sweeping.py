"""Sweeping: answers to requests are kept for as long as they may be asked for again."""

import asyncio
from datetime import datetime, timedelta

from shared.http import now
from shared.postgres import Database

KEPT = timedelta(hours=72)
LOOK_SECONDS = 600
BATCH_SIZE_MAX = 1_000


async def forget_requests(database: Database, before: datetime) -> int:
    """Delete the answers given before a time, in batches, and count them."""
    total = 0
    while True:
        async with database.transaction() as connection:
            done = await connection.execute(
                "DELETE FROM idempotency WHERE ctid = ANY(ARRAY(SELECT ctid FROM idempotency "
                "WHERE answered_at < $1 LIMIT $2))",
                before,
                BATCH_SIZE_MAX,
            )
        count = int(done.rpartition(" ")[2])
        total += count
        if count < BATCH_SIZE_MAX:
            return total


async def forget_requests_for_ever(database: Database) -> None:
    """Delete old answers now and then."""
    while True:
        await forget_requests(database, now() - KEPT)
        await asyncio.sleep(LOOK_SECONDS)
