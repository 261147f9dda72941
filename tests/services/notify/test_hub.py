import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from services.notify import hub as hubs
from services.notify.audience import CALM_SECONDS, TOLD_A_CALM_TURN, TOLD_A_TURN
from services.notify.commands.following import begin
from services.notify.domain.live import Entry, stream_key
from services.notify.hub import BATCH_SIZE_MAX, Hub
from services.notify.ring import KEPT_MAX
from services.notify.store.live import Live
from shared.process import cancelling
from shared.redis import blocking_client

Follow = Callable[..., Awaitable[Any]]


@pytest.fixture
async def begun(live: Live, world: Any) -> Live:
    """A live state whose stop has an epoch and no meeting."""
    await live.rebuild(world.stop, [], epoch="e1")
    return live


async def heard(stream: Any, read: Any, count: int) -> list[Any]:
    """Read on until there are `count` events besides snapshots."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += [one for one in read(await anext(stream)) if one.event != "snapshot"]
    return found


async def test_a_listener_hears_of_a_change_at_once(
    follow: Follow, read: Any, begun: Live, world: Any
) -> None:
    stream = await follow(world.stop)
    async with asyncio.timeout(4):  # less than a block of the reader
        await begun.apply(world.stop, [Entry.of(world.meeting())])
        (change,) = await heard(stream, read, 1)
    assert change.id.startswith("e1:")


async def test_a_listener_hears_only_of_its_stop_and_person(
    follow: Follow, read: Any, begun: Live, world: Any
) -> None:
    mine = await follow(world.stop, world.delegate)
    elsewhere = await follow(world.other_stop)
    everybody = await follow(world.stop)
    others = world.meeting(parties=world.parties(uuid4(), uuid4()))
    await begun.apply(world.stop, [Entry.of(others)])
    own = world.meeting(parties=world.parties())
    await begun.apply(world.stop, [Entry.of(own)])
    ids = [str(one.meeting_id) for one in (others, own)]
    assert [c.data["meeting_id"] for c in await heard(everybody, read, 2)] == ids
    assert [c.data["meeting_id"] for c in await heard(mine, read, 1)] == ids[1:]
    await anext(elsewhere)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await anext(elsewhere)


async def test_what_came_together_is_one_write(
    follow: Follow, read: Any, begun: Live, world: Any
) -> None:
    streams = [await follow(world.stop) for _ in range(3)]
    for stream in streams:
        await anext(stream)
    await begun.apply(world.stop, [Entry.of(world.meeting()) for _ in range(10)])
    for stream in streams:
        assert len(read(await anext(stream))) == 10


async def test_many_are_told_in_slices_and_who_is_called_meanwhile_gets_all_in_order(
    follow: Follow, read: Any, begun: Live, world: Any, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TOLD_A_TURN", "TOLD_A_CALM_TURN"):
        monkeypatch.setattr(f"services.notify.audience.{name}", 2)
    streams = [await follow(world.stop) for _ in range(9)]
    mine = await follow(world.stop, world.delegate)
    meetings = [world.meeting(parties=world.parties()) for _ in range(3)]
    for meeting in meetings:
        await begun.apply(world.stop, [Entry.of(meeting)])
    wanted = [str(meeting.meeting_id) for meeting in meetings]
    for stream in (mine, *streams):
        assert [c.data["meeting_id"] for c in await heard(stream, read, 3)] == wanted
    assert hub.listeners == 10


async def test_turns_are_long_until_somebody_is_called(
    follow: Follow, read: Any, hub: Hub, begun: Live, world: Any
) -> None:
    audience = await hub.audience(world.stop)
    mine, everybody = await follow(world.stop, world.delegate), await follow(world.stop)
    others = Entry.of(world.meeting(parties=world.parties(uuid4(), uuid4())))
    await begun.apply(world.stop, [others])
    await heard(everybody, read, 1)
    assert audience._told_a_turn() == TOLD_A_CALM_TURN
    await begun.apply(world.stop, [Entry.of(world.meeting(parties=world.parties()))])
    await heard(mine, read, 1)
    assert audience._told_a_turn() == TOLD_A_TURN
    audience._called_at -= CALM_SECONDS
    assert audience._told_a_turn() == TOLD_A_CALM_TURN


async def test_who_leaves_is_forgotten_and_the_others_go_on(
    follow: Follow, read: Any, hub: Hub, begun: Live, world: Any
) -> None:
    first, second = await follow(world.stop, world.delegate), await follow(world.stop)
    await first.aclose()
    await begun.apply(world.stop, [Entry.of(world.meeting(parties=world.parties()))])
    assert await heard(second, read, 1)
    assert hub.listeners == 1
    await second.aclose()
    async with asyncio.timeout(60):
        while hub.listeners:
            await asyncio.sleep(0.001)


async def test_a_stop_without_listeners_is_read_for_a_while_and_then_no_more(
    follow: Follow, hub: Hub, begun: Live, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = await follow(world.stop)
    audience = await hub.audience(world.stop)
    await stream.aclose()
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    async with asyncio.timeout(60):
        while not audience.ring.everything.end:
            await asyncio.sleep(0.001)
    assert hub.known(world.stop) is audience
    monkeypatch.setattr(hubs, "LINGER_SECONDS", 0)
    await follow(world.other_stop)
    async with asyncio.timeout(60):
        while hub.known(world.stop) is not None:
            await hub.wake()
            await asyncio.sleep(0.01)


@pytest.fixture
async def other_hub(redis_db: str, redis: Any) -> AsyncIterator[Hub]:
    """A hub of another process, which has yet to read."""
    async with blocking_client(redis_db) as reader:
        hub = Hub(reader, redis, uuid4().hex)
        yield hub
        hub.end()


async def test_what_was_announced_before_is_known_to_a_process_that_begins(
    other_hub: Hub, resources: Any, follow: Follow, read: Any, begun: Live, world: Any
) -> None:
    first = world.meeting()
    await begun.apply(world.stop, [Entry.of(first)])
    stream = await follow(world.stop)
    (snapshot,) = read(await anext(stream))
    await begun.apply(world.stop, [Entry.of(world.then(first, "called"))])
    await heard(stream, read, 1)
    sources = (resources.database, resources.live, other_hub)
    found = await begin(sources, world.stop, None, snapshot.id)
    assert (found.first, found.number) == (b"", 1)
    assert b'"revision":2' in found.audience.ring.content(found.whom, found.number)


async def test_the_ring_forgets_what_is_old_and_says_so(
    follow: Follow, read: Any, hub: Hub, begun: Live, world: Any
) -> None:
    first = world.meeting()
    stream = await follow(world.stop)
    (snapshot,) = read(await anext(stream))
    revision, found = 0, []
    while revision < 2 * KEPT_MAX + 10:
        changes = []
        for _ in range(50):
            revision += 1
            changes.append(Entry.of(world.then(first, "called", revision=revision)))
        await begun.apply(world.stop, changes)
        found += await heard(stream, read, len(changes))
    assert [change.data["revision"] for change in found] == list(range(1, revision + 1))
    ring = (await hub.audience(world.stop)).ring
    late = await follow(world.stop, None, snapshot.id)
    assert [one.event for one in read(await anext(late))] == ["resync", "snapshot"]
    assert 0 < ring.everything.begin <= ring.everything.end - KEPT_MAX


async def test_who_heard_nothing_for_long_is_told_of_the_next_change_that_is_theirs(
    follow: Follow, read: Any, begun: Live, world: Any
) -> None:
    mine, everybody = await follow(world.stop, world.delegate), await follow(world.stop)
    await anext(everybody)
    others = world.meeting(parties=world.parties(uuid4(), uuid4()))
    for first in range(1, 2 * KEPT_MAX + 100, 100):
        changes = [world.then(others, "called", revision=first + n) for n in range(100)]
        await begun.apply(world.stop, [Entry.of(change) for change in changes])
        await heard(everybody, read, 100)
    await begun.apply(world.stop, [Entry.of(world.meeting(parties=world.parties()))])
    assert [one.event for one in await heard(mine, read, 1)] == ["change"]


async def test_a_closed_hub_ends_all_and_takes_nobody(
    follow: Follow, hub: Hub, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    stream = await follow(world.stop)
    await anext(stream)
    hub.close()
    async with asyncio.timeout(60):
        assert (await anext(stream)).startswith(b"retry: ")
    with pytest.raises(ConnectionError):
        await hub.audience(world.stop)
    assert hub.known(world.stop) is None


async def test_streams_do_not_look_alive_when_the_reader_ends(
    other_hub: Hub, resources: Any, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    ours, theirs = socket.socketpair()
    with ours:
        async with cancelling(other_hub.run()):
            sources = (resources.database, resources.live, other_hub)
            found = await begin(sources, world.stop, None, None)
            listener = found.listen(theirs.detach())
            assert listener.is_open
        assert not listener.is_open
    assert other_hub.known(world.stop) is None


async def test_who_listens_to_a_reader_that_was_outrun_starts_anew(
    other_hub: Hub, resources: Any, redis: Any, begun: Live, read: Any, world: Any
) -> None:
    first = world.meeting()
    sources = (resources.database, resources.live, other_hub)
    ours, theirs = socket.socketpair()
    beginning = await begin(sources, world.stop, None, None)
    listener = beginning.listen(theirs.detach())
    count = 2 * BATCH_SIZE_MAX
    changes = [world.then(first, "called", revision=n) for n in range(2, count)]
    await begun.apply(world.stop, [Entry.of(change) for change in changes])
    await redis.xtrim(stream_key(world.stop), maxlen=BATCH_SIZE_MAX, approximate=False)
    with ours:
        async with cancelling(other_hub.run()), asyncio.timeout(60):
            while listener.is_open:
                await asyncio.sleep(0.01)
        assert b"event: change" not in ours.recv(1 << 20)
        again = await begin(sources, world.stop, None, "e1:0-1")
    assert [one.event for one in read(again.first)] == ["resync", "snapshot"]


async def test_who_signs_out_hears_no_more_at_any_stop_and_the_others_go_on(
    follow: Follow, read: Any, live: Live, begun: Live, world: Any
) -> None:
    mine = [await follow(stop, world.delegate) for stop in (world.stop, world.other_stop)]
    others = await follow(world.stop, world.local)
    staff = [await follow(world.stop, by=world.delegate), await follow(world.stop, by=world.local)]
    for stream in (*mine, others, *staff):
        await anext(stream)
    await live.end_session(world.delegate)
    for stream in (*mine, staff[0]):
        async with asyncio.timeout(60):
            assert (await anext(stream)).startswith(b"retry: ")
            with pytest.raises(StopAsyncIteration):
                await anext(stream)
    await begun.apply(world.stop, [Entry.of(world.meeting(parties=world.parties()))])
    for stream in (others, staff[1]):
        assert await heard(stream, read, 1)
