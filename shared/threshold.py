"""The threshold: who comes to a gate is let in before the server makes anything of it.

In a crowd that comes back everybody opens a connection and asks for one thing. What the event loop
and the server prepare for a connection costs more than letting somebody in, so connections are
accepted here, many at a time, and their first bytes are looked at where they lie. What is no whole
request for a path with a gate, and whom the gate does not take, the server gets as if it had just
come: nothing was read of it.
"""

import asyncio
import ctypes
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from starlette.types import Scope

from shared.http import App

ACCEPTED_A_TURN = 256
"""So many in one turn of the loop: what else happens goes on meanwhile."""
FIRST_BYTES_MAX = 4_096
SILENT_SECONDS = 1
"""About so long the kernel keeps a connection to itself on which nothing came yet."""
PAUSE_SECONDS = 1.0
"""So long nobody is accepted when there is no room for more."""

_FLAGS = socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

log = structlog.get_logger()

# The library's makes two objects and an address of each connection, which takes half as long again.
_accept4 = ctypes.CDLL(None, use_errno=True).accept4
_accept4.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
_accept4.restype = ctypes.c_int


class Threshold:
    """Listens in place of a server of the event loop."""

    def __init__(
        self, app: App, server: asyncio.Server, protocol: Callable[[], asyncio.Protocol]
    ) -> None:
        """Take the sockets of a server over; `protocol` makes what it has for a connection."""
        self._app = app
        self._protocol = protocol
        self._beginnings = tuple(f"GET {path}?".encode() for path in app.gates)
        """How requests for a path with a gate begin."""
        self._loop = asyncio.get_running_loop()
        self._passing = set[asyncio.Task[Any]]()
        self._listening = [socket.socket(fileno=os.dup(one.fileno())) for one in server.sockets]
        # Closes its own descriptors alone.
        server.close()
        for one in self._listening:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_SECONDS)
            self._listen(one)

    def close(self) -> None:
        """Accept no more, and pass nobody on: the server stops."""
        listening, self._listening = self._listening, []
        for one in listening:
            self._loop.remove_reader(one.fileno())
            one.close()

    async def wait_closed(self) -> None:
        """Wait for nothing: it is closed at once."""

    def pass_on(self, fd: int) -> None:
        """Give a connection to the server."""
        if not self._listening:
            os.close(fd)
            return
        link = socket.socket(fileno=fd)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, link))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    def _listen(self, listening: socket.socket) -> None:
        if listening in self._listening:
            self._loop.add_reader(listening.fileno(), self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        """Hear those who came."""
        for _ in range(ACCEPTED_A_TURN):
            fd = _accept4(listening.fileno(), None, None, _FLAGS)
            if fd < 0:
                self._look_why(listening, ctypes.get_errno())
                return
            self._hear(fd)

    def _look_why(self, listening: socket.socket, reason: int) -> None:
        """Go on at once where somebody left again, or nobody waits; else later."""
        if reason in _NO_ROOM:
            log.warning("nobody is accepted for a moment", reason=os.strerror(reason))
            self._loop.remove_reader(listening.fileno())
            self._loop.call_later(PAUSE_SECONDS, self._listen, listening)

    def _hear(self, fd: int) -> None:
        # The bare type, as in `services.notify.wires`.
        link = socket.SocketType(socket.AF_INET, socket.SOCK_STREAM, 0, fd)
        try:
            first = link.recv(FIRST_BYTES_MAX, socket.MSG_PEEK)
        except BlockingIOError:
            first = b""
        except OSError:
            link.close()
            return
        scope = self._read(first)
        if scope is None:
            self.pass_on(link.detach())
        else:
            self._app.gates[scope["path"]](Knock(self, link, len(first), scope))

    def _read(self, data: bytes) -> Scope | None:
        """Read one whole request for a path with a gate."""
        if not data.startswith(self._beginnings) or not data.endswith(b"\r\n\r\n"):
            return None
        head = _Head()
        try:
            HttpRequestParser(head).feed_data(data)
            url = parse_url(head.url)
        except (HttpParserError, HttpParserUpgrade):
            return None
        if head.ended != 1:
            return None
        return {
            "type": "http",
            "method": "GET",
            "path": url.path.decode("ascii"),
            "query_string": url.query or b"",
            "headers": head.headers,
            "app": self._app,
        }


@dataclass(slots=True)
class Knock:
    """The first request of a connection, which may be answered without a task of its own."""

    _threshold: Threshold
    _link: Any
    _bytes: int
    scope: Scope
    """No more of it than a gate looks at (ASGI 3)."""

    def take_over(self) -> int:
        """Give the connection's descriptor, behind the request.

        It does not block. Whoever takes it writes all of the answer and closes it.
        """
        self._link.recv(self._bytes)
        fd: int = self._link.detach()
        return fd

    def go_on(self) -> None:
        """Have the request answered as any other."""
        self._threshold.pass_on(self._link.detach())


@dataclass(slots=True)
class _Head:
    """What the parser tells of a request; it calls by these names."""

    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    ended: int = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_message_complete(self) -> None:
        self.ended += 1
