"""The express lane: a route that is answered before the framework's own machinery.

For the few paths that are rushed. FastAPI declares the same path, so that it is documented and
checked like any other; what it, Starlette and the edge would spend on a request is left out here,
and what they promise is kept: request ids, limits, headers, problem details.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from shared.edge import BODY_BYTES_MAX, SECURITY_HEADERS, too_large, usable_request_id
from shared.errors import Busy
from shared.problems import answered, failed

B = TypeVar("B", bound=BaseModel)

HEADERS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]
JSON = (b"content-type", b"application/json")

log = structlog.get_logger()

Groups = Mapping[str, str]
"""What a route's pattern found in the path."""
Raw = tuple[int, list[tuple[bytes, bytes]], bytes]
"""An answer as it is sent: status, headers, content."""


# Not frozen, as what is made for each request here: that takes twice as long.
@dataclass(slots=True)
class Call:
    """A request as it came."""

    scope: Scope
    headers: Mapping[bytes, bytes]
    body: bytes

    @property
    def request_id(self) -> str:
        """What its answer and everything that is noted about it are named by."""
        request_id: str = self.scope["state"]["request_id"]
        return request_id

    @property
    def request(self) -> Request:
        """The same as the framework has it."""
        return Request(self.scope)

    @property
    def state(self) -> Any:
        """What the application holds."""
        return self.scope["app"].state

    def read(self, model: type[B]) -> B:
        """Check the body; raises `RequestValidationError` as FastAPI would."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json" and not kind.endswith(b"+json"):
            fault = {"type": "json_type", "loc": ("body",), "msg": "Send it as application/json."}
            raise RequestValidationError([fault])
        try:
            return model.model_validate_json(self.body)
        except ValidationError as error:
            faults = [fault | {"loc": ("body", *fault["loc"])} for fault in error.errors()]
            raise RequestValidationError(faults) from None


@dataclass(slots=True)
class Reply:
    """What is answered, as JSON."""

    status: int
    content: Mapping[str, Any]
    headers: Mapping[str, str]


Outcome = Reply | Awaitable[Reply]
"""An answer, or what is still to be waited for: it may raise what `Express.answer` may."""
Tell = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Express:
    """One such route; `answer` gets the call and the pattern's groups, as text."""

    method: str
    pattern: re.Pattern[str]
    answer: Callable[..., Awaitable[Reply]]
    busy: Callable[[], Busy | None] = lambda: None
    """Gives why nobody else can be served now, which is said before anything is spent."""
    begin: Callable[..., bool] | None = None
    """Takes a plain call in hand without a task: gets the call, `Tell` and the groups.

    False, or whatever it raises: it is not that plain, nothing was done and `answer` is asked.
    """


def found(lane: Sequence[Express], scope: Scope) -> tuple[Express, Groups] | None:
    """Find the route that answers a request, and what its path says."""
    method, path = scope["method"], scope["path"]
    for route in lane:
        if route.method == method and (match := route.pattern.fullmatch(path)):
            return route, match.groupdict()
    return None


async def serve(route: Express, groups: Groups, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request as an ASGI application does."""
    status, headers, content = await respond(route, groups, scope, receive)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def respond(route: Express, groups: Groups, scope: Scope, receive: Receive) -> Raw:
    """Give the answer to one request, whatever happens."""
    headers = dict(scope["headers"])
    name(scope, headers)
    return await settled(_reply(route, groups, scope, headers, receive), scope)


def name(scope: Scope, headers: Mapping[bytes, bytes]) -> None:
    """Give a request its id: the one it brought, if that can be used."""
    request_id = usable_request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
    scope.setdefault("state", {})["request_id"] = request_id


async def settled(reply: Awaitable[Reply], scope: Scope) -> Raw:
    """Wait for what a request is answered, whatever that is."""
    request_id = scope["state"]["request_id"]
    # The server runs each request in a context of its own.
    structlog.contextvars.bind_contextvars(correlation_id=request_id)
    try:
        return raw(await reply, request_id)
    except Exception as error:  # noqa: BLE001  # each has its answer
        response = await _refusal(Request(scope), error)
        headers = [*response.raw_headers, (b"x-request-id", request_id.encode()), *HEADERS]
        return response.status_code, headers, bytes(response.body)


def raw(reply: Reply, request_id: str) -> Raw:
    """Write an answer as it is sent."""
    content = to_json(reply.content)
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    headers.append((b"content-length", b"%d" % len(content)))
    headers.append((b"x-request-id", request_id.encode()))
    return reply.status, [JSON, *headers, *HEADERS], content


async def _reply(
    route: Express,
    groups: Groups,
    scope: Scope,
    headers: Mapping[bytes, bytes],
    receive: Receive,
) -> Reply:
    if busy := route.busy():
        raise busy
    call = Call(scope, headers, await _body(headers, receive))
    told: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    if begun(route, groups, call, told.set_result):
        outcome = await told
        return outcome if isinstance(outcome, Reply) else await outcome
    return await route.answer(call, **groups)


def begun(route: Express, groups: Groups, call: Call, tell: Tell) -> bool:
    """Take a call in hand, if it is plain enough: `tell` gets the answer later."""
    try:
        return route.begin is not None and route.begin(call, tell, **groups)
    except Exception:  # noqa: BLE001  # the other way it is raised again, and answered
        return False


async def _refusal(request: Request, error: Exception) -> Any:
    try:
        return await answered(request, error)
    except Exception:
        log.exception("request failed", method=request.method, path=request.url.path)
        return failed(request)


async def _body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Read the body; raises `HTTPException` 413 for one beyond the limit."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > BODY_BYTES_MAX:
        raise too_large()
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        if len(body) > BODY_BYTES_MAX:
            break
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise HTTPException(400, "The body was cut off.")
    if len(body) > BODY_BYTES_MAX:
        raise too_large()
    return body
