"""A wire: one HTTP/1.1 connection as a client, one request at a time.

Beside httpx2, which takes fifteen times the work for each request: what we send to many endpoints
of others is small, and there is much of it.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import httptools
from pydantic_core import from_json

from shared.addresses import Target

HEAD_LENGTH_MAX = 32_768
FINAL = 200


class NoAnswer(Exception):
    """Nobody answered; `code` says how.

    no_such_host, not_connected, not_trusted, timed_out, cut_off or not_http.
    """

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Answer:
    """What came back. `content` is cut at what was asked for, and then not `is_whole`."""

    __slots__ = ("content", "headers", "is_whole", "status")

    def __init__(
        self, status: int, headers: list[tuple[str, str]], content: bytes, *, is_whole: bool
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self.is_whole = is_whole

    def header(self, name: str) -> str | None:
        """Give a header, its name in lower case."""
        return next((value for found, value in self.headers if found == name), None)

    def json(self) -> Any:
        """Read the content; raises `ValueError` when it is no JSON, or not whole."""
        if not self.is_whole:
            raise ValueError("The answer is longer than was asked for.")
        return from_json(self.content)


class Wire(asyncio.Protocol):
    """A connection that is open; `is_open` tells whether it takes another request."""

    def __init__(self) -> None:
        self.opened_at = 0.0
        self._is_lost = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Answer] | None = None
        self._bytes_max = 0
        self._begin()

    @property
    def is_open(self) -> bool:
        """Whether it is; that it is lost, its transport knows first."""
        is_closing = self._transport is None or self._transport.is_closing()
        return not self._is_lost and not is_closing

    async def ask(self, request: bytes, bytes_max: int) -> Answer:
        """Send a request and wait for its answer; raises `NoAnswer`."""
        assert self._transport is not None
        # Where uvloop would raise RuntimeError.
        if not self.is_open:
            raise NoAnswer("cut_off")
        self._waiting = asyncio.get_running_loop().create_future()
        self._bytes_max = bytes_max
        self._transport.write(request)
        try:
            return await self._waiting
        finally:
            if not self._waiting.done() or self._waiting.cancelled():
                self.close()

    def close(self) -> None:
        """End the connection."""
        self._is_lost = True
        if self._transport is not None:
            self._transport.abort()

    def _begin(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._head_length = 0
        self._body = bytearray()
        self._is_after_head = False

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that the connection is open."""
        # uvloop's is none by its type.
        self._transport = cast(asyncio.Transport, transport)
        self.opened_at = asyncio.get_running_loop().time()

    def data_received(self, data: bytes) -> None:
        """Read what came; nobody may speak before he was asked."""
        if self._waiting is None or self._waiting.done():
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._answer(is_whole=True, is_last=True)
        except httptools.HttpParserError:
            self._fail("not_http")

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer, whose length may be told by the end alone (RFC 9112, 6.3)."""
        self._is_lost = True
        names = {name for name, _ in self._headers}
        if (
            exc is None
            and self._is_after_head
            and not names
            & {
                "content-length",
                "transfer-encoding",
            }
        ):
            self._answer(is_whole=True, is_last=True)
        self._fail("cut_off")

    # What the parser calls.

    def on_message_begin(self) -> None:
        """End the connection when more comes than one answer."""
        if self._waiting is None or self._waiting.done():
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._head_length += len(name) + len(value)
        if self._head_length > HEAD_LENGTH_MAX:
            self._fail("not_http")
        else:
            self._headers.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """Note that what follows is the content."""
        self._is_after_head = True

    def on_body(self, body: bytes) -> None:
        """Keep the content, up to what was asked for."""
        self._body += body
        if len(self._body) > self._bytes_max:
            self._answer(is_whole=False, is_last=True)

    def on_message_complete(self) -> None:
        """Give the answer, unless it says that the answer follows (RFC 9110, 15.2)."""
        if self._parser.get_status_code() < FINAL:
            self._begin()
        else:
            self._answer(is_whole=True, is_last=not self._parser.should_keep_alive())

    def _answer(self, *, is_whole: bool, is_last: bool) -> None:
        if self._waiting is not None and not self._waiting.done():
            content = bytes(self._body[: self._bytes_max])
            status = self._parser.get_status_code()
            self._waiting.set_result(Answer(status, self._headers, content, is_whole=is_whole))
        self._begin()
        if is_last:
            self.close()

    def _fail(self, code: str) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(NoAnswer(code))
        self.close()


def request(method: str, target: Target, headers: Mapping[str, str], content: bytes) -> bytes:
    """Write a request; raises `ValueError` for a header that would be more than one line."""
    lines = [f"{method} {target.path.decode('ascii')} HTTP/1.1", f"Host: {target.authority}"]
    if content or method not in ("GET", "DELETE"):
        lines.append(f"Content-Length: {len(content)}")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines)
    if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1 or "\0" in head:
        raise ValueError("A header has a line break in it.")
    return f"{head}\r\n\r\n".encode("latin-1") + content
