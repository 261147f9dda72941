"""The live state loses what it has, and what is under it fails: every screen ends with the truth.

`LIVE_FAULT_CHANGES`, `_SCREENS`, `_TIMES` (of each fault) and `_SEED` make a run large, or another.
`-o log_cli=true --log-cli-level=INFO` tells what came of it.
"""

import asyncio
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest
from anyio.from_thread import BlockingPortal

from services.notify.domain.live import Entry
from shared.events import matching as m
from shared.process import cancel
from tests.faults.hall import Hall, Publisher, hall
from tests.faults.screens import WAIT_SECONDS_MAX, Meeting, Screen, snapshot

CHANGES = int(os.environ.get("LIVE_FAULT_CHANGES", "200"))
SCREENS = int(os.environ.get("LIVE_FAULT_SCREENS", "12"))
TIMES = int(os.environ.get("LIVE_FAULT_TIMES", "1"))
SEED = int(os.environ.get("LIVE_FAULT_SEED", "1"))
MEETINGS = 20
PEOPLE = 8
LATE = 0.1
"""Such a share of changes is followed by an older state of the same meeting."""
PAUSE_SECONDS = 0.02
JARS = Path(__file__).parents[2] / ".cache" / "kafka"
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
KINDS: dict[str, type[m.MeetingEvent]] = {
    "scheduled": m.MeetingScheduled,
    "called": m.MeetingCalled,
    "in_progress": m.MeetingStarted,
    "completed": m.MeetingFinished,
    "cancelled": m.MeetingCancelled,
}

log = logging.getLogger(__name__)

Fault = Callable[[Hall], Awaitable[None]]


@dataclass
class Day:
    """Meetings that change, and what is true of them."""

    hall: Hall
    stop_id: UUID
    random: Random
    people: list[UUID] = field(default_factory=lambda: [uuid4() for _ in range(PEOPLE)])
    history: dict[UUID, list[m.MeetingEvent]] = field(default_factory=dict)
    told: int = 0
    _numbers: dict[UUID, int] = field(default_factory=dict)

    async def play(self, publisher: Publisher, faults: Sequence[Fault]) -> None:
        """Let meetings change while one fault after the other comes over them."""
        failing = asyncio.create_task(self._fail(faults))
        while self.told < CHANGES or not failing.done():
            await self._go_on(publisher)
        await failing
        await self._go_on(publisher)

    async def _go_on(self, publisher: Publisher) -> None:
        some = [self._changed() for _ in range(self.random.randrange(1, 8))]
        late = [self._old(one) for one in some if self.random.random() < LATE]
        await publisher.tell([self._numbered(one) for one in (*some, *late)])
        self.told += len(some)
        await asyncio.sleep(PAUSE_SECONDS)

    async def _fail(self, faults: Sequence[Fault]) -> None:
        """Have the faults come one after the other, the last when enough has changed."""
        for number, fault in enumerate(faults, 1):
            while self.told < number * CHANGES // len(faults):
                await asyncio.sleep(PAUSE_SECONDS)
            await fault(self.hall)

    def truth(self) -> dict[str, Meeting]:
        """Give the latest state of each meeting, as a page gets it."""
        latest = [Entry.of(events[-1]).live for events in self.history.values()]
        return {one["meeting_id"]: one for one in map(_read, latest)}

    def _changed(self) -> m.MeetingEvent:
        if len(self.history) < MEETINGS:
            event = self._scheduled()
        else:
            event = self._next(self.random.choice([*self.history.values()])[-1])
        self.history.setdefault(event.meeting_id, []).append(event)
        return event

    def _old(self, event: m.MeetingEvent) -> m.MeetingEvent:
        return self.random.choice(self.history[event.meeting_id])

    def _numbered(self, event: m.MeetingEvent) -> tuple[m.MeetingEvent, int]:
        number = self._numbers[event.meeting_id] = self._numbers.get(event.meeting_id, 0) + 1
        return event, number

    def _scheduled(self) -> m.MeetingEvent:
        starts_at = NOW + timedelta(minutes=30 * len(self.history))
        delegate, local = self.random.sample(self.people, 2)
        return m.MeetingScheduled(
            meeting_id=uuid4(),
            stop_id=self.stop_id,
            mission_id=self.hall.mission,
            revision=1,
            state="scheduled",
            starts_at=starts_at,
            ends_at=starts_at + timedelta(minutes=25),
            point=f"T{len(self.history)}",
            parties=(
                m.Party(participant_id=delegate, side="delegation", organization="Sample Ltd"),
                m.Party(participant_id=local, side="local", organization="Sample Co., Ltd."),
            ),
            schedule_number=1,
            occurred_at=NOW,
        )

    def _next(self, before: m.MeetingEvent) -> m.MeetingEvent:
        state = self.random.choice([*KINDS])
        facts = before.model_dump() | {"revision": before.revision + 1, "state": state}
        if self.random.random() < 0.3:
            others = [one for one in self.people if one not in before.concerned]
            facts |= {
                "state": "scheduled",
                "interpreter_id": self.random.choice((None, *others)),
                "former_interpreter_id": before.interpreter_id,
            }
            return m.MeetingMoved(**facts)
        facts.pop("former_interpreter_id", None)
        return KINDS[state](**facts)


def _read(live: str) -> Meeting:
    meeting: Meeting = json.loads(live)
    return meeting


async def hung(hall: Hall) -> None:
    await hall.hang_redis(3)


async def rolled_back(hall: Hall) -> None:
    await hall.save()
    await asyncio.sleep(0.3)
    await hall.restart_redis()


@dataclass
class Outcome:
    """What came of a day."""

    told_back: list[str]
    wrong: int
    """Screens that never came to show the truth."""
    fresh_is_wrong: bool
    seconds: float
    openings: int
    resyncs: int


async def lived(
    hall: Hall,
    name: str,
    faults: Sequence[Fault],
    *,
    hang_up_share: float = 0.02,
    patience: float = WAIT_SECONDS_MAX,
) -> Outcome:
    """Play a day with faults, and wait until all screens show the truth."""
    random = Random(f"{SEED} {name}")  # noqa: S311  # to be run again
    day = Day(hall, await hall.stop(), random)
    whose = [None if n % 2 else day.people[n // 2 % PEOPLE] for n in range(SCREENS)]
    screens = [Screen(hall, day.stop_id, who, hang_up_share) for who in whose]
    tasks = [
        asyncio.create_task(one.run(Random(f"{SEED} {n}")))  # noqa: S311
        for n, one in enumerate(screens)
    ]
    try:
        async with hall.publisher() as publisher:
            await day.play(publisher, faults)
            ended = time.monotonic()
            wrong = await _settle(screens, day.truth(), patience)
            seconds = time.monotonic() - ended
            fresh = await _fresh(hall, day.stop_id, patience)
    finally:
        await cancel(tasks)
    for task in tasks:
        assert task.cancelled(), task.exception()
    outcome = Outcome(
        told_back=[what for one in screens for what in one.told_back],
        wrong=wrong,
        fresh_is_wrong=fresh != day.truth(),
        seconds=seconds,
        openings=sum(one.openings for one in screens),
        resyncs=sum(one.resyncs for one in screens),
    )
    log.info("%s: %s changes, %s", name, day.told, replace(outcome, told_back=[]))
    return outcome


async def _settle(screens: list[Screen], truth: dict[str, Meeting], patience: float) -> int:
    """Wait until all screens hold the truth at once, and count those that never do."""
    until = time.monotonic() + patience
    while wrong := sum(not one.holds(truth) for one in screens):
        if time.monotonic() > until:
            return wrong
        await asyncio.sleep(0.05)
    return 0


async def _fresh(hall: Hall, stop_id: UUID, patience: float) -> dict[str, Meeting] | None:
    """Open a page that has seen nothing, and give what it shows; None when it is never answered."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        with suppress(OSError):
            return await snapshot(hall, stop_id)
        await asyncio.sleep(0.1)
    return None


FAULTS: dict[str, Fault] = {
    "flushed": Hall.flush,
    "emptied": Hall.empty_redis,
    "rolled back": rolled_back,
    "hung": hung,
    "notify killed": Hall.restart_notify,
    "told again": Hall.tell_all_again,
}

WRITES_WHAT_IS_OLDER = """
from services.notify.store import live_scripts
assert ">= tonumber(ARGV[i + 1])" in live_scripts.APPLY
live_scripts.APPLY = live_scripts.APPLY.replace(">= tonumber(ARGV[i + 1])", "> math.huge")
"""
HAS_ONE_EPOCH = """
from services.notify.commands import keeping
keeping.new_epoch = lambda server: server[:keeping.SERVER_LENGTH]
"""


@contextmanager
def opened(portal: BlockingPortal, jars: Path | None = None) -> Iterator[Hall]:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    folder.chmod(0o711)
    try:
        with portal.wrap_async_context_manager(hall(folder, portal, jars)) as found:
            yield found
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def plain(portal: BlockingPortal) -> Iterator[Hall]:
    """A hall whose log is PostgreSQL."""
    with opened(portal) as found:
        yield found


@pytest.fixture
def over_kafka(portal: BlockingPortal) -> Iterator[Hall]:
    """A hall whose log is Kafka."""
    with opened(portal, JARS) as found:
        yield found


def check(outcome: Outcome) -> None:
    assert outcome.wrong == 0
    assert not outcome.fresh_is_wrong
    assert outcome.told_back == []


@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_fails_every_screen_ends_with_the_truth(plain: Hall, fault: str) -> None:
    check(await lived(plain, fault, [FAULTS[fault]] * TIMES))


async def test_the_broker_is_killed_and_every_screen_ends_with_the_truth(over_kafka: Hall) -> None:
    faults = [Hall.restart_kafka, Hall.flush, rolled_back, Hall.restart_notify]
    check(await lived(over_kafka, "over Kafka", faults * TIMES))


@pytest.mark.parametrize("twist", [WRITES_WHAT_IS_OLDER, HAS_ONE_EPOCH])
async def test_the_check_finds_a_notify_that_goes_wrong(plain: Hall, twist: str) -> None:
    plain.twist.write_text(twist)
    await plain.restart_notify()
    # The last tests of this hall: it ends as it is.
    # Nobody comes back by himself, who would have Redis filled before the next change.
    outcome = await lived(plain, "mutant", [Hall.flush] * 5, hang_up_share=0, patience=5)

    assert outcome.wrong + outcome.fresh_is_wrong + len(outcome.told_back) > 0
