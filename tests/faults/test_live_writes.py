"""Many write one stop's live state at once, out of order, while it is lost and filled again."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from services.notify.domain.live import Entry
from services.notify.store import live_scripts
from services.notify.store.live import Live
from shared.process import cancel
from shared.redis import command_client

MEETINGS = int(os.environ.get("LIVE_FAULT_MEETINGS", "40"))
SEED = int(os.environ.get("LIVE_FAULT_SEED", "1"))
REVISIONS = 20
REPEATED = 0.25
WRITERS = 8
PART = 7
"""So small that a stop is filled in many parts."""
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
NEWER_ONLY_APPLIED = ">= tonumber(ARGV[i + 1])"
NEWER_ONLY_FILLED = "if not held"

Change = Callable[[Live, Redis], None]


@dataclass
class Truth:
    """What PostgreSQL has: of each meeting the newest revision."""

    stop_id: UUID = field(default_factory=uuid4)
    entries: dict[UUID, Entry] = field(default_factory=dict)

    def put(self, entry: Entry) -> None:
        known = self.entries.get(entry.meeting_id)
        if known is None or known.revision < entry.revision:
            self.entries[entry.meeting_id] = entry

    def revisions(self) -> dict[UUID, int]:
        return {key: entry.revision for key, entry in self.entries.items()}


@dataclass(frozen=True)
class Play:
    """Writers, those who repair, and one who wipes."""

    live: Live
    redis: Redis
    truth: Truth
    random: Random
    went_back: list[UUID] = field(default_factory=list)

    async def write(self, entries: Sequence[Entry]) -> None:
        for start in range(0, len(entries), 3):
            some = entries[start : start + 3]
            for entry in some:
                self.truth.put(entry)
            while await self.live.apply(self.truth.stop_id, some) is None:
                await self.fill("")

    async def fill(self, instead_of: str) -> None:
        """Fill the stop with what was read a moment ago."""
        read = [*self.truth.entries.values()]
        await asyncio.sleep(self.random.random() / 200)
        await self.live.rebuild(self.truth.stop_id, read, epoch=uuid4().hex, instead_of=instead_of)

    async def repair(self) -> None:
        while True:
            await asyncio.sleep(self.random.random() / 50)
            await self.fill(await self.live.epoch(self.truth.stop_id))

    async def watch(self) -> None:
        """Note each meeting of which an older revision is held than before."""
        newest: dict[UUID, int] = {}
        while True:
            _, held = await self.live.revisions(self.truth.stop_id)
            self.went_back.extend(key for key in held if held[key] < newest.get(key, 0))
            newest |= held
            await asyncio.sleep(0.001)

    async def wipe(self) -> None:
        while True:
            await asyncio.sleep(self.random.random() / 10)
            await self.redis.flushall()


def entry(stop_id: UUID, meeting_id: UUID, revision: int) -> Entry:
    people = (uuid4(), uuid4())
    live = f'{{"meeting_id":"{meeting_id}","revision":{revision}}}'
    starts_at = NOW + timedelta(minutes=revision)
    return Entry(meeting_id, stop_id, revision, "scheduled", starts_at, people, people, live)


async def played(live: Live, redis: Redis, *, wiped: bool) -> tuple[int, int]:
    """Play; count how often a meeting went back, and those that are wrong at the end."""
    random = Random(SEED)  # noqa: S311  # to be run again
    truth = Truth()
    play = Play(live, redis, truth, random)
    meetings = [uuid4() for _ in range(MEETINGS)]
    entries = [entry(truth.stop_id, one, n + 1) for one in meetings for n in range(REVISIONS)]
    entries += random.sample(entries, int(len(entries) * REPEATED))
    random.shuffle(entries)
    others = [
        asyncio.create_task(one()) for one in (play.repair, play.wipe if wiped else play.watch)
    ]
    async with asyncio.timeout(300):
        await asyncio.gather(*(play.write(entries[n::WRITERS]) for n in range(WRITERS)))
    await cancel(others)
    # What a wipe took between a write and its commit is found by the reconciler.
    await play.fill(await live.epoch(truth.stop_id))
    _, held = await live.revisions(truth.stop_id)
    wrong = sum(held.get(key) != revision for key, revision in truth.revisions().items())
    return len(play.went_back), wrong


@pytest.fixture
async def redis(redis_db: str) -> AsyncIterator[Redis]:
    async with command_client(redis_db) as client:
        yield client


@pytest.mark.parametrize("wiped", [False, True])
async def test_no_meeting_goes_back_or_is_left_wrong(redis: Redis, wiped: bool) -> None:
    assert await played(Live(redis, fill_size_max=PART), redis, wiped=wiped) == (0, 0)


def plain_write(live: Live, redis: Redis) -> None:
    script = live_scripts.APPLY.replace(NEWER_ONLY_APPLIED, "> math.huge")
    assert script != live_scripts.APPLY
    live._apply = redis.register_script(script)


def plain_fill(live: Live, redis: Redis) -> None:
    part, whole = [
        one.replace(NEWER_ONLY_FILLED, "if true or not held")
        for one in (live_scripts.FILL_PART, live_scripts.REBUILD)
    ]
    assert part != live_scripts.FILL_PART
    live._fill_part, live._rebuild = redis.register_script(part), redis.register_script(whole)


@pytest.mark.parametrize("change", [plain_write, plain_fill])
async def test_the_check_finds_a_write_that_does_not_compare(redis: Redis, change: Change) -> None:
    live = Live(redis, fill_size_max=PART)
    change(live, redis)

    went_back, _ = await played(live, redis, wiped=False)
    assert went_back > 0
