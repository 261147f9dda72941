import asyncio
import random
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from shared.log import outbox
from shared.log.sequencer import number
from shared.postgres import own_connection

if TYPE_CHECKING:
    from tests.shared.conftest import Announce, Stage


@pytest.fixture
def kind() -> str:
    """These tests stop before the log: one is enough."""
    return "postgres"


async def commit_late(stage: "Stage", announce: "Announce", chance: random.Random) -> None:
    async with stage.publisher.transaction() as connection:
        for _ in range(chance.randint(1, 3)):
            await announce(connection, uuid4())
        await asyncio.sleep(chance.random() * 0.2)
        if chance.random() < 0.5:
            await announce(connection, uuid4(), is_last=True)
        if chance.random() < 0.2:
            raise Withdrawn


class Withdrawn(Exception):
    pass


async def test_positions_have_no_gap_where_transactions_commit_late_or_not_at_all(
    stage: "Stage", announce: "Announce"
) -> None:
    chance = random.Random(7)  # noqa: S311  # no secret: how long transactions stay open
    seen: list[tuple[int, bytes]] = []

    async def follow() -> None:
        """Read as a log does: by a cursor over positions that never goes back."""
        position = 0
        connection = await own_connection(stage.publisher.dsn)
        try:
            while True:
                records, position = await outbox.after(connection, position, limit=10)
                seen.extend((position, dict(r.headers)["ce_id"]) for r in records)
                await asyncio.sleep(0.005)
        finally:
            connection.terminate()

    async with stage.publishing():
        following = asyncio.create_task(follow())
        for _ in range(8):
            await asyncio.gather(
                *(commit_late(stage, announce, chance) for _ in range(8)), return_exceptions=True
            )
        await stage.until(lambda: is_numbered(stage))

        async def is_followed() -> bool:
            assert not following.done(), following
            return len(seen) >= len(await stage.positions())

        await stage.until(is_followed)
        following.cancel()

    positions = await stage.positions()
    assert positions == list(range(1, len(positions) + 1))
    async with stage.publisher.reading() as connection:
        rows = await connection.fetch("SELECT event_id FROM outbox ORDER BY position")
    assert [id_ for _, id_ in seen] == [str(row["event_id"]).encode() for row in rows]


async def is_numbered(stage: "Stage") -> bool:
    return None not in await stage.positions()


async def test_the_events_of_one_key_are_numbered_in_the_order_of_their_versions(
    stage: "Stage",
) -> None:
    key = uuid4()
    async with stage.publishing():
        await asyncio.gather(*(stage.say(key, is_last=nth % 3 == 0) for nth in range(60)))
        await stage.until(lambda: is_numbered(stage))

    async with stage.publisher.reading() as connection:
        rows = await connection.fetch("SELECT sequence FROM outbox ORDER BY position")
    assert [row["sequence"] for row in rows] == list(range(1, 61))


async def test_what_is_written_last_needs_no_sequencer_unless_something_waits_for_it(
    stage: "Stage",
) -> None:
    key = uuid4()
    await stage.say(key, is_last=True)
    await stage.say(uuid4(), uuid4(), is_last=True)
    assert await stage.positions() == [1, 2, 3]

    await stage.say(key)
    await stage.say(key, is_last=True)
    assert (await stage.positions()).count(None) == 2

    async with stage.publishing():
        await stage.until(lambda: is_numbered(stage))
    assert await stage.positions() == [1, 2, 3, 4, 5]


async def test_an_event_committed_by_another_process_is_numbered_too(
    stage: "Stage", announce: "Announce"
) -> None:
    async with stage.publishing():
        other = await own_connection(stage.publisher.dsn)
        async with other.transaction():
            await announce(other, uuid4())
        await other.close()
        await stage.until(lambda: is_numbered(stage))

    assert await stage.positions() == [1]


async def test_a_second_sequencer_stands_by_and_takes_over(stage: "Stage") -> None:
    first = asyncio.create_task(number(stage.publisher))
    await stage.say(uuid4())
    await stage.until(lambda: is_numbered(stage))
    second = asyncio.create_task(number(stage.publisher))
    await stage.say(*[uuid4() for _ in range(20)])
    await stage.until(lambda: is_numbered(stage))
    first.cancel()
    await asyncio.wait([first])
    await stage.say(*[uuid4() for _ in range(20)])
    await stage.until(lambda: is_numbered(stage))
    second.cancel()
    await asyncio.wait([second])

    assert await stage.positions() == list(range(1, 42))


async def test_a_command_that_forgot_the_lock_of_its_aggregate_is_refused(
    stage: "Stage", announce: "Announce"
) -> None:
    key = uuid4()
    await stage.say(key)
    async with stage.publisher.transaction() as connection:
        await connection.execute("DELETE FROM aggregate")

    with pytest.raises(asyncpg.UniqueViolationError):
        async with stage.publisher.transaction() as connection:
            await announce(connection, key)
