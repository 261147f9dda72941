"""Load over HTTP/1.1: as little as a client can do, so that the server is what is measured."""

import asyncio
import heapq
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length: "
RETRY = b"retry-after: "
TICK_SECONDS = 0.005

Make = Callable[[], bytes]
"""Gives the bytes of the next request."""


@dataclass
class Result:
    """What was answered, and how long each answer took, in seconds."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    delays: list[float] = field(default_factory=list)
    offered: int = 0
    """How many people came, where that does not follow from the answers."""
    without_retry_after: int = 0
    """How many were turned away without being told when to come back."""

    @property
    def created(self) -> int:
        """How many registrations were accepted."""
        return self.statuses[201]

    @property
    def rate(self) -> float:
        """Accepted registrations a second."""
        return self.created / self.seconds

    def percentile(self, share: float) -> float:
        """Give the delay that this share of the answers stayed under, in seconds."""
        ordered = sorted(self.delays)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; `retry_after` in seconds, where it says so."""

    status: int
    retry_after: int | None
    body: bytes


class Connection(asyncio.Protocol):
    """One connection that carries one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._answer: asyncio.Future[Answer] | None = None

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect to a server on this machine."""
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what writes."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Gather an answer until it is whole."""
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(_field(head, LENGTH) or 0)
        if len(self._received) < end + len(HEAD_END) + length:
            return
        body = self._received[end + len(HEAD_END) :]
        self._received = b""
        retry = _field(head, RETRY)
        self.answered(Answer(int(head[9:12]), int(retry) if retry else None, body))

    def answered(self, answer: Answer) -> None:
        """Give an answer to who waits for it."""
        if self._answer and not self._answer.done():
            self._answer.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(error or ConnectionError("The server hung up."))

    async def ask(self, request: bytes) -> Answer:
        """Send a request and give its answer."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport:
            self._transport.close()


def _field(head: bytes, name: bytes) -> bytes | None:
    start = head.find(name)
    if start < 0:
        return None
    start += len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end > 0 else None]


class Asker(Connection):
    """One of those who ask again as soon as they have an answer, with nothing in between."""

    def __init__(self, make: Make, result: Result) -> None:
        super().__init__()
        self._make = make
        self._result = result
        self._until = 0.0
        self._asked = 0.0
        self.is_done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, until: float) -> None:
        """Ask until then."""
        self._until = until
        self._ask()

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked = time.perf_counter()
        if self._asked >= self._until:
            self.is_done.set_result(None)
        else:
            self._transport.write(self._make())

    def answered(self, answer: Answer) -> None:
        """Count an answer, and ask again."""
        note(self._result, answer, self._asked)
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell who waits."""
        if not self.is_done.done():
            self.is_done.set_exception(error or ConnectionError("The server hung up."))


async def closed(port: int, make: Make, *, connections: int, seconds: float) -> Result:
    """Keep `connections` requests under way for `seconds`."""
    result = Result()
    loop = asyncio.get_running_loop()
    opened = [
        (await loop.create_connection(lambda: Asker(make, result), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for asker in opened:
        asker.start(started + seconds)
    await asyncio.gather(*(asker.is_done for asker in opened))
    result.seconds = time.perf_counter() - started
    for asker in opened:
        asker.close()
    return result


async def paced(port: int, make: Make, *, connections: int, rate: float, seconds: float) -> Result:
    """Send `rate` requests a second, whether or not the server keeps up.

    A delay counts from when a request was due, so that a stall is charged to every request that
    waited for it.
    """
    result = Result()
    opened = [await Connection.open(port) for _ in range(connections)]
    started = time.perf_counter()
    due = iter(range(int(rate * seconds)))

    async def ask(connection: Connection) -> None:
        for place in due:
            at = started + place / rate
            if (early := at - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            note(result, await connection.ask(make()), at)

    await asyncio.gather(*(ask(connection) for connection in opened))
    result.seconds = time.perf_counter() - started
    for connection in opened:
        connection.close()
    return result


def note(result: Result, answer: Answer, asked: float) -> None:
    """Count an answer."""
    result.statuses[answer.status] += 1
    result.delays.append(time.perf_counter() - asked)
    if answer.status in (429, 503) and answer.retry_after is None:
        result.without_retry_after += 1


class Caller(Connection):
    """One of the connections that a crowd shares."""

    def __init__(self, crowd: "Crowd") -> None:
        super().__init__()
        self._crowd = crowd
        self._request = b""
        self._asked = 0.0

    def send(self, request: bytes) -> None:
        """Ask for somebody."""
        assert self._transport is not None
        self._request = request
        self._asked = time.perf_counter()
        self._transport.write(request)

    def answered(self, answer: Answer) -> None:
        """Tell the crowd."""
        self._crowd.answered(self, self._request, answer, self._asked)


@dataclass
class Crowd:
    """More new people than can be served, each of whom tries until accepted.

    Who is turned away comes back when told to. Nobody is waited for: whoever is due and finds no
    idle connection goes first when there is one.
    """

    make: Make
    rate: float
    result: Result = field(default_factory=Result)
    idle: list[Caller] = field(default_factory=list)
    _due: deque[bytes | None] = field(default_factory=deque)
    """None: somebody new, whose request is made when it can be sent."""
    _returning: list[tuple[float, int, bytes]] = field(default_factory=list)
    _is_over: bool = False

    async def run(self, seconds: float) -> None:
        """Let people come for `seconds`."""
        started = time.perf_counter()
        while (now := time.perf_counter()) < started + seconds:
            newcomers = int((now - started) * self.rate) - self.result.offered
            self.result.offered += newcomers
            self._due.extend(itertools.repeat(None, newcomers))
            while self._returning and self._returning[0][0] <= now:
                self._due.append(heapq.heappop(self._returning)[2])
            self._send()
            await asyncio.sleep(TICK_SECONDS)
        self.result.seconds = time.perf_counter() - started
        self._is_over = True

    def answered(self, caller: Caller, request: bytes, answer: Answer, asked: float) -> None:
        """Count an answer, and let the next one ask."""
        self.idle.append(caller)
        if self._is_over:
            return
        note(self.result, answer, asked)
        if answer.status in (429, 503):
            at = time.perf_counter() + (answer.retry_after or 1)
            heapq.heappush(self._returning, (at, len(self.result.delays), request))
        self._send()

    def _send(self) -> None:
        while self._due and self.idle:
            self.idle.pop().send(self._due.popleft() or self.make())


async def flood(port: int, make: Make, *, connections: int, rate: float, seconds: float) -> Result:
    """Let `rate` new people a second arrive for `seconds`, and count what is answered meanwhile."""
    crowd = Crowd(make, rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        _, caller = await loop.create_connection(lambda: Caller(crowd), "127.0.0.1", port)
        crowd.idle.append(caller)
    callers = list(crowd.idle)
    await crowd.run(seconds)
    for caller in callers:
        caller.close()
    return crowd.result
