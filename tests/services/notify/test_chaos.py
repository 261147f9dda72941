"""Streams while everything under them goes wrong: whoever listens ends with the truth."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from services.notify.commands.keeping import Reconciler
from services.notify.domain.live import epoch_key
from services.notify.store import meetings
from services.notify.store.live import Live
from shared.events.matching import MeetingEvent, MeetingMoved
from shared.postgres import Database

STEPS = 120
MEETINGS = 8
STATES = ("scheduled", "called", "in_progress", "completed", "cancelled")
Keep = Callable[..., Awaitable[None]]
Follow = Callable[..., Awaitable[Any]]


class Screen:
    """A page that follows a stream, comes back when it ends, and shows the latest of each."""

    def __init__(self, follow: Follow, read: Any, stop_id: UUID, person_id: UUID | None) -> None:
        self._follow = follow
        self._read = read
        self._stop_id = stop_id
        self._person_id = person_id
        self._ids: list[str] = []
        self.shown: dict[str, dict[str, Any]] = {}
        self.openings = 0

    async def run(self, random: Random) -> None:
        """Listen for ever; hang up now and then, and come back with an id that may be wrong."""
        while True:
            try:
                stream = await self._follow(self._stop_id, self._person_id, self._seen(random))
            except ConnectionError:
                await asyncio.sleep(0.01)
                continue
            self.openings += 1
            async for part in stream:
                for event in self._read(part):
                    self._show(event)
                if random.random() < 0.1:
                    break
            await stream.aclose()

    def _seen(self, random: Random) -> str | None:
        if not self._ids or random.random() < 0.1:
            return None
        wrong = ("nonsense", "ffff:1-1", self._ids[0], random.choice(self._ids))
        return random.choice(wrong) if random.random() < 0.2 else self._ids[-1]

    def _show(self, event: Any) -> None:
        self._ids.append(event.id)
        if event.event == "snapshot":
            before, self.shown = self.shown, {}
            for meeting in event.data["meetings"]:
                known = before.get(meeting["meeting_id"], meeting)
                newer = known if known["revision"] > meeting["revision"] else meeting
                self.shown[meeting["meeting_id"]] = newer
        elif event.event == "change":
            known = self.shown.get(event.data["meeting_id"])
            if known is None or known["revision"] < event.data["revision"]:
                self.shown[event.data["meeting_id"]] = event.data

    def holds(self, truth: dict[str, dict[str, Any]]) -> bool:
        """Say whether what is shown, of what is still somebody's, is the truth."""
        person = str(self._person_id)
        shown = {
            key: meeting
            for key, meeting in self.shown.items()
            if self._person_id is None or person in json.dumps(meeting)
        }
        return shown == truth


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_happens_every_screen_ends_with_what_postgresql_has(
    seed: int, stage: "Stage", follow: Follow, read: Any, world: Any
) -> None:
    random = Random(seed)  # noqa: S311  # a play, not a secret
    people = (world.delegate, world.local, world.interpreter)
    screens = [Screen(follow, read, world.stop, who) for who in (*people, None, None)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run(Random(seed + n))) for n, one in enumerate(screens)]  # noqa: S311
        await stage.play(random, world)
        await stage.settle()
        async with asyncio.timeout(60):
            for screen, person in zip(screens, (*people, None, None), strict=True):
                truth = await stage.truth(world.stop, person)
                while not screen.holds(truth):
                    await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
    assert sum(screen.openings for screen in screens) > len(screens)


class Stage:
    """What happens at the stop, and to Redis."""

    def __init__(self, database: Database, live: Live, redis: Redis, keep: Keep) -> None:
        self._database = database
        self._live = live
        self._redis = redis
        self._keep = keep

    async def play(self, random: Random, world: Any) -> None:
        """Let meetings change over a Redis that loses things.

        Events are told late, together and again; those of one meeting in order, as the log does.
        """
        now = [self._some(random, world) for _ in range(MEETINGS)]
        waiting, told = [*now], list[MeetingEvent]()
        for _ in range(STEPS):
            place = random.randrange(MEETINGS)
            now[place] = self._changed(random, world, now[place])
            waiting.append(now[place])
            if random.random() < 0.7:
                count = random.randrange(1, 6)
                told += waiting[:count]
                again = random.sample(told, min(len(told), random.randrange(3)))
                await self._keep(*waiting[:count], *again)
                del waiting[:count]
            await self._harm(random, world.stop)
        await self._keep(*waiting)

    async def settle(self) -> None:
        """Look as the reconciler does, until there is nothing to repair."""
        reconciler = Reconciler(self._database, self._live)
        await reconciler.look()
        while await reconciler.look():
            pass

    async def truth(self, stop_id: UUID, person_id: UUID | None) -> dict[str, dict[str, Any]]:
        """Give what PostgreSQL has, of one person or of all."""
        async with self._database.reading() as connection:
            found = await meetings.of_stop(connection, stop_id)
        return {
            str(entry.meeting_id): json.loads(entry.live)
            for entry in found
            if person_id is None or person_id in entry.people
        }

    async def _harm(self, random: Random, stop_id: UUID) -> None:
        chance = random.random()
        if chance < 0.03:
            await self._redis.flushall()
        elif chance < 0.06:
            await self._redis.delete(epoch_key(stop_id))
        elif chance < 0.09:
            await self._live.wipe(stop_id)

    def _some(self, random: Random, world: Any) -> MeetingEvent:
        parties = world.parties(
            random.choice((world.delegate, uuid4())), random.choice((world.local, uuid4()))
        )
        meeting: MeetingEvent = world.meeting(parties=parties)
        return meeting

    def _changed(self, random: Random, world: Any, meeting: MeetingEvent) -> MeetingEvent:
        helper = random.choice((None, world.interpreter, uuid4()))
        state = random.choice(STATES)
        if helper == meeting.interpreter_id:
            changed: MeetingEvent = world.then(meeting, state)
            return changed
        moved: MeetingEvent = world.then(
            meeting,
            "scheduled",
            kind=MeetingMoved,
            interpreter_id=helper,
            former_interpreter_id=meeting.interpreter_id,
        )
        return moved


@pytest.fixture
def stage(database: Database, live: Live, redis: Redis, keep: Keep) -> Stage:
    return Stage(database, live, redis, keep)
