"""Problem details (RFC 9457): errors answered to programs as JSON, to people as a page."""

import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from http import HTTPStatus
from urllib.parse import urlsplit

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from shared.errors import (
    Busy,
    Conflict,
    Fault,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionMissing,
    Refusal,
    Stale,
    TooMany,
    Unauthenticated,
)
from shared.postgres import OUTAGE as DATABASE_OUTAGE
from shared.postgres import is_outage
from shared.redis import OUTAGE as REDIS_OUTAGE
from shared.web.pages import PROBLEMS

RETRY_SECONDS = 1
NUL = "\0"

Handler = Callable[[Request, Exception], Awaitable[Response]]

STATUS: Mapping[type[Refusal], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Invalid: 422,
    PreconditionMissing: 428,
    TooMany: 429,
    Busy: 503,
}
MISTYPED = frozenset({"invalid", "malformed"})
CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def install(app: FastAPI, routes: Sequence[BaseRoute] = ()) -> None:
    """Answer every kind of error in one way; `routes` are those it will have."""
    app.state.routes = list(_every(routes))
    for kind, handler in _handlers().items():
        app.add_exception_handler(kind, handler)


def _every(routes: Sequence[BaseRoute]) -> Iterator[Route]:
    """Give routes one by one, those of routers within routers as well."""
    for route in routes:
        # FastAPI keeps a router that another one includes as it is, and asks it in its turn.
        within = getattr(route, "original_router", None)
        if within is not None:
            yield from _every(within.routes)
        elif isinstance(route, Route):
            yield route


async def answered(request: Request, error: Exception) -> Response:
    """Answer an error as a route's would be; raises it again when nobody foresaw it."""
    handlers = _handlers()
    handler = next((handlers[kind] for kind in type(error).__mro__ if kind in handlers), None)
    if handler is None:
        raise error
    return await handler(request, error)


@cache
def _handlers() -> Mapping[type[Exception], Handler]:
    return {
        Refusal: _refused,
        RequestValidationError: _invalid,
        HTTPException: _framework,
        # A NUL, in a text and within JSON.
        asyncpg.CharacterNotInRepertoireError: _unstorable,
        asyncpg.UntranslatableCharacterError: _unstorable,
        **dict.fromkeys((*DATABASE_OUTAGE, *REDIS_OUTAGE), _outage),
    }


def answer(
    status: int, code: str, detail: str, request_id: str, faults: Sequence[Fault] = ()
) -> JSONResponse:
    """Make an `application/problem+json` answer; `faults` point into the request body."""
    content: dict[str, object] = {
        "type": f"/problems/{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    if faults:
        content["errors"] = [{"pointer": f.pointer, "detail": f.detail} for f in faults]
    return JSONResponse(content, status, media_type="application/problem+json")


def status_of(refusal: Refusal) -> int:
    """Give the HTTP status of a refusal."""
    return next((STATUS[kind] for kind in type(refusal).__mro__ if kind in STATUS), 400)


def _answer(
    request: Request, status: int, code: str, detail: str, faults: Sequence[Fault] = ()
) -> Response:
    if _is_page(request):
        if request.method == "GET" and code in MISTYPED:
            # Nobody filled in anything: the address is mistyped, or was cut off in a mail.
            code, faults = "not_found", ()
        return PROBLEMS.render(
            request,
            "problem.html",
            status=status,
            code=code,
            detail=detail,
            faults=faults,
            back=_sent_from(request),
            wanted=_wanted(request),
        )
    return answer(status, code, detail, request.state.request_id, faults)


def _is_page(request: Request) -> bool:
    """Say whether a person is answered, in a browser."""
    is_page = not request.url.path.startswith(("/api/", "/internal/", "/static/"))
    return is_page and "text/html" in request.headers.get("accept", "")


def _sent_from(request: Request) -> str | None:
    """Give the address of our page whose form was sent, to lead back to; None: nobody knows."""
    came = urlsplit(request.headers.get("referer", ""))
    is_ours = came.netloc == request.headers.get("host") and not came.path.startswith("//")
    if request.method == "GET" or not came.path or not is_ours:
        return None
    return f"{came.path}?{came.query}" if came.query else came.path


def _wanted(request: Request) -> str | None:
    """Give the address of our page that somebody wanted to see, to lead there after a sign-in."""
    if request.url.path.startswith("/sign-in"):
        return request.query_params.get("next")
    if request.method != "GET":
        return _sent_from(request)
    return f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path


def failed(request: Request) -> Response:
    """Answer what nobody foresaw; what it was is in the log."""
    return _answer(request, 500, "failed", "Something went wrong here.")


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    response = _answer(request, status_of(error), error.code, error.detail, error.faults)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(retry_after(error))
        if error.link:
            response.headers["Link"] = f'<{error.link}>; rel="help"'
    return response


def retry_after(busy: Busy) -> int:
    """Give the seconds to wait, spread: those turned away together must not come back together."""
    shortest = max(1, math.ceil(busy.retry_seconds))
    return random.randint(shortest, 2 * shortest + 1)  # noqa: S311  # nobody gains by guessing it


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [Fault(pointer(fault["loc"]), str(fault["msg"])) for fault in error.errors()]
    if any(fault["type"] == "json_invalid" for fault in error.errors()):
        return _answer(request, 400, "malformed", "The body is not JSON.", faults)
    return _answer(request, 422, "invalid", "Some fields are missing or wrong.", faults)


def pointer(location: Sequence[str | int]) -> str:
    """Write where a fault is: a JSON Pointer (RFC 6901) into the body, or the parameter's name."""
    kind, *path = location
    if kind != "body":
        return "/".join(str(part) for part in (kind, *path))
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


async def _framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "malformed")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED and (page := _page_above(request)):
        return RedirectResponse(page, 303)
    response = _answer(request, error.status_code, code, str(error.detail))
    response.headers.update(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        response.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return response


def _page_above(request: Request) -> str | None:
    """Give the page to which an address belongs that only takes what its forms send.

    Such an address stays in the browser when a form was refused, and is asked for by whoever
    reloads it, keeps it, or switches to the other language there.
    """
    if request.method != "GET" or not _is_page(request):
        return None
    routes: Sequence[Route] = request.app.state.routes
    path = request.url.path
    while path := path.rpartition("/")[0]:
        if any("GET" in (one.methods or ()) and one.path_regex.match(path) for one in routes):
            return f"{path}?{request.url.query}" if request.url.query else path
    return "/"


def _methods(request: Request) -> set[str]:
    """Give the methods of all routes of a path (RFC 9110, 10.2.1); the framework knows one's."""
    routes: Sequence[Route] = request.app.state.routes
    return {
        method
        for route in routes
        if route.path_regex.match(request.url.path)
        for method in route.methods or ()
    }


async def _unstorable(request: Request, error: Exception) -> Response:
    del error
    detail = "A text has a character that cannot be stored."
    given = {"path": request.path_params, "query": _by_name(request.query_params)}
    with suppress(ValueError, RuntimeError):  # No JSON; or read as it came, by the route.
        given["body"] = await request.json()
    places = [place for kind, value in given.items() for place in _with_nul(value, (kind,))]
    faults = [Fault(pointer(place), detail) for place in places]
    return _answer(request, 422, "invalid", detail, faults)


def _by_name(given: QueryParams) -> dict[str, list[str]]:
    return {name: given.getlist(name) for name in given}


def _with_nul(value: object, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Find the texts with a NUL, also where it is in a name."""
    if isinstance(value, str) and NUL in value:
        yield place
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _with_nul(inner, (*place, number))
    elif isinstance(value, dict):
        for name, inner in value.items():
            if NUL in name:
                yield (*place, name)
            yield from _with_nul(inner, (*place, name))


async def _outage(request: Request, error: Exception) -> Response:
    # Several of the caught classes have children that no waiting cures.
    if not isinstance(error, REDIS_OUTAGE) and not is_outage(error):
        raise error
    response = _answer(request, 503, "unavailable", "A part is away for now; try again.")
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
