"""Idempotency keys: a request that is sent again has one effect, and gets its first answer again.

Follows the IETF draft `draft-ietf-httpapi-idempotency-key-header-07`; the row commits together with
the effect, so a crash leaves both or neither.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from shared.errors import Conflict, Invalid, Malformed
from shared.http import Visitor
from shared.postgres import Connection, Database

KEY_LENGTH_MAX = 255
ATTEMPTS_MAX = 5

_RACES = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


@dataclass(frozen=True, slots=True)
class Key:
    """What the client calls this request, within what it may call; `digest` is of its body."""

    scope: str
    value: str
    digest: bytes
    is_patient: bool = False
    """Whether a twin waits for the first request's answer instead of being refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a creating request is answered: a status and content that JSON can hold."""

    content: dict[str, Any]
    status: int = 201
    is_replayed: bool = False

    def response(self, **more: str) -> JSONResponse:
        """Make the HTTP answer; a repeated one says so. `more` is added and stored nowhere."""
        headers = {"Idempotent-Replayed": "true"} if self.is_replayed else None
        return JSONResponse(self.content | more, self.status, headers)


async def optional_key(
    request: Request, who: Visitor, idempotency_key: Annotated[str | None, Header()] = None
) -> Key | None:
    """Read the Idempotency-Key header, if there is one."""
    if idempotency_key is None:
        return None
    if not 0 < len(idempotency_key) <= KEY_LENGTH_MAX:
        raise Malformed(f"An Idempotency-Key has 1 to {KEY_LENGTH_MAX} characters.")
    subject = who.subject if who else "public"
    return Key(
        scope=f"{subject} {request.method} {request.url.path}",
        value=idempotency_key,
        digest=hashlib.sha256(await request.body()).digest(),
    )


def required_key(key: Annotated[Key | None, Depends(optional_key)]) -> Key:
    """Read the Idempotency-Key header; raises `Malformed` when there is none."""
    if key is None:
        raise Malformed(
            "Send an Idempotency-Key header, made once when the form opens.",
            code="idempotency_key_needed",
        )
    return key


OptionalKey = Annotated[Key | None, Depends(optional_key)]
RequiredKey = Annotated[Key, Depends(required_key)]


async def once(
    database: Database, key: Key | None, effect: Callable[[Connection], Awaitable[Answer]]
) -> Answer:
    """Take `effect` in one transaction, unless `key` was answered before; then answer that again.

    Raises `Conflict` while the first request is under way, `Invalid` when the body is another one.
    An effect that lost a deadlock is taken again.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            async with database.transaction() as connection:
                return await _once(connection, key, effect)
        except _RACES:
            if attempt == ATTEMPTS_MAX:
                raise
    raise AssertionError("unreachable")


async def _once(
    connection: Connection, key: Key | None, effect: Callable[[Connection], Awaitable[Answer]]
) -> Answer:
    if key is None:
        return await effect(connection)
    await _lock(connection, key)
    row = await connection.fetchrow(
        "SELECT digest, status, answer FROM idempotency WHERE scope = $1 AND key = $2",
        key.scope,
        key.value,
    )
    if row is not None:
        if row["digest"] != key.digest:
            raise Invalid(
                "This Idempotency-Key was used with another body.", code="idempotency_key_reused"
            )
        return Answer(row["answer"], row["status"], is_replayed=True)
    answer = await effect(connection)
    await connection.execute(
        "INSERT INTO idempotency (scope, key, digest, status, answer) VALUES ($1, $2, $3, $4, $5)",
        key.scope,
        key.value,
        key.digest,
        answer.status,
        answer.content,
    )
    return answer


async def _lock(connection: Connection, key: Key) -> None:
    name = f"{key.scope} {key.value}"
    if key.is_patient:
        # Bounded by the time-out of statements.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
    elif not await connection.fetchval(
        "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))", name
    ):
        raise Conflict("The first request with this key is under way.", code="in_progress")
