import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from services.notify.domain.live import REPLAY_LENGTH_MAX, Entry, Place, Position, stream_key
from services.notify.store.live import Live
from shared.events.matching import MeetingMoved


@pytest.fixture
async def begun(live: Live, world: Any) -> Live:
    """A live state whose stop has an epoch and no meeting."""
    assert await live.rebuild(world.stop, [], epoch="e1")
    return live


async def test_without_an_epoch_nothing_counts(live: Live, world: Any) -> None:
    assert await live.apply(world.stop, [Entry.of(world.meeting())]) is None
    assert await live.catch_up(world.stop, None) is None
    assert await live.revisions(world.stop) == ("", {})


async def test_a_change_is_applied_once_and_announced_once(
    begun: Live, redis: Any, world: Any
) -> None:
    entry = Entry.of(world.meeting())
    assert await begun.apply(entry.stop_id, [entry]) == ["applied"]
    assert await begun.apply(entry.stop_id, [entry]) == ["known"]
    assert await redis.xlen(stream_key(world.stop)) == 2  # the epoch, and the change


async def test_an_older_revision_never_replaces_a_newer_one(begun: Live, world: Any) -> None:
    first = world.meeting()
    tenth = world.then(first, "called", revision=10)
    assert await begun.apply(world.stop, [Entry.of(tenth)]) == ["applied"]
    assert await begun.apply(
        world.stop, [Entry.of(world.then(first, "cancelled", revision=9))]
    ) == ["known"]
    caught = await begun.catch_up(world.stop, None)
    assert caught
    assert [json.loads(held)["revision"] for held in caught.meetings] == [10]


async def test_a_batch_is_written_in_its_order_and_each_change_once(
    begun: Live, redis: Any, world: Any
) -> None:
    first = world.meeting(number=1)
    called = world.then(first, "called", revision=2)
    batch = [Entry.of(event) for event in (first, called, first, world.meeting(number=2))]

    assert await begun.apply(world.stop, batch) == ["applied", "applied", "known", "applied"]
    assert await redis.xlen(stream_key(world.stop)) == 4  # the epoch, and three changes


async def test_any_order_of_delivery_ends_in_the_newest_state(begun: Live, world: Any) -> None:
    first = world.meeting()
    entries = [Entry.of(world.then(first, "called", revision=n)) for n in range(2, 40)]
    await asyncio.gather(*(begun.apply(world.stop, [entry]) for entry in reversed(entries)))
    assert await begun.revisions(world.stop) == ("e1", {first.meeting_id: 39})


async def test_a_person_sees_only_what_is_theirs(begun: Live, world: Any) -> None:
    mine = world.meeting(number=1)
    other = world.meeting(number=2, parties=world.parties(uuid4(), uuid4()))
    for event in (mine, other):
        await begun.apply(world.stop, [Entry.of(event)])
    caught = await begun.catch_up(world.stop, world.delegate)
    everything = await begun.catch_up(world.stop, None)
    assert caught
    assert everything
    assert [json.loads(m)["meeting_id"] for m in caught.meetings] == [str(mine.meeting_id)]
    assert len(everything.meetings) == 2


async def test_what_was_missed_is_replayed_in_order(begun: Live, world: Any) -> None:
    first = world.meeting()
    await begun.apply(world.stop, [Entry.of(first)])
    seen = await begun.catch_up(world.stop, None)
    assert seen
    for revision in range(2, 6):
        await begun.apply(world.stop, [Entry.of(world.then(first, "called", revision=revision))])
    caught = await begun.catch_up(world.stop, None, seen.position)
    assert caught
    assert caught.is_replay
    assert [json.loads(m)["revision"] for m in caught.meetings] == [2, 3, 4, 5]
    assert list(caught.places) == sorted(caught.places)
    assert caught.position.place == caught.places[-1]


async def test_who_missed_nothing_gets_an_empty_replay(begun: Live, world: Any) -> None:
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    seen = await begun.catch_up(world.stop, None)
    assert seen
    caught = await begun.catch_up(world.stop, None, seen.position)
    assert caught
    assert (caught.is_replay, list(caught.meetings), caught.position) == (True, [], seen.position)


async def test_a_replay_for_a_person_has_the_meeting_that_was_taken_from_them(
    begun: Live, world: Any
) -> None:
    first = world.meeting(interpreter_id=world.interpreter)
    await begun.apply(world.stop, [Entry.of(first)])
    seen = await begun.catch_up(world.stop, world.interpreter)
    assert seen
    moved = world.then(
        first,
        "scheduled",
        kind=MeetingMoved,
        interpreter_id=None,
        former_interpreter_id=world.interpreter,
    )
    await begun.apply(world.stop, [Entry.of(moved)])
    caught = await begun.catch_up(world.stop, world.interpreter, seen.position)
    assert caught
    assert [json.loads(m)["interpreter_id"] for m in caught.meetings] == [None]
    anew = await begun.catch_up(world.stop, world.interpreter)
    assert anew
    assert list(anew.meetings) == []


@pytest.mark.parametrize("epoch", ["e1", "e0"])
async def test_a_place_that_is_not_known_leads_to_a_snapshot(
    begun: Live, world: Any, epoch: str
) -> None:
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    ahead = Position(epoch, Place(10**14, 0))
    before = Position(epoch, Place(1, 0))
    for seen in (ahead, before):
        caught = await begun.catch_up(world.stop, None, seen)
        assert caught
        assert not caught.is_replay
        assert len(caught.meetings) == 1


async def test_another_epoch_leads_to_a_snapshot_though_the_place_exists(
    begun: Live, world: Any
) -> None:
    await begun.apply(world.stop, [Entry.of(world.meeting())])
    seen = await begun.catch_up(world.stop, None)
    assert seen
    caught = await begun.catch_up(world.stop, None, Position("e0", seen.position.place))
    assert caught
    assert not caught.is_replay


async def test_who_was_away_for_long_gets_a_snapshot(begun: Live, redis: Any, world: Any) -> None:
    seen = await begun.catch_up(world.stop, None)
    assert seen
    async with redis.pipeline(transaction=False) as pipeline:
        for _ in range(REPLAY_LENGTH_MAX):
            pipeline.xadd(stream_key(world.stop), {"to": "", "d": "{}", "e": "e1"})
        await pipeline.execute()
    caught = await begun.catch_up(world.stop, None, seen.position)
    assert caught
    assert caught.is_replay
    await redis.xadd(stream_key(world.stop), {"to": "", "d": "{}", "e": "e1"})
    caught = await begun.catch_up(world.stop, None, seen.position)
    assert caught
    assert not caught.is_replay


async def test_a_trimmed_stream_is_no_replay_with_a_gap(
    begun: Live, redis: Any, world: Any
) -> None:
    seen = await begun.catch_up(world.stop, None)
    assert seen
    for number in range(3):
        await begun.apply(world.stop, [Entry.of(world.meeting(number=number))])
    await redis.xtrim(stream_key(world.stop), maxlen=2, approximate=False)
    caught = await begun.catch_up(world.stop, None, seen.position)
    assert caught
    assert not caught.is_replay
    assert len(caught.meetings) == 3


async def test_of_two_rebuilds_one_wins(live: Live, world: Any) -> None:
    answers = await asyncio.gather(*(live.rebuild(world.stop, [], epoch=f"e{n}") for n in range(8)))
    assert sum(answers) == 1


async def test_a_rebuild_keeps_what_is_newer(begun: Live, world: Any) -> None:
    old = world.meeting()
    new = world.then(old, "called")
    await begun.apply(world.stop, [Entry.of(new)])
    assert await begun.rebuild(world.stop, [Entry.of(old)], epoch="e2", instead_of="e1")
    assert await begun.revisions(world.stop) == ("e2", {old.meeting_id: 2})


async def test_a_stop_that_is_filled_in_parts_keeps_what_is_newer(redis: Any, world: Any) -> None:
    live = Live(redis, fill_size_max=2)
    old = [world.meeting(number=n) for n in range(5)]
    assert await live.rebuild(world.stop, [], epoch="e1")
    await live.apply(world.stop, [Entry.of(world.then(old[0], "called"))])
    entries = [Entry.of(event) for event in old]
    assert await live.rebuild(world.stop, entries, epoch="e2", instead_of="e1")
    wanted = {event.meeting_id: 1 for event in old} | {old[0].meeting_id: 2}
    assert await live.revisions(world.stop) == ("e2", wanted)
    assert not await live.rebuild(world.stop, entries, epoch="e3", instead_of="e1")
