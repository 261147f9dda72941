import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.notify.domain.live import Entry, Place, Position
from services.notify.hub import QUEUE_LENGTH_MAX, Change, Hub, Listener
from services.notify.store.live import Live
from shared.process import cancelling
from shared.redis import blocking_client

WAIT_SECONDS = 5


@pytest.fixture
async def begun(live: Live, world: Any) -> Live:
    """A live state whose stop has an epoch and no meeting."""
    await live.rebuild(world.stop, [], epoch="e1")
    return live


async def test_a_listener_hears_of_a_change_at_once(hub: Hub, begun: Live, world: Any) -> None:
    listener = await hub.listen(world.stop, None)
    async with asyncio.timeout(1):  # far less than a block of the reader
        await begun.apply(world.stop, [Entry.of(world.meeting())])
        changes = await listener.take(WAIT_SECONDS)
    assert [change.position.epoch for change in changes] == ["e1"]


async def test_a_listener_hears_only_of_its_stop_and_person(
    hub: Hub, begun: Live, world: Any
) -> None:
    mine = await hub.listen(world.stop, world.delegate)
    elsewhere = await hub.listen(world.other_stop, None)
    everybody = await hub.listen(world.stop, None)
    await begun.apply(
        world.stop, [Entry.of(world.meeting(parties=world.parties(uuid4(), uuid4())))]
    )
    await begun.apply(world.stop, [Entry.of(world.meeting(parties=world.parties()))])
    heard = 0
    while heard < 2:
        heard += len(await everybody.take(WAIT_SECONDS))
    assert len(await mine.take(0.1)) == 1
    assert await elsewhere.take(0.05) == []


async def test_all_listeners_share_one_encoding(hub: Hub, begun: Live, world: Any) -> None:
    listeners = [await hub.listen(world.stop, None) for _ in range(5)]
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    frames = [(await listener.take(WAIT_SECONDS))[0].frame for listener in listeners]
    assert len({id(frame) for frame in frames}) == 1


async def test_the_last_listener_takes_the_stop_with_it(hub: Hub, begun: Live, world: Any) -> None:
    first, second = await hub.listen(world.stop, None), await hub.listen(world.stop, None)
    hub.leave(first)
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    assert await second.take(WAIT_SECONDS)
    hub.leave(second)
    hub.leave(second)
    assert hub.listeners == 0
    third = await hub.listen(world.stop, None)
    assert await third.take(0.1) == []


async def test_a_listener_that_does_not_keep_up_is_closed_and_the_others_go_on(
    hub: Hub, begun: Live, world: Any
) -> None:
    slow, quick = await hub.listen(world.stop, None), await hub.listen(world.stop, None)
    first, heard = world.meeting(), 0
    for revision in range(1, QUEUE_LENGTH_MAX + 20):
        await begun.apply(world.stop, [Entry.of(world.then(first, "called", revision=revision))])
        if revision % 50 == 0:
            heard += len(await quick.take(WAIT_SECONDS))
    while heard < QUEUE_LENGTH_MAX + 19:
        taken = await quick.take(WAIT_SECONDS)
        assert taken
        heard += len(taken)
    assert slow.is_closed
    assert await slow.take(WAIT_SECONDS) == []
    assert hub.listeners == 1


async def test_a_full_listener_holds_no_more_than_its_limit() -> None:
    listener = Listener(uuid4(), None)
    change = Change(Position("e1", Place(1, 0)), b"")
    for _ in range(QUEUE_LENGTH_MAX):
        listener.put(change)
    assert not listener.is_closed
    listener.put(change)
    assert listener.is_closed


async def test_a_closed_hub_ends_all_and_takes_nobody(hub: Hub, world: Any) -> None:
    listener = await hub.listen(world.stop, None)
    waiting = asyncio.create_task(listener.take(WAIT_SECONDS))
    hub.close()
    assert await asyncio.wait_for(waiting, 1) == []
    assert listener.is_closed
    with pytest.raises(ConnectionError):
        await hub.listen(world.stop, None)


async def test_streams_do_not_look_alive_when_the_reader_ends(
    redis_db: str, redis: Any, world: Any
) -> None:
    async with blocking_client(redis_db) as reader:
        hub = Hub(reader, redis, uuid4().hex)
        async with cancelling(hub.run()):
            listener = await hub.listen(world.stop, None)
        assert listener.is_closed
        assert hub.listeners == 0
