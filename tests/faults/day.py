"""A day: meetings that change while what is under them fails, and what is true of them."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID, uuid4

from services.notify.domain.live import Entry
from shared.events import matching as m
from tests.faults.hall import Hall, Publisher
from tests.faults.screens import Meeting

CHANGES = int(os.environ.get("LIVE_FAULT_CHANGES", "200"))
SEED = int(os.environ.get("LIVE_FAULT_SEED", "1"))
MEETINGS = 20
PEOPLE = 8
LATE = 0.1
"""Such a share of changes is followed by an older state of the same meeting."""
PAUSE_SECONDS = 0.02
NOW = datetime(2030, 11, 7, 1, 0, tzinfo=UTC)
KINDS: dict[str, type[m.MeetingEvent]] = {
    "scheduled": m.MeetingScheduled,
    "called": m.MeetingCalled,
    "in_progress": m.MeetingStarted,
    "completed": m.MeetingFinished,
    "cancelled": m.MeetingCancelled,
}

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
    numbers: dict[UUID, int] = field(default_factory=dict)
    """How many events each meeting has."""

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
        number = self.numbers[event.meeting_id] = self.numbers.get(event.meeting_id, 0) + 1
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
