"""The hub: one reader of Redis streams for all listeners of a process."""

import asyncio
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import redis.asyncio
import structlog

from services.notify.domain.live import Place, Position, frame, stream_key
from shared.redis import BLOCK_MILLISECONDS

QUEUE_LENGTH_MAX = 256
BATCH_SIZE_MAX = 500
WAKE_SECONDS_MAX = 3_600

EVERYBODY = ""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Change:
    """An entry of a stop's stream, encoded once for all who listen."""

    position: Position
    frame: bytes | None
    """None: a new epoch began, and who listens must start anew."""


class Listener:
    """One open stream: what is waiting for it, in order."""

    __slots__ = ("_waiting", "_woken", "is_closed", "person_id", "stop_id", "whom")

    def __init__(self, stop_id: UUID, person_id: UUID | None) -> None:
        self.stop_id = stop_id
        self.person_id = person_id
        self.whom = str(person_id) if person_id else EVERYBODY
        self.is_closed = False
        self._waiting: deque[Change] = deque()
        self._woken = asyncio.Event()

    def put(self, change: Change) -> None:
        """Queue a change; a listener that does not keep up is closed, and resumes later."""
        if len(self._waiting) >= QUEUE_LENGTH_MAX:
            self.close()
        if not self.is_closed:
            self._waiting.append(change)
            self._woken.set()

    def close(self) -> None:
        """End the stream; what is waiting is dropped."""
        self.is_closed = True
        self._waiting.clear()
        self._woken.set()

    async def take(self, seconds_max: float) -> list[Change]:
        """Wait for changes and take all of them; empty when none came in time, or when closed."""
        if not self._woken.is_set():
            try:
                async with asyncio.timeout(seconds_max):
                    await self._woken.wait()
            except TimeoutError:
                return []
        self._woken.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken


class Hub:
    """Who listens to which stop, and how far each stop's stream was read."""

    def __init__(
        self, reader: "redis.asyncio.Redis", commands: "redis.asyncio.Redis", name: str
    ) -> None:
        self._reader = reader
        self._commands = commands
        self._wake_key = f"live:wake:{name}"
        self._woken_at = "0-0"
        self._read_to: dict[UUID, str] = {}
        self._listeners: dict[UUID, dict[str, set[Listener]]] = {}
        """By stop and by whose changes they hear of, as the stream names people."""
        self._loop = asyncio.get_running_loop()
        self._is_closed = False

    @property
    def listeners(self) -> int:
        """Count the open streams."""
        return len(self._all())

    async def listen(self, stop_id: UUID, person_id: UUID | None) -> Listener:
        """Begin to gather a stop's changes, for one person or for everybody.

        What the caller reads from Redis afterwards overlaps with what is gathered: there is no gap.
        """
        is_new = stop_id not in self._read_to
        if is_new:
            found = await self._commands.xrevrange(stream_key(stop_id), count=1)
            last = str(cast(list[Any], found)[0][0]) if found else "0-0"
        if self._is_closed:
            raise ConnectionError("This process is stopping; connect again.")
        # From here to the end of the registration nothing may wait.
        if is_new:
            self._read_to.setdefault(stop_id, last)
        listener = Listener(stop_id, person_id)
        of_stop = self._listeners.setdefault(stop_id, {})
        of_stop.setdefault(listener.whom, set()).add(listener)
        if is_new:
            try:
                await self._wake()
            except BaseException:
                self.leave(listener)
                raise
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener; the last one of a stop takes the stop with it."""
        listener.close()
        of_stop = self._listeners.get(listener.stop_id, {})
        those = of_stop.get(listener.whom, set())
        those.discard(listener)
        if not those:
            of_stop.pop(listener.whom, None)
        if not of_stop:
            self._listeners.pop(listener.stop_id, None)
            self._read_to.pop(listener.stop_id, None)

    def close(self) -> None:
        """End all streams and open no more. May be called from a signal handler."""
        self._is_closed = True
        self._loop.call_soon_threadsafe(self._leave_all)

    def _leave_all(self) -> None:
        for listener in self._all():
            self.leave(listener)

    def _all(self) -> list[Listener]:
        return [
            listener
            for of_stop in self._listeners.values()
            for those in of_stop.values()
            for listener in those
        ]

    async def _wake(self) -> None:
        """Have the reader, which blocks on the stops it knows, look at a new one."""
        async with self._commands.pipeline(transaction=False) as pipeline:
            pipeline.xadd(self._wake_key, {"w": "1"}, maxlen=1)
            pipeline.expire(self._wake_key, WAKE_SECONDS_MAX)
            await pipeline.execute()

    async def run(self) -> None:
        """Read for ever. An outage of Redis ends all streams: they must not look alive."""
        with self._leaving_all():
            while True:
                streams = {self._wake_key: self._woken_at} | {
                    stream_key(stop): place for stop, place in self._read_to.items()
                }
                answer = await self._reader.xread(
                    cast(Any, streams), count=BATCH_SIZE_MAX, block=BLOCK_MILLISECONDS
                )
                self._take(_entries(answer))

    @contextmanager
    def _leaving_all(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._leave_all()

    def _take(self, found: Mapping[str, list[tuple[str, dict[str, str]]]]) -> None:
        if found.get(self._wake_key):
            self._woken_at = found[self._wake_key][-1][0]
        for stop_id in list(self._read_to):
            for place, fields in found.get(stream_key(stop_id), []):
                self._read_to[stop_id] = place
                self._deliver(stop_id, Position(fields["e"], Place.of(place)), fields)

    def _deliver(self, stop_id: UUID, position: Position, fields: Mapping[str, str]) -> None:
        live = fields.get("d")
        of_stop = self._listeners.get(stop_id, {})
        # A new epoch, which has no meeting, is for all.
        whom = list(of_stop) if live is None else {EVERYBODY, *fields.get("to", "").split()}
        change = Change(position, None if live is None else frame("change", position, live))
        for listener in [one for name in whom for one in of_stop.get(name, ())]:
            listener.put(change)
            if listener.is_closed:
                log.warning("listener dropped: it does not keep up")
                self.leave(listener)


def _entries(answer: Any) -> dict[str, list[tuple[str, dict[str, str]]]]:  # RESP2 or RESP3
    if not answer:
        return {}
    pairs = answer.items() if isinstance(answer, dict) else answer
    return {
        key: [
            entry for found in entries for entry in (found if isinstance(found, list) else [found])
        ]
        for key, entries in pairs
    }
