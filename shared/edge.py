"""The edge of the application: request ids, size limits, and the headers every answer carries."""

import re
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.ids import new_id
from shared.problems import failed

BODY_BYTES_MAX = 1_048_576
REQUEST_ID_LENGTH_MAX = 64

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}

# What the API answers may be about somebody: no cache that others share keeps it.
PRIVATE_PATHS = ("/api/", "/internal/")

log = structlog.get_logger()


class Edge:
    """Pure ASGI, so that streams pass through unbuffered."""

    def __init__(self, app: ASGIApp, bodies: Mapping[str, int]) -> None:
        self._app = app
        self._bodies = [(re.compile(path), most) for path, most in bodies.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = usable_request_id(Headers(scope=scope).get("x-request-id", ""))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["path"].startswith(PRIVATE_PATHS):
                    headers.setdefault("Cache-Control", "private, no-cache")
            await send(message)

        with structlog.contextvars.bound_contextvars(correlation_id=request_id):
            try:
                await self._app(scope, self._limited(scope, receive), send_with_headers)
            except Exception:
                log.exception("request failed", method=scope["method"], path=scope["path"])
                if started:
                    raise
                await failed(Request(scope))(scope, receive, send_with_headers)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        found = (most for path, most in self._bodies if path.fullmatch(scope["path"]))
        return _limited(scope, receive, next(found, BODY_BYTES_MAX))


def usable_request_id(given: str) -> str:
    """Give the id a request brought, or make one for it."""
    is_usable = given.isascii() and given.isprintable() and len(given) <= REQUEST_ID_LENGTH_MAX
    return given if given and is_usable else str(new_id())


def too_large(most: int = BODY_BYTES_MAX) -> HTTPException:
    """Refuse a body beyond the limit."""
    return HTTPException(413, f"A body may have {most} bytes at most.")


def _limited(scope: Scope, receive: Receive, most: int) -> Receive:
    """Count what comes in; more than the limit raises `HTTPException` 413."""
    length = Headers(scope=scope).get("content-length", "0")
    declared = int(length) if length.isdigit() else 0
    received = 0

    async def receive_within_limit() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if max(declared, received) > most:
            raise too_large(most)
        return message

    return receive_within_limit
