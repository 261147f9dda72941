"""Following: one listener's event stream, from what it missed to the end."""

import random
from collections.abc import AsyncGenerator
from typing import Self
from uuid import UUID

from services.notify.commands.keeping import catch_up
from services.notify.domain.live import Position, frame, snapshot
from services.notify.hub import Change, Hub, Listener
from services.notify.store.live import CaughtUp, Live
from shared.postgres import Database
from shared.redis import OUTAGE

HEARTBEAT_SECONDS = 15.0
RETRY_MILLISECONDS = (1_000, 5_000)
"""Spread, so that those who were cut off together do not come back together."""

HEARTBEAT = b":\n\n"


class Following:
    """One open stream: gather first, then read what was missed, then drop what came twice."""

    def __init__(self, database: Database, live: Live, hub: Hub, listener: Listener) -> None:
        self._database = database
        self._live = live
        self._hub = hub
        self._listener = listener
        self._at: Position
        self._first: bytes

    @classmethod
    async def begin(
        cls,
        sources: tuple[Database, Live, Hub],
        stop_id: UUID,
        person_id: UUID | None,
        last_event_id: str | None,
    ) -> Self:
        """Open a stream; an outage is raised here, before the first byte.

        Whoever began it must `leave`, whether a frame was read or not.
        """
        following = cls(*sources, await sources[2].listen(stop_id, person_id))
        try:
            following._first = await following._catch_up(last_event_id)
        except BaseException:
            following.leave()
            raise
        return following

    def leave(self) -> None:
        """Stop listening."""
        self._hub.leave(self._listener)

    async def frames(self) -> AsyncGenerator[bytes, None]:
        """Give what to send, until the stream is closed or Redis goes away under it."""
        try:
            yield _retry() + self._first
            while True:
                changes = await self._listener.take(HEARTBEAT_SECONDS)
                if self._listener.is_closed:
                    break
                yield await self._encode(changes) if changes else HEARTBEAT
            # Closed by us: those who were together are asked to come back apart.
            yield _retry()
        except OUTAGE:
            # Redis went away under a resync; the listener comes back for it.
            return

    async def _encode(self, changes: list[Change]) -> bytes:
        """Join what came together, each encoded once for all listeners."""
        parts: list[bytes] = []
        for change in changes:
            if change.position.epoch != self._at.epoch:
                # What is read now has everything that came together with this.
                parts.append(await self._resync())
                break
            if change.frame and self._at.place < change.position.place:
                parts.append(change.frame)
                self._at = change.position
        return b"".join(parts) or HEARTBEAT

    async def _catch_up(self, last_event_id: str | None) -> bytes:
        seen = Position.read(last_event_id) if last_event_id else None
        caught = await self._read(seen)
        if caught.is_replay:
            return b"".join(
                frame("change", Position(caught.position.epoch, place), live)
                for place, live in zip(caught.places, caught.meetings, strict=True)
            )
        return _all_of(caught, is_resync=bool(last_event_id))

    async def _resync(self) -> bytes:
        return _all_of(await self._read(None), is_resync=True)

    async def _read(self, seen: Position | None) -> CaughtUp:
        caught = await catch_up(
            self._database, self._live, self._listener.stop_id, self._listener.person_id, seen
        )
        self._at = caught.position
        return caught


def _all_of(caught: CaughtUp, *, is_resync: bool) -> bytes:
    everything = frame("snapshot", caught.position, snapshot(list(caught.meetings)))
    return frame("resync", caught.position, "{}") + everything if is_resync else everything


def _retry() -> bytes:
    return f"retry: {random.randint(*RETRY_MILLISECONDS)}\n\n".encode()  # noqa: S311  # no secret
