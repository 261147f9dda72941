"""The live state loses what it has, and what is under it fails: every screen ends with the truth.

`LIVE_FAULT_CHANGES`, `_SCREENS`, `_TIMES` (of each fault) and `_SEED` make a run large, or another.
`-o log_cli=true --log-cli-level=INFO` tells what came of it.
"""

import asyncio
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

import pytest
from anyio.from_thread import BlockingPortal

from shared.process import cancel
from tests.faults.day import PEOPLE, SEED, Day, Fault
from tests.faults.hall import JARS, Hall, opened
from tests.faults.screens import WAIT_SECONDS_MAX, Meeting, Screen, snapshot

SCREENS = int(os.environ.get("LIVE_FAULT_SCREENS", "12"))
TIMES = int(os.environ.get("LIVE_FAULT_TIMES", "1"))

log = logging.getLogger(__name__)


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
