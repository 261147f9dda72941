"""Snapshots: a stop's live state, read once for all who come to it together."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from uuid import UUID
from weakref import WeakKeyDictionary

from services.notify.audience import Audience
from services.notify.commands.following import AGREE_EVERY_SECONDS, Beginning
from services.notify.commands.keeping import catch_up
from services.notify.domain.live import Position, frame, people_in, snapshot
from services.notify.store.live import Live
from shared.postgres import Database

SHARED_SECONDS = 1.0
"""So old may one be that others get: what followed is told after it."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The meetings of a stop at a position, by whose day they are part of."""

    position: Position
    read_at: float
    meetings: Mapping[str, Sequence[str]]
    """JSON of each entry."""

    def is_good(self, audience: Audience) -> bool:
        """Say whether it can be followed from here, and is new enough."""
        number = audience.after(self.position)
        is_latest = number == audience.ring.everything.end
        return is_latest or (number is not None and monotonic() - self.read_at < SHARED_SECONDS)


class Snapshots:
    """The latest snapshot of each stop, as long as somebody listens there."""

    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._of = WeakKeyDictionary[Audience, Snapshot]()

    async def beginning(
        self, audience: Audience, stop_id: UUID, person_id: UUID
    ) -> Beginning | None:
        """Let somebody begin with what is theirs; None: the audience has yet to read that far."""
        held = self._of.get(audience)
        if held is None or not held.is_good(audience):
            held = self._of[audience] = await self._read(stop_id)
            if audience.after(held.position) is None:
                await asyncio.sleep(AGREE_EVERY_SECONDS)
        number, whom = audience.after(held.position), str(person_id)
        if number is None:
            return None
        first = frame("snapshot", held.position, snapshot([*held.meetings.get(whom, ())]))
        return Beginning(audience, whom, whom, first, number)

    async def _read(self, stop_id: UUID) -> Snapshot:
        read_at = monotonic()
        caught = await catch_up(self._database, self._live, stop_id, None)
        found: dict[str, list[str]] = {}
        for meeting in caught.meetings:
            for whom in people_in(meeting):
                found.setdefault(whom, []).append(meeting)
        return Snapshot(caught.position, read_at, found)
