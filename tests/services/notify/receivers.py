"""Receivers of webhooks, as partners have them: good ones, slow ones, and such as are away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Answer = bytes | None
"""Raw bytes, or None: never."""


@dataclass(frozen=True)
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """Keeps what comes, and answers as `answer` says, after `seconds`, and not before `until`."""

    answer: Callable[[Received], Answer]
    seconds: float = 0.0
    until: asyncio.Event | None = None
    port: int = 0
    received: list[Received] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?for=tradewind"

    def ids(self) -> list[str]:
        return [one.id for one in self.received]

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["Content-Length"]))
        one = Received(headers, body)
        self.received.append(one)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.seconds)
            if self.until:
                await self.until.wait()
            answer = self.answer(one)
            # Who is never answered goes by himself.
            await (reader.read(1) if answer is None else _written(writer, answer))
        finally:
            self.at_once -= 1


def status(code: int, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Said", *headers, "Content-Length: 0"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def always(code: int, *headers: str) -> Callable[[Received], Answer]:
    return lambda _: status(code, *headers)


def never(received: Received) -> Answer:
    del received
    return None


@asynccontextmanager
async def receiving(
    answer: Callable[[Received], Answer],
    seconds: float = 0.0,
    until: asyncio.Event | None = None,
) -> AsyncIterator[Receiver]:
    """Listen on a free port of this machine."""
    receiver = Receiver(answer, seconds, until)
    server = await asyncio.start_server(receiver.connected, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


async def _written(writer: asyncio.StreamWriter, answer: bytes) -> bytes:
    writer.write(answer)
    await writer.drain()
    return b""


async def until(is_so: Callable[[], bool], seconds_max: float = 60) -> None:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds_max):
        while not is_so():
            await asyncio.sleep(0.01)
