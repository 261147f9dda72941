"""The protocol: who cannot be served is told so before anything is made of the request.

In a flood most requests are turned away. What each of them costs is what is taken from those who
are served, so they get prepared bytes, and no task, no request and no framework.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.edge import SECURITY_HEADERS, usable_request_id
from shared.errors import Busy
from shared.express import Express
from shared.problems import STATUS, answer, retry_after

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

_HEADERS = "".join(f"{name.lower()}: {value}\r\n" for name, value in SECURITY_HEADERS.items())


class Protocol(HttpToolsProtocol):
    """uvicorn's, with the express lane's doorman before it."""

    lane: ClassVar[Sequence[Express]] = ()

    def _start_asgi_task(self, cycle: "RequestResponseCycle", app: Any) -> None:
        """Start a request's task, unless nobody else can be served."""
        busy = self._busy()
        if busy is None:
            super()._start_asgi_task(cycle, app)
            return
        self.transport.write(refusal(busy))
        cycle.response_started = cycle.response_complete = True
        self.on_response_complete()

    def _busy(self) -> Busy | None:
        for route in self.lane:
            if self.scope["method"] == route.method and (busy := route.busy()):
                return busy if route.pattern.fullmatch(self.scope["path"]) else None
        return None


def protocol_of(lane: Sequence[Express]) -> type[Protocol]:
    """Give the protocol with this lane's doorman."""
    return type("LaneProtocol", (Protocol,), {"lane": lane})


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
