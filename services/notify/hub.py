"""The hub: one reader of Redis streams for all who listen in this process."""

import asyncio
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import redis.asyncio
import structlog

from services.notify.audience import Audience, Listener
from services.notify.domain.live import SESSIONS_KEY, Place, Position, frame, stream_key
from services.notify.ring import KEPT_MAX, Change
from services.notify.wires import Wires
from shared.redis import BLOCK_MILLISECONDS

BATCH_SIZE_MAX = 500
WAKE_SECONDS_MAX = 3_600
LINGER_SECONDS = 600
"""So long a stop is still read after its last listener: those who were cut off come back."""
RETRY_MILLISECONDS = (1_000, 5_000)
"""Spread, so that those who were cut off together do not come back together."""

Entries = Sequence[tuple[str, dict[str, str]]]

log = structlog.get_logger()


def retry() -> bytes:
    """Say after how long a browser comes back when its stream has ended."""
    soon, late = RETRY_MILLISECONDS
    return b"retry: %d\n\n" % (soon + (late - soon) * random.random())  # noqa: S311  # no secret


class Hub:
    """The audiences of the stops that somebody listens to, and how far each was read."""

    def __init__(
        self, reader: "redis.asyncio.Redis", commands: "redis.asyncio.Redis", name: str
    ) -> None:
        self._reader = reader
        self._commands = commands
        self._wake_key = f"live:wake:{name}"
        self._woken_at = self._dismissed_at = "0-0"
        self._wires = Wires[Listener]()
        self._audiences: dict[UUID, Audience] = {}
        self._read_to: dict[UUID, str] = {}
        self._quiet_since: dict[UUID, float] = {}
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    @property
    def listeners(self) -> int:
        """Count the open streams."""
        return len(self._wires)

    async def audience(self, stop_id: UUID) -> Audience:
        """Begin to read a stop, or go on.

        What the caller reads from Redis afterwards overlaps with what is gathered: there is no gap.
        """
        if stop_id not in self._audiences:
            found = await self._latest(stop_id)
            # From here to the end nothing may wait.
            if stop_id not in self._audiences:
                audience = self._audiences[stop_id] = Audience(self._wires)
                self._read_to[stop_id] = "0-0"
                self._take_in(stop_id, audience, found)
                await self.wake()
        if self._is_closed:
            raise ConnectionError("This process is stopping; connect again.")
        return self._audiences[stop_id]

    def known(self, stop_id: UUID) -> Audience | None:
        """Give the audience of a stop that is read already."""
        return None if self._is_closed else self._audiences.get(stop_id)

    def close(self) -> None:
        """End all streams and open no more. May be called from a signal handler."""
        self._is_closed = True
        self._loop.call_soon_threadsafe(self._wires.close_all, retry)

    def end(self) -> None:
        """Give back what the process holds for its streams."""
        self._is_closed = True
        self._wires.end()

    async def run(self) -> None:
        """Read for ever. An outage of Redis ends all streams: they must not look alive."""
        with self._leaving_all():
            while True:
                self._let_go()
                streams = {self._wake_key: self._woken_at, SESSIONS_KEY: self._dismissed_at} | {
                    stream_key(stop): place for stop, place in self._read_to.items()
                }
                answer = await self._reader.xread(
                    cast(Any, streams), count=BATCH_SIZE_MAX, block=BLOCK_MILLISECONDS
                )
                found = _entries(answer)
                await self._leave_the_outrun(found)
                self._take(found)

    async def _leave_the_outrun(self, found: Mapping[str, Entries]) -> None:
        """Send those away of a stop of which Redis may have let go what was not read here yet.

        That is so when what was read last is not there any more, which takes a process that was
        held up for long: only then there is more than one answer holds.
        """
        for stop_id, place in [*self._read_to.items()]:
            if len(found.get(stream_key(stop_id), ())) < BATCH_SIZE_MAX:
                continue
            first = cast(Entries, await self._commands.xrange(stream_key(stop_id), count=1))
            if stop_id in self._audiences and first and Place.of(place) < Place.of(first[0][0]):
                log.warning("the reader was outrun", stop_id=str(stop_id))
                self._audiences[stop_id].leave(retry)
                self._quiet_since.pop(stop_id, None)
                del self._audiences[stop_id], self._read_to[stop_id]

    async def _latest(self, stop_id: UUID) -> Entries:
        found = await self._commands.xrevrange(stream_key(stop_id), count=KEPT_MAX)
        return cast(Entries, [*reversed(cast(list[Any], found))])

    async def wake(self) -> None:
        """Have the reader, which blocks on the stops it knows, look at a new one."""
        async with self._commands.pipeline(transaction=False) as pipeline:
            pipeline.xadd(self._wake_key, {"w": "1"}, maxlen=1)
            pipeline.expire(self._wake_key, WAKE_SECONDS_MAX)
            await pipeline.execute()

    @contextmanager
    def _leaving_all(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._wires.close_all(retry)
            self._audiences.clear()
            self._read_to.clear()
            self._quiet_since.clear()
            # A Redis that comes back with less than it had counts from an earlier moment.
            self._woken_at = self._dismissed_at = "0-0"

    def _let_go(self) -> None:
        """Read no more what nobody has listened to for long."""
        now = self._loop.time()
        for stop_id, audience in [*self._audiences.items()]:
            if audience.is_heard:
                self._quiet_since.pop(stop_id, None)
            elif now - self._quiet_since.setdefault(stop_id, now) > LINGER_SECONDS:
                del self._audiences[stop_id], self._read_to[stop_id], self._quiet_since[stop_id]

    def _take(self, found: Mapping[str, Entries]) -> None:
        if found.get(self._wake_key):
            self._woken_at = found[self._wake_key][-1][0]
        for place, fields in found.get(SESSIONS_KEY, ()):
            self._dismissed_at = place
            for audience in self._audiences.values():
                audience.dismiss(fields["p"], retry)
        for stop_id, audience in [*self._audiences.items()]:
            self._take_in(stop_id, audience, found.get(stream_key(stop_id), ()))

    def _take_in(self, stop_id: UUID, audience: Audience, entries: Entries) -> None:
        changes: list[Change] = []
        for place, fields in entries:
            self._read_to[stop_id] = place
            position = Position(fields["e"], Place.of(place))
            if position.epoch != audience.epoch:
                # Redis was filled again: who listens must start anew.
                changes.clear()
                audience.begin_anew(position, retry)
            if (live := fields.get("d")) is not None:
                whom = tuple(fields.get("to", "").split())
                changes.append(Change(position, whom, frame("change", position, live)))
        audience.take(changes)


def _entries(answer: Any) -> dict[str, Entries]:  # RESP2 or RESP3
    if not answer:
        return {}
    pairs = answer.items() if isinstance(answer, dict) else answer
    return {
        key: [
            entry for found in entries for entry in (found if isinstance(found, list) else [found])
        ]
        for key, entries in pairs
    }
