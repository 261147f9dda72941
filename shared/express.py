"""The express lane: a route that is answered before the framework's own machinery.

For the few paths that are rushed. FastAPI declares the same path, so that it is documented and
checked like any other; what it would spend on a request is left out here.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.problems import answered

B = TypeVar("B", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Express:
    """One such route; `answer` gets the request and the pattern's groups, as text."""

    method: str
    pattern: re.Pattern[str]
    answer: Callable[..., Awaitable[Response]]


class ExpressLane:
    """Pure ASGI, inside the edge and outside the framework."""

    def __init__(self, app: ASGIApp, routes: Sequence[Express]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a rushed path, and pass on every other request."""
        if scope["type"] == "http":
            for route in self._routes:
                found = route.pattern.fullmatch(scope["path"])
                if found and scope["method"] == route.method:
                    request = Request(scope, receive)
                    response = await _answer(route, request, found.groupdict())
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


async def _answer(route: Express, request: Request, groups: dict[str, str]) -> Response:
    try:
        return await route.answer(request, **groups)
    except Exception as error:  # noqa: BLE001  # what nobody foresaw is raised again
        return await answered(request, error)


async def body(request: Request, model: type[B]) -> B:
    """Read and check a body; raises `RequestValidationError` as FastAPI would."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        fault = {"type": "json_type", "loc": ("body",), "msg": "Send JSON, as application/json."}
        raise RequestValidationError([fault])
    try:
        return model.model_validate_json(await request.body())
    except ValidationError as error:
        faults = [fault | {"loc": ("body", *fault["loc"])} for fault in error.errors()]
        raise RequestValidationError(faults) from None
