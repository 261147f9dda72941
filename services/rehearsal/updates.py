"""Live updates: what listeners should see, and what they saw."""

import asyncio
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SAMPLES_MAX = 5

Place = tuple[str, str]
"""A person and a meeting."""


@dataclass
class Updates:
    """Expected and received updates. A later revision of a meeting stands for all before it."""

    expected: int = 0
    received: int = 0
    by_snapshot: int = 0
    """Of those received: seen after a reconnection, in a snapshot."""
    live_ms: list[float] = field(default_factory=list)
    snapshot_ms: list[float] = field(default_factory=list)
    _listening: set[Place] = field(default_factory=set)
    _seen: dict[Place, int] = field(default_factory=dict)
    _open: dict[Place, list[int]] = field(default_factory=dict)
    _released: set[Place] = field(default_factory=set)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def listen(self, person_id: str, stop_id: str) -> None:
        """Expect updates for somebody at a stop from now on."""
        self._listening.add((person_id, stop_id))

    def leave(self, person_id: str, stop_id: str) -> None:
        """Expect no more."""
        self._listening.discard((person_id, stop_id))

    def expect(self, people: Iterable[str], stop_id: str, meeting_id: str, revision: int) -> None:
        """Expect everybody concerned who listens to see a meeting at a revision or a later one."""
        for person in people:
            if (person, stop_id) not in self._listening:
                continue
            self.expected += 1
            place = (person, meeting_id)
            if self._seen.get(place, -1) >= revision:
                self.received += 1
            else:
                self._open.setdefault(place, []).append(revision)

    def expect_release(self, person: str, stop_id: str, meeting_id: str, revision: int) -> None:
        """Expect somebody whom a meeting no longer needs to see that: a snapshot lacks it then."""
        self.expect([person], stop_id, meeting_id, revision)
        if (person, meeting_id) in self._open:
            self._released.add((person, meeting_id))

    def change(self, person: str, live: Mapping[str, Any], at: float) -> None:
        """Note a change that a listener received at a moment, in seconds of the epoch."""
        self._see(person, live, at, by_snapshot=False)

    def snapshot(self, person: str, meetings: Collection[Mapping[str, Any]], at: float) -> None:
        """Note a snapshot: the state of all of a person's meetings."""
        for live in meetings:
            self._see(person, live, at, by_snapshot=True)
        held = {live["meeting_id"] for live in meetings}
        gone = [p for p in self._released if p[0] == person and p[1] not in held]
        for place in gone:
            self._settle(place, math.inf, by_snapshot=True)

    @property
    def missing(self) -> int:
        """Count what did not arrive yet."""
        return self.expected - self.received

    def samples(self) -> list[str]:
        """Name some of what did not arrive."""
        found = [
            f"person {person}: meeting {meeting} at revision {revision}"
            for (person, meeting), revisions in self._open.items()
            for revision in revisions
        ]
        return found[:SAMPLES_MAX]

    async def arrive(self, idle_seconds_max: float) -> None:
        """Wait until everything arrived, or nothing more did for a while."""
        while self.missing:
            self._news.clear()
            try:
                async with asyncio.timeout(idle_seconds_max):
                    await self._news.wait()
            except TimeoutError:
                return

    def _see(self, person: str, live: Mapping[str, Any], at: float, *, by_snapshot: bool) -> None:
        place, revision = (person, str(live["meeting_id"])), int(live["revision"])
        if self._seen.get(place, -1) >= revision:
            return
        self._seen[place] = revision
        occurred = datetime.fromisoformat(live["occurred_at"]).timestamp()
        delays = self.snapshot_ms if by_snapshot else self.live_ms
        # A stop's meetings may lie before the first connection: nobody waited for those.
        delays.append(max(0.0, at - occurred) * 1000)
        self._settle(place, revision, by_snapshot=by_snapshot)

    def _settle(self, place: Place, revision: float, *, by_snapshot: bool) -> None:
        waiting = self._open.pop(place, [])
        late = [one for one in waiting if one > revision]
        if late:
            self._open[place] = late
        else:
            self._released.discard(place)
        arrived = len(waiting) - len(late)
        self.received += arrived
        self.by_snapshot += arrived if by_snapshot else 0
        self._news.set()


def percentile(values: Collection[float], share: float) -> float | None:
    """Give the smallest value that `share` of all do not exceed; None when there is none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
