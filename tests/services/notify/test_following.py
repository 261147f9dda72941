import asyncio
from typing import Any
from uuid import uuid4

import pytest

from services.notify import wires
from services.notify.api import live as api
from services.notify.commands.following import begin
from services.notify.domain.live import Position
from shared.events.matching import MeetingMoved


async def events(frames: Any, read: Any, count: int = 1) -> list[Any]:
    """Read frames until there are `count` events."""
    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += read(await anext(frames))
    return found


async def test_a_stream_begins_with_a_snapshot_and_goes_on_with_changes(
    follow: Any, read: Any, keep: Any, world: Any
) -> None:
    first = world.meeting()
    await keep(first)
    frames = await follow(world.stop)
    (snapshot,) = await events(frames, read)
    assert snapshot.event == "snapshot"
    assert [m["revision"] for m in snapshot.data["meetings"]] == [1]
    await keep(world.then(first, "called"))
    (change,) = await events(frames, read)
    assert (change.event, change.data["type"]) == ("change", "matching.meeting.called.v1")
    assert Position.read(change.id)


async def test_a_stream_asks_browsers_to_come_back_apart(
    follow: Any, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    waits = {(await anext(await follow(world.stop))).split(b"\n")[0] for _ in range(5)}
    assert len(waits) > 1
    assert all(wait.startswith(b"retry: ") for wait in waits)


async def test_who_comes_back_gets_what_was_missed_and_nothing_twice(
    follow: Any, read: Any, keep: Any, world: Any
) -> None:
    first = world.meeting()
    await keep(first)
    (snapshot,) = await events(await follow(world.stop), read)
    second, third = world.then(first, "called"), world.then(first, "in_progress", revision=3)
    await keep(second, third)
    frames = await follow(world.stop, None, snapshot.id)
    missed = await events(frames, read, 2)
    assert [(f.event, f.data["revision"]) for f in missed] == [("change", 2), ("change", 3)]
    await keep(world.then(first, "completed", revision=4))
    (change,) = await events(frames, read)
    assert change.data["revision"] == 4


@pytest.mark.parametrize("seen", ["e0:1-1", "nonsense", "ffff:99999999999999-0"])
async def test_who_comes_from_elsewhere_is_told_and_gets_everything(
    follow: Any, read: Any, keep: Any, world: Any, seen: str
) -> None:
    await keep(world.meeting())
    resync, snapshot = await events(await follow(world.stop, None, seen), read, 2)
    assert (resync.event, resync.data) == ("resync", {})
    assert (snapshot.event, len(snapshot.data["meetings"])) == ("snapshot", 1)


async def test_who_is_cut_off_before_the_snapshot_gets_it_all_the_same(
    follow: Any, read: Any, keep: Any, world: Any
) -> None:
    await keep(world.meeting())
    resync, _ = await events(await follow(world.stop, None, "nonsense"), read, 2)
    _, snapshot = await events(await follow(world.stop, None, resync.id), read, 2)
    assert (snapshot.event, len(snapshot.data["meetings"])) == ("snapshot", 1)


async def test_a_wiped_redis_ends_the_streams_and_who_comes_back_starts_anew(
    follow: Any, read: Any, keep: Any, redis: Any, world: Any
) -> None:
    first = world.meeting()
    await keep(first)
    frames = await follow(world.stop)
    (before,) = await events(frames, read)
    await redis.flushall()
    await keep(world.then(first, "called"))
    assert (await anext(frames)).startswith(b"retry: ")
    with pytest.raises(StopAsyncIteration):
        await anext(frames)
    frames = await follow(world.stop, None, before.id)
    resync, snapshot = await events(frames, read, 2)
    assert (resync.event, snapshot.event) == ("resync", "snapshot")
    assert [m["revision"] for m in snapshot.data["meetings"]] == [2]
    assert snapshot.id.split(":")[0] != before.id.split(":")[0]
    await keep(world.then(first, "in_progress", revision=3))
    (change,) = await events(frames, read)
    assert (change.event, change.data["revision"]) == ("change", 3)


async def test_who_comes_back_after_a_wipe_gets_a_fresh_snapshot(
    follow: Any, read: Any, keep: Any, redis: Any, world: Any
) -> None:
    await keep(world.meeting())
    (before,) = await events(await follow(world.stop), read)
    await redis.flushall()
    # Whoever needs everything has Redis filled again.
    await events(await follow(world.stop), read)
    resync, snapshot = await events(await follow(world.stop, None, before.id), read, 2)
    assert (resync.event, len(snapshot.data["meetings"])) == ("resync", 1)


async def test_a_change_between_listening_and_reading_comes_once(
    follow: Any, read: Any, keep: Any, world: Any, resources: Any, monkeypatch: Any
) -> None:
    first = world.meeting()
    await keep(first)
    audience = resources.hub.audience

    async def audience_and_miss(stop_id: Any) -> Any:
        found = await audience(stop_id)
        await keep(world.then(first, "called"))
        return found

    monkeypatch.setattr(resources.hub, "audience", audience_and_miss)
    frames = await follow(world.stop)
    (snapshot,) = await events(frames, read)
    assert [m["revision"] for m in snapshot.data["meetings"]] == [2]
    await keep(world.then(first, "in_progress", revision=3))
    (change,) = await events(frames, read)
    assert change.data["revision"] == 3


async def test_each_revision_comes_in_order_to_many_listeners_who_come_and_go(
    follow: Any, read: Any, keep: Any, world: Any
) -> None:
    first = world.meeting()
    await keep(first)

    async def listen() -> list[int]:
        revisions: list[int] = []
        seen = None
        while 60 not in revisions:
            frames = await follow(world.stop, world.delegate, seen)
            for found in await events(frames, read):
                those = found.data.get("meetings", [found.data])
                revisions += [m["revision"] for m in those]
                seen = found.id
            await frames.aclose()
        return revisions

    async def change() -> None:
        for revision in range(2, 61):
            await keep(world.then(first, "called", revision=revision))

    *heard, _ = await asyncio.gather(*(listen() for _ in range(4)), change())
    for revisions in heard:
        assert revisions
        assert revisions == list(range(revisions[0], 61))


async def test_a_person_hears_of_a_meeting_that_is_theirs_no_more(
    follow: Any, read: Any, keep: Any, world: Any
) -> None:
    first = world.meeting(interpreter_id=world.interpreter)
    await keep(first)
    frames = await follow(world.stop, world.interpreter)
    await events(frames, read)
    await keep(
        world.then(
            first,
            "scheduled",
            kind=MeetingMoved,
            interpreter_id=uuid4(),
            former_interpreter_id=world.interpreter,
        )
    )
    (change,) = await events(frames, read)
    assert change.data["interpreter_id"] != str(world.interpreter)


async def test_a_quiet_stream_beats(
    follow: Any, keep: Any, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep(world.meeting())
    frames = await follow(world.stop)
    await anext(frames)
    monkeypatch.setattr(wires, "BEAT_SECONDS", 0.01)
    async with asyncio.timeout(60):
        assert await anext(frames) == wires.BEAT


async def test_a_stream_ends_with_a_pause_when_the_process_stops(
    follow: Any, keep: Any, world: Any, resources: Any
) -> None:
    await keep(world.meeting())
    frames = await follow(world.stop)
    await anext(frames)
    resources.hub.close()
    assert (await asyncio.wait_for(anext(frames), 60)).startswith(b"retry: ")
    with pytest.raises(StopAsyncIteration):
        await anext(frames)


async def test_a_reader_who_is_too_slow_is_cut_off_and_loses_nothing(
    follow: Any, read: Any, keep: Any, world: Any, resources: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wires, "BACKLOG_BYTES_MAX", 10_000)
    first = world.meeting()
    await keep(first)
    slow, quick = await follow(world.stop), await follow(world.stop)
    (snapshot,) = await events(slow, read)
    await events(quick, read)
    revision = 1
    while slow.listener.is_open:
        revision += 1
        await keep(world.then(first, "called", revision=revision))
        (change,) = await events(quick, read)
        assert change.data["revision"] == revision
    assert resources.hub.listeners == 1
    async with asyncio.timeout(60):
        heard = [change async for part in slow for change in read(part)]
    assert 0 < len(heard) < revision
    again = await follow(world.stop, None, (heard or [snapshot])[-1].id)
    heard += await events(again, read, revision - 1 - len(heard))
    assert [f.data["revision"] for f in heard] == list(range(2, revision + 1))


async def test_an_outage_is_raised_before_the_first_byte(
    world: Any, resources: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(resources.live), "catch_up", away)
    with pytest.raises(ConnectionError):
        await begin((resources.database, resources.live, resources.hub), world.stop, None, None)
    assert resources.hub.listeners == 0


async def test_who_comes_back_soon_costs_no_look_at_redis(
    follow: Any, read: Any, keep: Any, world: Any, monkeypatch: pytest.MonkeyPatch, resources: Any
) -> None:
    first = world.meeting()
    await keep(first)
    (snapshot,) = await events(await follow(world.stop, world.delegate), read)
    await keep(world.then(first, "called"))
    await events(await follow(world.stop), read)

    async def away(*_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(type(resources.live), "catch_up", away)
    missed = await events(await follow(world.stop, world.delegate, snapshot.id), read)
    assert [f.data["revision"] for f in missed] == [2]


async def copied(response: api.EventStream, send: Any) -> None:
    """Answer where the connection cannot be handed over."""
    scope = {"type": "http", "asgi": {"spec_version": "2.3"}}

    async def silent() -> Any:
        await asyncio.Event().wait()

    async with asyncio.timeout(60):
        await response(scope, silent, send)


async def test_a_client_that_takes_nothing_is_let_go(
    keep: Any, world: Any, resources: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "SEND_SECONDS_MAX", 0.05)
    await keep(world.meeting())
    sources = (resources.database, resources.live, resources.hub)
    response = api.EventStream(await begin(sources, world.stop, None, None))

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    await copied(response, stuck)
    assert resources.hub.listeners == 0


async def test_a_client_that_is_gone_before_the_first_byte_leaves_no_listener(
    keep: Any, world: Any, resources: Any
) -> None:
    await keep(world.meeting())
    sources = (resources.database, resources.live, resources.hub)
    response = api.EventStream(await begin(sources, world.stop, None, None))

    async def gone(message: Any) -> None:
        raise OSError(message["type"])

    with pytest.raises(OSError, match=r"http\.response\.start"):
        await copied(response, gone)
    assert resources.hub.listeners == 0
