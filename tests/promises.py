"""What the document says of answers, held against every answer that a test gets."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scripts.contracts.files import DOCS


class Broken(AssertionError):
    """An answer is not as the document says."""


@cache
def _document() -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / "openapi.json").read_text(encoding="utf-8"))
    return found


class Promises:
    """Looks at answers of what is documented: a status that is known, headers, needed fields."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; raises `Broken`."""
        body = bytearray()
        start: Message = {}

        async def seen(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
            elif message["type"] == "http.response.body":
                body.extend(message.get("body", b""))
                if not message.get("more_body") and start:
                    _check(scope, start, bytes(body))
            await send(message)

        watched = scope["type"] == "http" and scope["path"].startswith("/api/v1/")
        await self._app(scope, receive, seen if watched and "/live/" not in scope["path"] else send)


def _check(scope: Scope, start: Message, body: bytes) -> None:
    route = scope.get("route")
    methods = _document()["paths"].get(getattr(route, "path_format", None), {})
    operation = methods.get(scope["method"].lower())
    status = start["status"]
    # Not documented at all, or not by whom the route was reached: a gateway's, a cache's.
    if operation is None or not 200 <= status < 300:
        return
    what = f"{scope['method']} {route.path_format}"  # type: ignore[union-attr]  # found by it
    promised = operation["responses"].get(str(status))
    if promised is None:
        raise Broken(f"{what} answered {status}, of which the document says nothing.")
    sent = {name.decode().lower() for name, _ in start["headers"]}
    for name, header in promised.get("headers", {}).items():
        if header.get("required") and name.lower() not in sent:
            raise Broken(f"{what} answered {status} without {name}.")
    schema = promised.get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    needed = _document()["components"]["schemas"].get(name, {}).get("required", [])
    if needed and (missing := set(needed) - json.loads(body).keys()):
        raise Broken(f"{what} answered {status} without {', '.join(sorted(missing))}.")
