"""HTTP: one application for the services of a process, its dependencies, health, and its edge."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from starlette.types import Receive, Scope, Send

from shared import express
from shared.access import Principal, Tokens
from shared.edge import Edge
from shared.errors import Forbidden, Malformed, PreconditionMissing, Unauthenticated
from shared.keys import PREFIX, TOKEN_PREFIX, Keyring, nobody
from shared.problems import install as install_problems
from shared.service import Check, Gate, Service
from shared.web.pages import STATIC

SESSION_COOKIE = "tradewind_session"
CHECK_SECONDS_MAX = 2
TEXT_LENGTH_MAX = 4_000
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
NO_KEYS = Keyring(nobody)


def _as_text(given: object) -> object:
    if isinstance(given, int | float):
        # It would be taken for seconds of some epoch.
        raise ValueError("Times and dates are texts, as in RFC 3339.")  # noqa: TRY004  # as Pydantic asks
    return given


# Bounds of good sense: at the ends of the calendar no clock can be moved to another zone.
YEARS = (2000, 2200)
Day = Annotated[
    date, Field(ge=date(YEARS[0], 1, 1), lt=date(YEARS[1], 1, 1)), BeforeValidator(_as_text)
]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(YEARS[0], 1, 1, tzinfo=UTC), lt=datetime(YEARS[1], 1, 1, tzinfo=UTC)),
    BeforeValidator(_as_text),
]
"""A time whose neighbours can be told in every zone."""
Clock = Annotated[time, BeforeValidator(_as_text)]
"""A time of day on some clock."""


class Body(BaseModel):
    """A request body. Unknown fields are refused: a misspelt one would be lost in silence."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        str_strip_whitespace=True,
        str_max_length=TEXT_LENGTH_MAX,
    )


def now() -> datetime:
    """Give the time, in UTC."""
    return datetime.now(UTC)


async def visitor_of(request: Request) -> Principal | None:
    """Say who calls: by a key or a bearer token, or by cookie for a request from our own pages."""
    token = _bearer(request.headers.get("authorization", ""))
    if token is None:
        return _by_cookie(request)
    keys: Keyring = request.app.state.keys
    if token.startswith(PREFIX):
        return await keys.holder(token)
    tokens: Tokens = request.app.state.tokens
    if token.startswith(TOKEN_PREFIX):
        return await keys.still(tokens.read(token.removeprefix(TOKEN_PREFIX), "system"))
    return tokens.read(token, "session")


def person_of(scope: Scope) -> Principal | None:
    """Say which person calls, where nothing can be waited for: a key is refused."""
    token = _bearer(header_of(scope, b"authorization"))
    if token is None:
        return _by_cookie(Request(scope))
    tokens: Tokens = scope["app"].state.tokens
    return tokens.read(token, "session")


def header_of(scope: Scope, wanted: bytes) -> str:
    """Read one header, empty when there is none, without an object for all of them."""
    for name, value in scope["headers"]:
        if name == wanted:
            return str(value, "latin-1")
    return ""


def _bearer(given: str) -> str | None:
    scheme, _, token = given.partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must be `Bearer <token>`.")
    return token


def _by_cookie(request: Request) -> Principal | None:
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        return None
    if request.method not in SAFE_METHODS and not is_from_our_pages(request):
        raise Forbidden("A request signed in by cookie must come from this site's own pages.")
    tokens: Tokens = request.app.state.tokens
    try:
        return tokens.read(cookie, "session")
    except Unauthenticated:
        # An old cookie must not lock a browser out of public pages.
        return None


def signed_in(who: Principal | None) -> Principal:
    """Say who calls; raises `Unauthenticated` when nobody is signed in."""
    if who is None:
        raise Unauthenticated("Sign in first.")
    return who


def is_from_our_pages(request: Request) -> bool:
    """Compare the Origin header with the address called (OWASP: verifying origin)."""
    return urlsplit(request.headers.get("origin", "")).netloc == request.headers.get("host")


async def revision(if_match: Annotated[str | None, Header()] = None) -> int:
    """Read the revision the caller decided on from If-Match (RFC 9110, 13.1.1)."""
    found = await revision_if_any(if_match)
    if found is None:
        raise PreconditionMissing('Send the revision you decided on as If-Match: "7".')
    return found


async def revision_if_any(if_match: Annotated[str | None, Header()] = None) -> int | None:
    """Read it where it may be left out."""
    if if_match is None:
        return None
    number = if_match.strip().strip('"')
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(2**31))):
        raise Malformed('If-Match must hold one revision in quotes, as in "7".')
    return int(number)


async def revision_of_change(
    seen: Annotated[int | None, Depends(revision_if_any)],
) -> int | None:
    """Read it where something is written for the first time as well, and then on none."""
    return seen


def etag(revision: int) -> dict[str, str]:
    """Give the ETag header of a revision."""
    return {"ETag": f'"{revision}"'}


async def _now() -> datetime:
    return now()


async def visitor(request: Request) -> Principal | None:
    """Say who calls, as `visitor_of` does."""
    return await visitor_of(request)


# Dependencies are coroutines, also those that wait for nothing: any other is handed to a thread,
# which takes longer than it does, and keeps the process from ending when a loop fails.
Now = Annotated[datetime, Depends(_now)]
Visitor = Annotated[Principal | None, Depends(visitor)]


async def caller(who: Visitor) -> Principal:
    """Say who calls; raises `Unauthenticated` when nobody is signed in."""
    return signed_in(who)


Caller = Annotated[Principal, Depends(caller)]
IfMatch = Annotated[int, Depends(revision)]
IfMatchIfAny = Annotated[int | None, Depends(revision_if_any)]
IfMatchOfChange = Annotated[int | None, Depends(revision_of_change)]
"""None: decided on nothing; where there is something, the command raises `PreconditionMissing`."""


class App(FastAPI):
    """The application, with an express lane before it."""

    lane: Sequence[express.Express] = ()
    gates: Mapping[str, Gate] = {}  # set once, before it is served
    """By path: who may answer a GET before the server makes anything of its connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a rushed path at once, and every other request as FastAPI does."""
        if scope["type"] == "http" and (found := express.found(self.lane, scope)):
            scope["app"] = self
            await express.serve(*found, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(services: Sequence[Service], tokens: Tokens) -> App:
    """Put the services of this process behind one address."""
    app = App(title="Tradewind", version="1", docs_url=None, redoc_url=None)
    every = [route for service in services for router in service.routers for route in router.routes]
    install_problems(app, every)
    # The routes themselves: a router that is included has every route understood a second time, by
    # the first request, and is searched twice by each that it answers.
    app.router.routes.extend(_health().routes)
    app.mount("/static/shared", StaticFiles(directory=STATIC))
    for service in services:
        for router in service.routers:
            app.router.routes.extend(router.routes)
        if service.static:
            app.mount(f"/static/{service.name}", StaticFiles(directory=service.static))
    bodies = {path: most for service in services for path, most in service.bodies.items()}
    app.add_middleware(Edge, bodies=bodies)
    equip(app, services, tokens)
    return app


def equip(app: App, services: Sequence[Service], tokens: Tokens) -> None:
    """Give an application what its routes use: to understand hundreds of routes takes a second."""
    app.lane = [route for service in services for route in service.express]
    app.gates = {path: gate for service in services for path, gate in service.gates.items()}
    app.state.tokens = tokens
    app.state.keys = next((service.keys for service in services if service.keys), NO_KEYS)
    app.state.checks = {k: v for service in services for k, v in service.checks.items()}
    app.state.advisory = {k: v for service in services for k, v in service.advisory_checks.items()}
    for service in services:
        setattr(app.state, service.name, service.resources)


def _health() -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/livez")
    async def live() -> dict[str, str]:
        return {"status": "live"}

    @router.get("/readyz")
    async def ready(request: Request) -> JSONResponse:
        checks: Mapping[str, Check] = request.app.state.checks
        both = {**checks, **request.app.state.advisory}
        answers = await asyncio.gather(*(_is_usable(check) for check in both.values()))
        found = dict(zip(both, answers, strict=True))
        is_ready = all(found[name] for name in checks)
        return JSONResponse({"checks": found}, 200 if is_ready else 503)

    return router


async def _is_usable(check: Check) -> bool:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            await check()
    except Exception:  # noqa: BLE001  # whatever it raises is the answer
        return False
    return True
