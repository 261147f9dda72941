"""The protocol: the express lane, before anything is made of a request that it does not need.

A rushed path costs what its answer costs, and no framework. In a flood most requests are turned
away: what each of them costs is what is taken from those who are served, so they get prepared
bytes, and no task.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from shared import express
from shared.edge import SECURITY_HEADERS, usable_request_id
from shared.errors import Busy
from shared.gateways import Gateways
from shared.http import App
from shared.problems import STATUS, answer, retry_after

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_HEADERS = "".join(f"{name.lower()}: {value}\r\n" for name, value in SECURITY_HEADERS.items())

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Lane:
    """The application whose express lane it is, and whom it believes about who asks."""

    app: App
    gateways: Gateways


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the express lane and its doorman before it."""

    lane: ClassVar[Lane]

    def _start_asgi_task(self, cycle: "RequestResponseCycle", app: Any) -> None:
        """Start a request's task: on the express lane, if it is for that and can be served."""
        scope: Any = cycle.scope
        self.lane.gateways.tell(scope)
        found = express.found(self.lane.app.lane, scope)
        if found is None:
            super()._start_asgi_task(cycle, app)
        elif busy := found[0].busy():
            self._send(cycle, refusal(busy))
        else:
            task = self.loop.create_task(self._ride(cycle, scope, *found))
            task.add_done_callback(self.tasks.discard)
            self.tasks.add(task)

    async def _ride(
        self, cycle: Any, scope: Scope, route: express.Express, groups: express.Groups
    ) -> None:
        scope["app"] = self.lane.app
        answer = await express.respond(route, groups, scope, cycle.receive)
        if not cycle.disconnected:
            more = self.server_state.default_headers
            self._send(cycle, written(answer, more, is_last=not cycle.keep_alive))

    def _send(self, cycle: "RequestResponseCycle", answer: bytes) -> None:
        """Send a whole answer, and let the next request in."""
        self.transport.write(answer)
        cycle.response_started = cycle.response_complete = True
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def protocol_of(app: App, gateways: str) -> type[Protocol]:
    """Give the protocol of an application; `gateways` are believed when they say who asks."""
    return type("LaneProtocol", (Protocol,), {"lane": Lane(app, Gateways(gateways))})


def written(answer: express.Raw, more: Headers, *, is_last: bool) -> bytes:
    """Write an answer as HTTP/1.1 has it (RFC 9112), `is_last` on its connection."""
    status, headers, content = answer
    head = [b"%s: %s\r\n" % header for header in (*headers, *more)]
    if is_last:
        head.append(b"connection: close\r\n")
    return b"".join((STATUS_LINE[status], *head, b"\r\n", content))


def refusal(busy: Busy) -> bytes:
    """Write the whole answer to one who is turned away."""
    request_id = usable_request_id("")
    status = STATUS[Busy]
    content = bytes(answer(status, busy.code, busy.detail, request_id).body)
    head = (
        f"HTTP/1.1 {status} Service Unavailable\r\n"
        f"content-type: application/problem+json\r\nretry-after: {retry_after(busy)}\r\n"
        f"x-request-id: {request_id}\r\n{_HEADERS}content-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
