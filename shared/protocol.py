"""The protocol: the express lane, before anything is made of a request that it does not need.

A rushed path costs what its answer costs, and no framework. In a flood most requests are turned
away: what each of them costs is what is taken from those who are served, so they get prepared
bytes, and no task. Nor does a whole request of which nothing is to be waited for but its answer.
"""

import asyncio
import math
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic_core import to_json
from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared import express
from shared.edge import SECURITY_HEADERS, usable_request_id
from shared.errors import Busy
from shared.gateways import Gateways
from shared.http import App
from shared.problems import STATUS, answer, retry_after
from shared.whole import read_whole

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_HEADERS = "".join(f"{name.lower()}: {value}\r\n" for name, value in SECURITY_HEADERS.items())

TAKE_OVER = "tradewind.take_over"
"""The extension of a scope (ASGI 3) by which a route gets the connection's socket."""
TURN_SECONDS = 0.01
TURNED_AWAY_A_TURN = 5
KEEP_ALIVE_STEP_SECONDS = 1.0

Headers = Iterable[tuple[bytes, bytes]]


class Doorman:
    """Turns people away, so many a second: who is being served comes first.

    In a flood each request that comes takes time from those who are inside. Beyond the pace,
    whoever is turned away waits a moment to be told so, and can send nothing meanwhile.
    """

    def __init__(self) -> None:
        self._outside: deque[Callable[[], None]] = deque()
        self._since = 0.0
        self._told = 0

    def turn_away(self, tell: Callable[[], None]) -> None:
        """Tell somebody now, or in turn."""
        self._outside.append(tell)
        if len(self._outside) == 1:
            self._tell()

    def _tell(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() - self._since >= TURN_SECONDS:
            self._since, self._told = loop.time(), 0
        while self._outside and self._told < TURNED_AWAY_A_TURN:
            self._told += 1
            self._outside[0]()
            self._outside.popleft()
        if self._outside:
            loop.call_at(self._since + TURN_SECONDS, self._tell)


@dataclass(frozen=True, slots=True)
class Lane:
    """The application whose express lane it is, and whom it believes about who asks."""

    app: App
    gateways: Gateways
    doorman: Doorman = field(default_factory=Doorman)
    beginnings: tuple[bytes, ...] = ()
    """How requests begin that may be answered without the parser."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the express lane and its doorman before it."""

    lane: ClassVar[Lane]

    def __init__(self, **given: Any) -> None:
        """Begin; `given` is what the server gives to its protocol."""
        super().__init__(**given)
        self._is_amid = False
        """Whether the parser has a part of a request."""
        self._is_answering = False
        """Whether a request is answered that the parser was not given."""
        self._is_last = False
        """Whether the connection ends with that."""
        self._more = b""
        """What came meanwhile."""
        self._answered_at = -math.inf

    def data_received(self, data: bytes) -> None:
        """Answer a whole request for the express lane at once, and leave the rest to the parser."""
        if self._is_answering:
            self.flow.pause_reading()
            self._more += data
        elif self._is_amid or self._is_busy or not self._begin(data):
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that the parser has a part."""
        self._is_amid = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that it has it all."""
        self._is_amid = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """End when what is asked has been answered."""
        if self._is_answering:
            self._is_last = True
        else:
            super().shutdown()

    @property
    def _is_busy(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _begin(self, data: bytes) -> bool:
        """Have a request answered without parser and task; False: nothing was done."""
        whole = read_whole(data) if data.startswith(self.lane.beginnings) else None
        if whole is None:
            return False
        app = self.lane.app
        scope = {
            "type": "http",
            "method": whole.method,
            "path": whole.path,
            "query_string": b"",
            "scheme": self.scheme,
            "client": self.client,
            "headers": list(whole.headers.items()),
            "app": app,
        }
        found = express.found(app.lane, scope)
        if found is None or found[0].begin is None:
            return False
        route, groups = found
        if busy := route.busy():
            self._is_answering = True
            self.flow.pause_reading()
            self.lane.doorman.turn_away(lambda: self._answer(refusal(busy)))
            return True
        self.lane.gateways.tell(scope)
        express.name(scope, whole.headers)
        call = express.Call(scope, whole.headers, whole.body)
        self._is_answering = express.begun(route, groups, call, partial(self._tell, scope))
        return self._is_answering

    def _tell(self, scope: Scope, outcome: express.Outcome) -> None:
        if isinstance(outcome, express.Reply):
            more = tuple(self.server_state.default_headers)
            request_id = scope["state"]["request_id"]
            self._answer(written_reply(outcome, request_id, more, is_last=self._is_last))
        else:
            task = self.loop.create_task(self._settle(outcome, scope))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _settle(self, outcome: Awaitable[express.Reply], scope: Scope) -> None:
        answer = await express.settled(outcome, scope)
        self._answer(written(answer, self.server_state.default_headers, is_last=self._is_last))

    def _answer(self, answer: bytes) -> None:
        """Send the answer to a request that the parser was not given, and go on with the next."""
        self._is_answering = False
        if self.transport.is_closing():
            return
        self.transport.write(answer)
        if self._is_last:
            self.transport.close()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._answered_at = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._wait(self.timeout_keep_alive)
        if self._more:
            more, self._more = self._more, b""
            self.data_received(more)

    def timeout_keep_alive_handler(self) -> None:
        """End a connection on which nothing was asked for so long; looked at once in that time."""
        left = self._answered_at + self.timeout_keep_alive - self.loop.time()
        if self._is_answering or left > 0:
            self._wait(max(left, KEEP_ALIVE_STEP_SECONDS))
        else:
            super().timeout_keep_alive_handler()

    def _wait(self, seconds: float) -> None:
        handler = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_later(seconds, handler)

    def _start_asgi_task(self, cycle: "RequestResponseCycle", app: Any) -> None:
        """Start a request's task: on the express lane, if it is for that and can be served."""
        scope: Any = cycle.scope
        self.lane.gateways.tell(scope)
        # Of the connection, not of the request: one that refers to itself through its scope stays
        # until garbage is looked for, which took a twentieth of the time of a rush.
        scope["extensions"] = {TAKE_OVER: self._take_over}
        found = express.found(self.lane.app.lane, scope)
        if found is None:
            super()._start_asgi_task(cycle, app)
        elif busy := found[0].busy():
            self.flow.pause_reading()
            self.lane.doorman.turn_away(lambda: self._send(cycle, refusal(busy)))
        else:
            task = self.loop.create_task(self._ride(cycle, scope, *found))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _ride(
        self, cycle: Any, scope: Scope, route: express.Express, groups: express.Groups
    ) -> None:
        scope["app"] = self.lane.app
        answer = await express.respond(route, groups, scope, cycle.receive)
        more = self.server_state.default_headers
        self._send(cycle, written(answer, more, is_last=not cycle.keep_alive))

    def _send(self, cycle: "RequestResponseCycle", answer: bytes) -> None:
        """Send a whole answer, and let the next request in."""
        # Lost in the loop's turn before, it is told of later, and uvloop raises RuntimeError.
        if cycle.disconnected or self.transport.is_closing():
            return
        self.transport.write(answer)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _take_over(self) -> int | None:
        """Give the connection's socket away; None where it ends, or while more is on its way.

        Where nothing waits in the pipeline, the latest request is the one that is answered.
        """
        cycle, transport = self.cycle, self.transport
        if cycle.disconnected or transport.get_write_buffer_size() or self.pipeline:
            return None
        if transport.is_closing() or transport.get_extra_info("ssl_object") is not None:
            return None
        fd = os.dup(transport.get_extra_info("socket").fileno())
        # Closes its own descriptor alone: the connection goes on. Who is told that it is lost hears
        # of it in a later turn of the loop.
        transport.abort()
        cycle.response_started = cycle.response_complete = True
        # What refers to itself would stay until garbage is looked for.
        cycle.on_response = _nothing
        cycle.scope.pop("extensions", None)
        return fd


def _nothing() -> None:
    pass


def taken_over(scope: Scope) -> int | None:
    """Take a request's connection over from the server, as a descriptor that does not block.

    Whoever takes it writes all of the answer and closes it. None where that cannot be done.
    """
    take = scope.get("extensions", {}).get(TAKE_OVER)
    return take() if take else None


def head_of(scope: Scope, status: int, headers: Headers) -> bytes:
    """Write the head of an answer that ends with its connection (RFC 9112, 6.3)."""
    request_id: str = scope["state"]["request_id"]
    common = _common(status, tuple(headers))
    return b"%sx-request-id: %s\r\n\r\n" % (common, request_id.encode())


@cache
def _common(status: int, headers: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Write what is the same for all who get such an answer."""
    lines = [b"%s: %s\r\n" % header for header in (*headers, (b"connection", b"close"))]
    return b"".join((STATUS_LINE[status], *lines, _HEADERS.encode()))


def protocol_of(app: App, gateways: str) -> type[asyncio.Protocol]:
    """Give the protocol of an application; `gateways` are believed when they say who asks."""
    beginnings = {f"{one.method} /".encode() for one in app.lane if one.begin}
    lane = Lane(app, Gateways(gateways), beginnings=tuple(beginnings))
    return type("LaneProtocol", (Protocol,), {"lane": lane})


def written(answer: express.Raw, more: Headers, *, is_last: bool) -> bytes:
    """Write an answer as HTTP/1.1 has it (RFC 9112), `is_last` on its connection."""
    status, headers, content = answer
    head = [b"%s: %s\r\n" % header for header in (*headers, *more)]
    if is_last:
        head.append(b"connection: close\r\n")
    return b"".join((STATUS_LINE[status], *head, b"\r\n", content))


def written_reply(
    reply: express.Reply, request_id: str, more: tuple[tuple[bytes, bytes], ...], *, is_last: bool
) -> bytes:
    """Do the same for what is answered as JSON, with most of its head from the one before."""
    if reply.headers:
        return written(express.raw(reply, request_id), more, is_last=is_last)
    content = to_json(reply.content)
    head = _head_of_json(reply.status, more, is_last=is_last)
    named = b"content-length: %d\r\nx-request-id: %s\r\n\r\n" % (len(content), request_id.encode())
    return b"".join((head, named, content))


@lru_cache(maxsize=8)
def _head_of_json(status: int, more: tuple[tuple[bytes, bytes], ...], *, is_last: bool) -> bytes:
    """Write what is the same for all answers of a second, as that is in `more`."""
    common = written((status, [express.JSON, *express.HEADERS], b""), more, is_last=is_last)
    return common.removesuffix(b"\r\n")


def refusal(busy: Busy) -> bytes:
    """Write the whole answer to one who is turned away."""
    request_id = usable_request_id("").encode()
    head, content = _prepared(busy.code, busy.detail)
    return head % (retry_after(busy), request_id, len(content) - 2 + len(request_id)) + (
        content % request_id
    )


@cache
def _prepared(code: str, detail: str) -> tuple[bytes, bytes]:
    status = STATUS[Busy]
    content = bytes(answer(status, code, detail.replace("%", "%%"), "%s").body)
    head = (
        f"HTTP/1.1 {status} Service Unavailable\r\ncontent-type: application/problem+json\r\n"
        f"retry-after: %d\r\nx-request-id: %s\r\n{_HEADERS}content-length: %d\r\n\r\n"
    )
    return head.encode(), content
