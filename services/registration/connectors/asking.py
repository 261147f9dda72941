"""Asking a partner's system: JSON over HTTP, with what can go wrong told in one way."""

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from shared.addresses import Blocked
from shared.outward import Outward
from shared.wire import Answer, NoAnswer

SECONDS_MAX = 20
BYTES_MAX = 8 * 1024 * 1024
RETRY_SECONDS_MAX = 3600.0

_BY_STATUS = {401: "not_allowed", 403: "not_allowed", 404: "not_found", 429: "too_many"}
_SUCCESS = range(200, 300)
_SERVER = 500

M = TypeVar("M")


class There(BaseModel):
    """Something a system answers: what we do not use of it is not read."""


class Failed(Exception):
    """A system did not answer as it should.

    `code` is one of: blocked, unreachable, not_allowed, not_found, too_many, refused, broken,
    unreadable.
    """

    def __init__(self, code: str, retry_seconds: float | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.retry_seconds = retry_seconds
        """What the system asks for, if it does."""


class Asking:
    """One system at its address; the token goes with each request and nowhere else."""

    def __init__(self, outward: Outward, address: str, authorization: str) -> None:
        self._outward = outward
        self._address = address
        self._headers = {"Authorization": authorization, "Accept": "application/json"}

    async def get(self, shape: type[M], path: str, **params: str | int) -> M:
        """Read something of this shape; raises `Failed`."""
        query = f"?{urlencode(params)}" if params else ""
        return read(shape, await self.send("GET", path + query))

    async def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> bytes:
        """Send a request and give what is answered; raises `Failed`."""
        headers = self._headers | ({} if body is None else {"Content-Type": "application/json"})
        try:
            answer = await self._outward.ask(
                method,
                self._address + path,
                headers=headers,
                content=b"" if body is None else to_json(body),
                seconds_max=SECONDS_MAX,
                bytes_max=BYTES_MAX,
            )
        except Blocked:
            raise Failed("blocked") from None
        except NoAnswer:
            raise Failed("unreachable") from None
        if answer.status in _SUCCESS and answer.is_whole:
            return answer.content
        raise _failed(answer)


def _failed(answer: Answer) -> Failed:
    if answer.status in _SUCCESS:
        return Failed("unreadable")
    retry = retry_seconds(answer.header("retry-after"), datetime.now(UTC))
    if answer.status >= _SERVER:
        return Failed("broken", retry)
    return Failed(_BY_STATUS.get(answer.status, "refused"), retry)


def read(shape: type[M], content: bytes) -> M:
    """Read JSON of this shape; raises `Failed`."""
    try:
        return TypeAdapter(shape).validate_python(from_json(content), strict=False)
    except (ValueError, ValidationError):
        raise Failed("unreadable") from None


def retry_seconds(header: str | None, now: datetime) -> float | None:
    """Read Retry-After (RFC 9110, 10.2.3): seconds, or a date; None when it says nothing."""
    if not header:
        return None
    if header.isascii() and header.isdigit():
        return min(float(header), RETRY_SECONDS_MAX)
    try:
        at = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), RETRY_SECONDS_MAX)
