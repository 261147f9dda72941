"""Listeners in a process of their own: many event streams, and when each change had reached all.

Run: `python -m bench.streams PORT COUNT SECURITY`, SECURITY being `plain`, `tls` or `h2`; the head
of the request comes first on its input. Each line of its output is one JSON object: `open` once all
streams are, a change as soon as all have it, and at last that all were closed. Times are the
monotonic clock's, which is one for the whole machine.
"""

import asyncio
import json
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

MARK, FIRST, AWAY = b"event: change", b"event: snapshot", b'"unavailable"'
OPENING_MAX = 128
READ_BYTES = 1 << 16
READY_MAX = 1_024
TELL_SECONDS_MAX = 120

# HTTP/2 (RFC 9113): as little as one request with an endless answer needs.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, SETTINGS, WINDOW_UPDATE = 0x1, 0x4, 0x8
END_STREAM_AND_HEADERS = 0x5
INITIAL_WINDOW_SIZE = 0x4
WINDOW_MAX = 2**31 - 1
SHORT = 0x7F


@dataclass(slots=True)
class Stream:
    """One stream: what it has had, and the end of its last bytes, in which a mark may begin."""

    link: socket.socket
    is_open: bool = False
    changes: int = 0
    tail: bytes = b""


@dataclass
class Change:
    """A change on its way: who has it, and since when."""

    first: float
    reached: int = 0


@dataclass
class Listening:
    """All streams, and the changes that have not reached all of them."""

    port: int
    count: int
    request: bytes
    security: ssl.SSLContext | None
    streams: dict[int, Stream] = field(default_factory=dict)
    changes: dict[int, Change] = field(default_factory=dict)
    opened: int = 0
    epoll: select.epoll = field(default_factory=select.epoll)

    def run(self) -> None:
        """Open all streams and listen until all are closed."""
        for number in range(self.count):
            self._connect()
            # The first has the stop's state made ready for the others.
            while number - self.opened > OPENING_MAX or not self.opened:
                self._look()
        while self.opened < self.count:
            self._look()
        tell({"open": self.count})
        while self.streams:
            self._look()
        tell({"closed": self.count, "at": time.monotonic()})

    def _connect(self) -> None:
        link = socket.create_connection(("127.0.0.1", self.port))
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.security:
            link = self.security.wrap_socket(link, server_hostname="localhost")
        link.sendall(self.request)
        link.setblocking(False)
        self.streams[link.fileno()] = Stream(link)
        self.epoll.register(link.fileno(), select.EPOLLIN)

    def _look(self) -> None:
        for fd, _ in self.epoll.poll(1, READY_MAX):
            stream = self.streams[fd]
            try:
                while content := stream.link.recv(READ_BYTES):
                    self._take(stream, content)
                    if not self.security:
                        break
                else:
                    self._closed(fd, stream)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            except OSError:
                self._closed(fd, stream)

    def _closed(self, fd: int, stream: Stream) -> None:
        del self.streams[fd]
        stream.link.close()

    def _take(self, stream: Stream, content: bytes) -> None:
        content = stream.tail + content
        stream.tail = content[1 - len(MARK) :]
        if not stream.is_open:
            if AWAY in content:
                raise ConnectionError("A stream was refused.")
            stream.is_open = FIRST in content
            self.opened += stream.is_open
        for _ in range(content.count(MARK)):
            stream.changes += 1
            self._reached(stream.changes)

    def _reached(self, number: int) -> None:
        now = time.monotonic()
        change = self.changes.setdefault(number, Change(now))
        change.reached += 1
        if change.reached == self.count:
            del self.changes[number]
            tell({"change": number, "first": change.first, "last": now})


def tell(what: dict[str, Any]) -> None:
    """Write a line."""
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def secured(security: str) -> ssl.SSLContext | None:
    """Give the client's side of TLS; a certificate made for the run is not looked at."""
    if security == "plain":
        return None
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2" if security == "h2" else "http/1.1"])
    return context


def as_http2(head: str) -> bytes:
    """Write a request as HTTP/2 has it: literal fields without an index (RFC 7541, 6.2.2)."""
    first, *lines = head.splitlines()
    method, path, _ = first.split()
    given = [line.split(": ", 1) for line in lines if ": " in line]
    pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "x")]
    fields = [*pseudo, *((name.lower(), value) for name, value in given if name != "Host")]
    block = b"".join(b"\0" + _text(name) + _text(value) for name, value in fields)
    return b"".join(
        (
            PREFACE,
            _frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, WINDOW_MAX)),
            _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW_MAX - 65_535)),
            _frame(HEADERS, END_STREAM_AND_HEADERS, 1, block),
        )
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    """Write a string with its length as an integer of 7 bits and more (RFC 7541, 5.1, 5.2)."""
    content = text.encode()
    if len(content) < SHORT:
        return bytes([len(content)]) + content
    rest, parts = len(content) - SHORT, [SHORT]
    while rest > SHORT:
        parts.append(rest & SHORT | SHORT + 1)
        rest >>= 7
    return bytes([*parts, rest]) + content


def main(arguments: Iterable[str]) -> None:
    """Listen as the command line says."""
    port, count, security = arguments
    head = sys.stdin.read()
    request = as_http2(head) if security == "h2" else head.replace("\n", "\r\n").encode()
    Listening(int(port), int(count), request, secured(security)).run()


class Streams:
    """The listeners' process, as a benchmark sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def next(self) -> dict[str, Any]:
        """Wait for what is told next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(TELL_SECONDS_MAX):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("The listeners stopped.")
        found: dict[str, Any] = json.loads(line)
        return found


@asynccontextmanager
async def listening(
    port: int, count: int, head: str, security: str = "plain"
) -> AsyncIterator[Streams]:
    """Hold streams open until the end of the block; `head` is the request for each."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.streams", str(port), str(count), security),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(head.encode())
    process.stdin.close()
    streams = Streams(process)
    try:
        assert (await streams.next())["open"] == count
        yield streams
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
