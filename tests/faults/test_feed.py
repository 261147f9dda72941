"""The broker is killed while partners' programs read the feed: nothing is missed, nothing twice."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from anyio.from_thread import BlockingPortal

from shared.access import Principal, Tokens
from shared.events.registration import ParticipantPending
from shared.process import cancel
from tests.faults.day import SEED, Day
from tests.faults.hall import JARS, SECRET, Hall, Publisher, opened, stop_planned

LIMIT = 3
WAIT_SECONDS = 2
SECONDS_MAX = 120
MEETING = "matching.meeting."

Told = dict[str, list[int]]
"""The numbers of the events of each key."""


@dataclass
class Poller:
    """A partner's program: goes on from where it was, and notes what it reads."""

    hall: Hall
    who: Principal
    read: list[dict[str, Any]] = field(default_factory=list)
    full: int = 0
    empty: int = 0

    async def run(self) -> None:
        token = Tokens(SECRET).sign(self.who, "session", datetime.now(UTC))
        headers = {"Authorization": f"Bearer {token}"}
        path = f"/api/v1/events?limit={LIMIT}&wait={WAIT_SECONDS}"
        async with httpx2.AsyncClient(base_url=self.hall.notify.url, headers=headers) as client:
            while True:
                answer = await client.get(path, timeout=SECONDS_MAX)
                assert answer.status_code == 200, answer.text
                page = answer.json()
                assert len(page["items"]) <= LIMIT
                self.read += page["items"]
                self.full += len(page["items"]) == LIMIT
                self.empty += not page["items"]
                path = page["next"]

    def meetings(self) -> Told:
        """Give what was read of each meeting, in the order in which it came."""
        found: Told = defaultdict(list)
        for event in self.read:
            if event["type"].startswith(MEETING):
                found[event["subject"]].append(int(event["sequence"]))
        return dict(found)

    async def until(self, wanted: Told) -> None:
        """Wait until as much was read as there is, and a little, for what is too much.

        Not for ever: until nothing came for a while.
        """
        total = sum(map(len, wanted.values()))
        read, since = -1, time.monotonic()
        while sum(map(len, self.meetings().values())) < total:
            if len(self.read) > read:
                read, since = len(self.read), time.monotonic()
            assert time.monotonic() < since + SECONDS_MAX, f"{read} events, then nothing more"
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.3)


@pytest.fixture
def over_kafka(portal: BlockingPortal) -> Iterator[Hall]:
    """A hall whose log is Kafka."""
    with opened(portal, JARS) as found:
        yield found


async def brought(publisher: Publisher, day: Day, people: list[UUID], partner: UUID) -> None:
    """Say one by one who brought whom: of some only when they have met somebody."""
    item = uuid4()
    for person in people:
        await asyncio.sleep(0.1)
        facts = {"participant_id": person, "registration_id": uuid4(), "partner_id": partner}
        place = {"mission_id": day.hall.mission, "stop_id": day.stop_id, "programme_item_id": item}
        one = ParticipantPending.model_validate(
            facts | place | {"item_kind": "matchmaking", "side": "local"}
        )
        await publisher.tell([(one, 1)])


async def test_the_broker_is_killed_and_a_poller_misses_nothing_and_reads_nothing_twice(
    over_kafka: Hall,
) -> None:
    hall, host, supporter = over_kafka, uuid4(), uuid4()
    day = Day(hall, uuid4(), Random(SEED))  # noqa: S311  # to be run again
    own = day.people[::3]
    pollers = [
        Poller(hall, Principal("partner_staff", uuid4(), hall.mission, (day.stop_id,), partner))
        for partner in (host, supporter)
    ]
    began = time.monotonic()
    tasks = [asyncio.create_task(one.run()) for one in pollers]
    try:
        async with hall.publisher() as publisher:
            planned = stop_planned(hall.mission, day.stop_id).model_copy(
                update={"hosts": (host,), "partners": (host, supporter)}
            )
            await publisher.tell([(planned, 1)])
            naming = asyncio.create_task(brought(publisher, day, own, supporter))
            await day.play(publisher, [Hall.restart_kafka])
            await naming
            everything, theirs = told(day), told(day, own)
            for one, wanted in zip(pollers, (everything, theirs), strict=True):
                await one.until(wanted)
        assert not [task for task in tasks if task.done()]
    finally:
        await cancel(tasks)
    seconds = time.monotonic() - began

    assert theirs.keys() < everything.keys()
    for poller, wanted in zip(pollers, (everything, theirs), strict=True):
        twice = [id_ for id_, count in Counter(e["id"] for e in poller.read).items() if count > 1]
        assert twice == []
        assert poller.meetings() == wanted
        # Who waits is answered when there is something, and not before; tiny pages follow at once.
        assert poller.full > 10
        assert poller.empty <= seconds / WAIT_SECONDS + 1


def told(day: Day, people: list[UUID] | None = None) -> Told:
    """Give what was told of the meetings of all, or of some."""
    return {
        str(meeting): list(range(1, day.numbers[meeting] + 1))
        for meeting, events in day.history.items()
        if people is None
        or any(party.participant_id in people for one in events for party in one.parties)
    }
