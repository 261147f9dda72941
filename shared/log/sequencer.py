"""The sequencer: gives committed outbox rows a gapless position, in id order.

One at a time for each database. What a batch writes last has its position already, see `outbox`.

A reader with a cursor over `id` loses rows that commit late (measured: 23 % under load); over
`position` it cannot.
"""

from shared.log.outbox import CHANNEL
from shared.postgres import Database, own_connection, stand_by
from shared.waiting import moment

SEQUENCER_LOCK = 7_411_002
BATCH_SIZE_MAX = 1_000
LOOK_SECONDS = 0.05
"""How long a row waits at most that another process committed, which cannot wake this one."""

# One statement is one round trip, and one that finds nothing locks and writes nothing.
_NUMBER_A_BATCH = f"""
    WITH head AS (
        SELECT position FROM outbox_head
        WHERE EXISTS (SELECT FROM outbox WHERE position IS NULL) FOR UPDATE
    ), batch AS (
        SELECT id, row_number() OVER (ORDER BY id) AS nth
        FROM (SELECT id FROM outbox WHERE position IS NULL ORDER BY id LIMIT $1) AS waiting
    ), numbered AS (
        UPDATE outbox SET position = head.position + batch.nth
        FROM batch, head WHERE outbox.id = batch.id
        RETURNING 1
    ), counted AS (
        SELECT count(*) AS n FROM numbered
    ), told AS (
        UPDATE outbox_head SET position = outbox_head.position + counted.n
        FROM counted WHERE counted.n > 0
        RETURNING counted.n
    )
    SELECT n, pg_notify('{CHANNEL}', '') FROM told
"""  # noqa: S608  # the name is ours


async def number(database: Database) -> None:
    """Give this database's events their numbers for ever, once it holds the lock.

    A second sequencer waits as a stand-by.
    """
    connection = await own_connection(database.dsn)
    try:
        await stand_by(connection, SEQUENCER_LOCK)
        while True:
            database.committed.clear()
            numbered = await connection.fetchval(_NUMBER_A_BATCH, BATCH_SIZE_MAX)
            if (numbered or 0) < BATCH_SIZE_MAX:
                await moment(database.committed, LOOK_SECONDS)
    finally:
        connection.terminate()
