import asyncio
from typing import Any

import pytest

from services.notify.commands.keeping import Reconciler, apply, catch_up
from services.notify.commands.looking import current
from services.notify.domain.live import Entry, meetings_key, stream_key
from services.notify.store import meetings
from services.notify.store.live import Live
from shared.log.consumer import Outage
from shared.postgres import Database
from shared.redis import command_client


async def test_an_event_reaches_postgres_and_redis(
    database: Database, live: Live, keep: Any, world: Any
) -> None:
    event = world.meeting()
    await keep(event)
    async with database.reading() as connection:
        assert await meetings.revisions(connection, world.stop) == {event.meeting_id: 1}
    _, held = await live.revisions(world.stop)
    assert held == {event.meeting_id: 1}


async def test_late_and_repeated_events_change_nothing(
    database: Database, live: Live, keep: Any, world: Any
) -> None:
    first = world.meeting()
    second, third = world.then(first, "called"), world.then(first, "in_progress", revision=3)
    await keep(first, third, second, first, third)
    assert (await live.revisions(world.stop))[1] == {first.meeting_id: 3}
    async with database.reading() as connection:
        assert await meetings.revisions(connection, world.stop) == {first.meeting_id: 3}


async def test_a_wiped_redis_is_filled_by_the_next_event(
    live: Live, redis: Any, keep: Any, world: Any
) -> None:
    before, after = world.meeting(number=1), world.meeting(number=2)
    await keep(before)
    await redis.flushall()
    await keep(after)
    assert (await live.revisions(world.stop))[1] == {before.meeting_id: 1, after.meeting_id: 1}


async def test_a_wiped_redis_is_filled_by_the_next_reader(
    database: Database, live: Live, redis: Any, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    await redis.flushall()
    assert len((await catch_up(database, live, world.stop, None)).meetings) == 1


async def test_an_event_waits_while_redis_is_away_and_leaves_no_trace(
    database: Database, world: Any, free_port: int
) -> None:
    async with command_client(f"redis://127.0.0.1:{free_port}") as nowhere:
        with pytest.raises(Outage):
            async with database.transaction() as connection:
                await apply(connection, Live(nowhere), [world.meeting()])
    async with database.reading() as connection:
        assert await meetings.revisions(connection, world.stop) == {}


async def test_pages_read_postgres_while_redis_is_away(
    database: Database, stored: Any, world: Any, free_port: int
) -> None:
    mine, other = world.meeting(number=9), world.meeting(number=1, parties=())
    await stored(mine, other)
    async with command_client(f"redis://127.0.0.1:{free_port}") as nowhere:
        everything = await current(database, Live(nowhere), world.stop)
        own = await current(database, Live(nowhere), world.stop, world.local)
    assert [m["point"] for m in everything] == ["T2", "T10"]
    assert [m["point"] for m in own] == ["T10"]


async def test_the_reconciler_leaves_what_is_right_alone(
    database: Database, live: Live, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    epoch, _ = await live.revisions(world.stop)
    reconciler = Reconciler(database, live)
    assert [await reconciler.look() for _ in range(3)] == [0, 0, 0]
    assert (await live.revisions(world.stop))[0] == epoch


async def test_the_reconciler_repairs_what_is_behind_at_two_looks(
    database: Database, live: Live, redis: Any, keep: Any, world: Any
) -> None:
    lost, kept = world.meeting(number=1), world.meeting(number=2)
    await keep(lost, kept)
    epoch, _ = await live.revisions(world.stop)
    await redis.hdel(meetings_key(world.stop), str(lost.meeting_id))
    reconciler = Reconciler(database, live)
    assert [await reconciler.look() for _ in range(3)] == [0, 1, 0]
    repaired, held = await live.revisions(world.stop)
    assert held == {lost.meeting_id: 1, kept.meeting_id: 1}
    assert repaired != epoch


async def test_the_reconciler_does_not_take_a_stop_for_behind_that_moves_on(
    database: Database, live: Live, stored: Any, keep: Any, world: Any
) -> None:
    first = world.meeting()
    await keep(first)
    reconciler = Reconciler(database, live)
    second, third = world.then(first, "called"), world.then(first, "called", revision=3)
    await stored(second)
    assert await reconciler.look() == 0
    await keep(second)
    await stored(third)
    assert await reconciler.look() == 0


async def test_the_reconciler_fills_a_wiped_redis_at_its_first_look(
    database: Database, live: Live, redis: Any, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    await redis.flushall()
    assert await Reconciler(database, live).look() == 1
    assert len((await live.revisions(world.stop))[1]) == 1


async def test_the_reconciler_fills_anew_what_began_in_another_history_of_redis(
    database: Database, live: Live, stored: Any, world: Any
) -> None:
    first = world.meeting()
    await stored(first)
    await live.rebuild(world.stop, [Entry.of(first)], epoch="00000000restored")
    reconciler = Reconciler(database, live)
    assert [await reconciler.look() for _ in range(2)] == [1, 0]
    epoch, held = await live.revisions(world.stop)
    assert held == {first.meeting_id: 1}
    assert epoch.startswith((await live.server())[:8])


async def test_a_reader_and_an_event_that_find_redis_empty_fill_it_once(
    database: Database, live: Live, stored: Any, redis: Any, world: Any
) -> None:
    await stored(world.meeting())
    await asyncio.gather(*(catch_up(database, live, world.stop, None) for _ in range(8)))
    assert await redis.xlen(stream_key(world.stop)) == 1
