"""The threshold: who comes to a gate is let in before the server makes anything of it.

In a crowd that comes back everybody opens a connection and asks for one thing. What the server
prepares for a connection and its requests costs more than letting somebody in, so the first request
is read here, by the server's own parser. What is no whole request for a path with a gate, and whom
the gate does not take, the server gets as if it had just come.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser, parse_url
from starlette.types import Scope

from shared.http import App


@dataclass(slots=True)
class Knock:
    """The first request of a connection, which may be answered without a task of its own."""

    scope: Scope
    """No more of it than a gate looks at (ASGI 3)."""
    take_over: Callable[[], int | None]
    """Gives the connection's descriptor away, as `shared.protocol.taken_over` does."""
    go_on: Callable[[], None]
    """Has the request answered as any other."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """The application with its gates, and the server's protocol, which gets all others."""

    app: App
    protocol: Callable[..., Any]
    beginnings: tuple[bytes, ...]
    """How requests for a path with a gate begin."""


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


class Threshold(asyncio.Protocol):
    """A connection until its first request has come."""

    __slots__ = ("_first", "_given", "_more", "_transport")
    beyond: ClassVar[Beyond]

    def __init__(self, **given: Any) -> None:
        """Begin; `given` is what the server gives to its protocol."""
        self._given = given
        self._transport: Any = None
        self._first = b""
        """The first bytes that came, which knock."""
        self._more = b""
        """What came behind while somebody decided."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be one of the connections that the server ends when it stops."""
        self._transport = transport
        self._given["server_state"].connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Be forgotten."""
        del exc
        self._given["server_state"].connections.discard(self)
        self._transport = None

    def shutdown(self) -> None:
        """End: the server stops, and nothing was answered yet."""
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        """Knock, or have the server go on."""
        if self._first:
            self._transport.pause_reading()
            self._more += data
            return
        self._first = data
        scope = self._read(data)
        if scope is None:
            self._go_on()
            return
        self.beyond.app.gates[scope["path"]](Knock(scope, self._take_over, self._go_on))

    def _read(self, data: bytes) -> Scope | None:
        """Read one whole request for a path with a gate."""
        if not data.startswith(self.beyond.beginnings) or not data.endswith(b"\r\n\r\n"):
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
            "app": self.beyond.app,
        }

    def _take_over(self) -> int | None:
        if self._transport is None or self._more:
            return None
        return given_away(self._transport)

    def _go_on(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._given["server_state"].connections.discard(self)
        protocol = self.beyond.protocol(**self._given)
        protocol.connection_made(transport)
        transport.set_protocol(protocol)
        if self._more:
            transport.resume_reading()
        protocol.data_received(self._first + self._more)


def given_away(transport: Any) -> int | None:
    """Give a connection's socket away; None where it ends, or more than HTTP's bytes are on it."""
    if transport.is_closing() or transport.get_extra_info("ssl_object") is not None:
        return None
    fd = os.dup(transport.get_extra_info("socket").fileno())
    # Closes its own descriptor alone: the connection goes on.
    transport.abort()
    return fd


def threshold_of(app: App, protocol: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
    """Put a threshold before the server's protocol, if the application has gates."""
    if not app.gates:
        return protocol
    beginnings = tuple(f"GET {path}?".encode() for path in app.gates)
    beyond = Beyond(app, protocol, beginnings)
    return type("GateThreshold", (Threshold,), {"beyond": beyond, "__slots__": ()})
