"""Listeners: simulated people who follow their live stream and come back when it breaks."""

import asyncio
import json
import random
import ssl
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import httptools

from services.rehearsal.client import AWAY, NOT_FOUND, Client, Unreachable
from services.rehearsal.events import Frames, StreamEvent
from services.rehearsal.planning import alone
from services.rehearsal.updates import Updates

CONNECT_SECONDS_MAX = 10
SILENCE_SECONDS_MAX = 45
"""Three heartbeats."""
READY_SECONDS_MAX = 120
RECONNECT_SECONDS = (0.2, 1.0)
"""Until the server has asked for a pause of its own."""
OPENINGS_MAX = 16
READ_BYTES = 65_536
OK = 200


class StreamRefused(Exception):
    """The stream was answered with something that no waiting cures."""


class Body:
    """Takes an HTTP/1.1 answer apart: its status, and its body free of chunks."""

    def __init__(self) -> None:
        self.status = 0
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def on_headers_complete(self) -> None:
        """Note the status; the parser calls this."""
        self.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        """Note a part; the parser calls this."""
        self._parts.append(body)

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the connection and give those of the body."""
        self._parser.feed_data(data)
        body = b"".join(self._parts)
        self._parts.clear()
        return body


class Listener:
    """One person at one stop."""

    def __init__(self, client: Client, person_id: str, stop_id: str, updates: Updates) -> None:
        self._client = client
        self._person_id = person_id
        self._stop_id = stop_id
        self._updates = updates
        self._frames = Frames()
        self.is_ready = asyncio.Event()
        self.is_connected = False

    async def follow(self, gate: asyncio.Semaphore) -> None:
        """Follow until cancelled, from where the last connection broke."""
        while True:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                await self._connection(gate)
            self._frames = self._frames.resumed()
            spread = random.uniform(*RECONNECT_SECONDS)  # noqa: S311  # no secret
            await asyncio.sleep(self._frames.retry_seconds or spread)

    async def _connection(self, gate: asyncio.Semaphore) -> None:
        address = urlsplit(self._client.url)
        secure = ssl.create_default_context() if address.scheme == "https" else None
        port = address.port or (443 if secure else 80)
        async with gate, asyncio.timeout(CONNECT_SECONDS_MAX):
            reader, writer = await asyncio.open_connection(address.hostname, port, ssl=secure)
            writer.write(self._head(address.netloc))
            first = await reader.read(READ_BYTES)
        try:
            await self._read(reader, first)
        finally:
            self.is_connected = False
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, data: bytes) -> None:
        body = Body()
        while data:
            at = time.time()
            try:
                part = body.feed(data)
            except httptools.HttpParserError:
                return
            if body.status and body.status != OK:
                if body.status != NOT_FOUND and body.status not in AWAY:
                    raise StreamRefused(f"The live stream answered {body.status}.")
                return
            self.is_connected = body.status == OK
            for event in self._frames.feed(part):
                self._take(event, at)
            async with asyncio.timeout(SILENCE_SECONDS_MAX):
                data = await reader.read(READ_BYTES)

    def _take(self, event: StreamEvent, at: float) -> None:
        if event.name == "change":
            self._updates.change(self._person_id, json.loads(event.data), at)
        elif event.name == "snapshot":
            self._updates.snapshot(self._person_id, json.loads(event.data)["meetings"], at)
            self.is_ready.set()

    def _head(self, host: str) -> bytes:
        resume = self._frames.last_event_id
        lines = [
            f"GET /api/v1/live/me?stop_id={self._stop_id} HTTP/1.1",
            f"Host: {host}",
            f"Authorization: Bearer {self._client.token}",
            "Accept: text/event-stream",
            *([f"Last-Event-ID: {resume}"] if resume else []),
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()


@asynccontextmanager
async def listening(
    clients: dict[str, Client], stop_id: str, updates: Updates
) -> AsyncIterator[list[Listener]]:
    """Have people listen at a stop while the block runs; it begins when each has a snapshot."""
    listeners = [Listener(one, person, stop_id, updates) for person, one in clients.items()]
    gate = asyncio.Semaphore(OPENINGS_MAX)
    with alone():
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(listener.follow(gate)) for listener in listeners]
            try:
                await _until_ready(listeners)
                for person in clients:
                    updates.listen(person, stop_id)
                yield listeners
            finally:
                for person in clients:
                    updates.leave(person, stop_id)
                for task in tasks:
                    task.cancel()


async def _until_ready(listeners: Collection[Listener]) -> None:
    try:
        async with asyncio.timeout(READY_SECONDS_MAX):
            for listener in listeners:
                await listener.is_ready.wait()
    except TimeoutError:
        raise Unreachable("Not every live stream opened in time.") from None
