"""A client of the public API that outlives the death of a server process.

Whatever may be repeated is repeated: a lost connection, a part that is away, a limit reached.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import httpx2

CONCURRENCY = 12
ANSWER_SECONDS_MAX = 30.0
RETRY_SECONDS_MAX = 90.0
CONVERGENCE_SECONDS_MAX = 30.0
BACKOFF_SECONDS = (0.1, 2.0)
AWAY = frozenset({429, 502, 503, 504})
NOT_FOUND = 404
ERRORS_FROM = 400

Json = dict[str, Any]


class Refused(Exception):
    """The installation answered no, and a repetition would not change that."""

    def __init__(self, request: str, status: int, problem: Mapping[str, Any], sent: int) -> None:
        self.status = status
        self.code = str(problem.get("code", ""))
        self.was_repeated = sent > 1
        """Whether an earlier sending may have taken effect."""
        detail = problem.get("detail", "no detail")
        faults = "; ".join(f"{e['pointer']}: {e['detail']}" for e in problem.get("errors", ()))
        super().__init__(f"{request} answered {status} {self.code}: {detail} {faults}".rstrip())


class Unreachable(Exception):
    """The installation did not answer within all repetitions."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent, the same each time."""

    method: str
    path: str
    body: Json | None = None
    params: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    converges: bool = False
    """Services learn from one another a moment later: until then they answer 404."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Client:
    """Sends requests as one person over connections that all share."""

    http: httpx2.AsyncClient
    url: str
    token: str | None
    gate: asyncio.Semaphore
    retry_seconds_max: float = RETRY_SECONDS_MAX
    convergence_seconds_max: float = CONVERGENCE_SECONDS_MAX

    @classmethod
    @asynccontextmanager
    async def connect(cls, url: str, token: str | None) -> AsyncIterator[Self]:
        """Open the connections' pool and close it at the end; raises `Unreachable`."""
        if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
            raise Unreachable(f"{url} is not an address such as http://127.0.0.1:8000.")
        limits = httpx2.Limits(
            max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY, keepalive_expiry=30
        )
        async with httpx2.AsyncClient(
            base_url=url, timeout=ANSWER_SECONDS_MAX, limits=limits, trust_env=False
        ) as http:
            # The pool searches its whole queue at every step: who waits, waits here.
            yield cls(http, url, token, asyncio.Semaphore(CONCURRENCY))

    def acting_for(self, token: str | None) -> Self:
        """Give a client that acts for somebody else, or for nobody."""
        return replace(self, token=token)

    async def get(self, path: str, *, converges: bool = False, **params: object) -> Json:
        """Read."""
        texts = {name: str(value) for name, value in params.items()}
        return await self.send(Request("GET", path, params=texts, converges=converges))

    async def post(
        self, path: str, body: Json | None = None, *, key: str = "", converges: bool = False
    ) -> Json:
        """Create or decide; `key` makes it happen once, however often it is sent."""
        headers = {"Idempotency-Key": key} if key else None
        return await self.send(Request("POST", path, body, headers=headers, converges=converges))

    async def decide(self, path: str) -> None:
        """Post a decision; one whose answer was lost is not refused for being taken already."""
        try:
            await self.post(path)
        except Refused as refusal:
            if not (refusal.was_repeated and refusal.code == "illegal_state"):
                raise

    async def put(self, path: str, body: Json, *, converges: bool = False) -> Json:
        """Set; the same again changes nothing."""
        return await self.send(Request("PUT", path, body, converges=converges))

    async def session(self, sign_in_path: str) -> Self:
        """Sign in with a link and give a client that acts for its person."""
        token = parse_qs(urlsplit(sign_in_path).query)["token"][0]
        opened = await self.acting_for(None).post("/api/v1/sessions", {"token": token})
        return self.acting_for(opened["token"])

    async def send(self, request: Request) -> Json:
        """Send until there is an answer. Raises `Refused` or `Unreachable`."""
        patience = _Patience(self.retry_seconds_max, self.convergence_seconds_max)
        while True:
            async with self.gate:
                # Who finds a part away waits inside: a thousand others would only find the same.
                answer = await self._answered(request, patience)
            if answer.status_code < ERRORS_FROM:
                return _content(answer)
            problem = _problem(answer)
            if not patience.lets_repeat(request, answer.status_code, problem):
                raise Refused(str(request), answer.status_code, problem, patience.sent)
            await patience.wait(request, f"status {answer.status_code}")

    async def _answered(self, request: Request, patience: "_Patience") -> httpx2.Response:
        """Send until a part that is not away answers; raises `Unreachable`."""
        while True:
            patience.sent += 1
            try:
                answer = await self.http.request(
                    request.method,
                    request.path,
                    json=request.body,
                    params=request.params,
                    headers=self._headers(request),
                )
            except httpx2.TransportError as error:
                await patience.wait(request, repr(error))
                continue
            if answer.status_code not in AWAY:
                return answer
            after = answer.headers.get("retry-after", "")
            asked = float(after) if after.isdigit() else 0.0
            await patience.wait(request, f"status {answer.status_code}", asked)

    def _headers(self, request: Request) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return bearer | dict(request.headers or {})


class _Patience:
    """How long one request is repeated, and how fast."""

    def __init__(self, seconds_max: float, convergence_seconds_max: float) -> None:
        self.sent = 0
        self._seconds_max = seconds_max
        self._ends: float | None = None
        self._convergence_seconds_max = convergence_seconds_max
        self._converged_by: float | None = None
        self._pause = BACKOFF_SECONDS[0]

    def lets_repeat(self, request: Request, status: int, problem: Mapping[str, Any]) -> bool:
        """Say whether an answer may become another one by itself."""
        if status == NOT_FOUND and request.converges:
            now = time.monotonic()
            if self._converged_by is None:
                self._converged_by = now + self._convergence_seconds_max
            return now < self._converged_by
        return problem.get("code") == "in_progress"

    async def wait(self, request: Request, why: str, asked: float = 0.0) -> None:
        """Wait before the next sending; raises `Unreachable` when there is no time left."""
        if self._ends is None:
            # From the first failure on: the wait for a turn among a thousand others is no outage.
            self._ends = time.monotonic() + self._seconds_max
        pause = max(asked, self._pause * random.uniform(0.5, 1.0))  # noqa: S311  # no secret
        if time.monotonic() + pause > self._ends:
            raise Unreachable(f"{request} had no answer after {self.sent} sendings: {why}.")
        self._pause = min(self._pause * 2, BACKOFF_SECONDS[1])
        await asyncio.sleep(pause)


def _content(answer: httpx2.Response) -> Json:
    content: Json = answer.json()
    return content


def _problem(answer: httpx2.Response) -> Mapping[str, Any]:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
