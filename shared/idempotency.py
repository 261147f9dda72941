"""Idempotency keys: a request that is sent again has one effect, and gets its first answer again.

Follows the IETF draft `draft-ietf-httpapi-idempotency-key-header-07`; the row commits together with
the effect, so a crash leaves both or neither.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from shared.access import Principal
from shared.errors import Conflict, Invalid, Malformed, Refusal
from shared.express import Call
from shared.http import Visitor
from shared.postgres import Connection, Database, columns

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

    def __str__(self) -> str:
        return f"{self.scope} {self.value}"


@dataclass(slots=True)
class Answer:
    """What a creating request is answered: a status and content that JSON can hold."""

    content: dict[str, Any]
    status: int = 201
    is_replayed: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers that go with it."""
        return {"Idempotent-Replayed": "true"} if self.is_replayed else {}

    def response(self, **more: str) -> JSONResponse:
        """Make the HTTP answer; a repeated one says so. `more` is added and stored nowhere."""
        return JSONResponse(self.content | more, self.status, self.headers)


async def optional_key(
    request: Request, who: Visitor, idempotency_key: Annotated[str | None, Header()] = None
) -> Key | None:
    """Read the Idempotency-Key header, if there is one."""
    if idempotency_key is None:
        return None
    return key_of(who, request.method, request.url.path, idempotency_key, await request.body())


def key_of(who: Principal | None, method: str, path: str, value: str, body: bytes) -> Key:
    """Make the key of a request; raises `Malformed` for one that is empty or too long."""
    if not 0 < len(value) <= KEY_LENGTH_MAX:
        raise Malformed(f"An Idempotency-Key has 1 to {KEY_LENGTH_MAX} characters.")
    subject = who.subject if who else "public"
    return Key(f"{subject} {method} {path}", value, hashlib.sha256(body).digest())


def key_of_call(call: Call, who: Principal | None) -> Key:
    """Read the key of a call in the express lane; raises `Malformed` when there is none."""
    value = call.headers.get(b"idempotency-key")
    if value is None:
        return _required(None)
    return key_of(who, call.scope["method"], call.scope["path"], value.decode("latin-1"), call.body)


OptionalKey = Annotated[Key | None, Depends(optional_key)]


async def required_value(idempotency_key: Annotated[str | None, Header()] = None) -> str:
    """Read the header alone, where a long body is read afterwards; raises `Malformed`."""
    if idempotency_key is None:
        raise _missing()
    return idempotency_key


RequiredValue = Annotated[str, Depends(required_value)]


async def required_key(key: OptionalKey) -> Key:
    """Read the Idempotency-Key header; raises `Malformed` when there is none."""
    return _required(key)


def _required(key: Key | None) -> Key:
    if key is None:
        raise _missing()
    return key


def _missing() -> Malformed:
    detail = "Send an Idempotency-Key header, made once when the form opens."
    return Malformed(detail, code="idempotency_key_needed")


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
    if key.is_patient:
        # Bounded by the time-out of statements.
        await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", str(key))
    before = (await recall(connection, [key]))[key]
    if isinstance(before, Refusal):
        raise before
    if before is not None:
        return before
    answer = await effect(connection)
    await keep(connection, [(key, answer)])
    return answer


async def recall(
    connection: Connection, keys: Collection[Key]
) -> Mapping[Key, Answer | Refusal | None]:
    """Lock keys until the transaction ends, and say what each was answered before.

    None: nothing yet, and nobody else can answer it now. `Conflict`: its first request is under
    way. `Invalid`: it was used with another body.
    """
    locked = await connection.fetch(
        "SELECT pg_try_advisory_xact_lock(hashtextextended(name, 0)) "
        "FROM unnest($1::text[]) WITH ORDINALITY AS given (name, place) ORDER BY place",
        [str(key) for key in keys],
    )
    # In a statement of its own: it sees what was committed before the locks were had.
    rows = await connection.fetch(
        # One by one: a join would be planned by what the table held when it was last counted.
        "SELECT found.* FROM unnest($1::text[], $2::text[]) AS given (scope, key) "
        "CROSS JOIN LATERAL (SELECT scope, key, digest, status, answer FROM idempotency "
        "WHERE idempotency.scope = given.scope AND idempotency.key = given.key LIMIT 1) AS found",
        [key.scope for key in keys],
        [key.value for key in keys],
    )
    found = {(row["scope"], row["key"]): row for row in rows}
    return {
        key: _before(key, found.get((key.scope, key.value)), is_ours=lock[0])
        for key, lock in zip(keys, locked, strict=True)
    }


def _before(key: Key, row: asyncpg.Record | None, *, is_ours: bool) -> Answer | Refusal | None:
    if row is None:
        return (
            None
            if is_ours
            else Conflict("The first request with this key is under way.", code="in_progress")
        )
    if row["digest"] != key.digest:
        return Invalid(
            "This Idempotency-Key was used with another body.", code="idempotency_key_reused"
        )
    return Answer(row["answer"], row["status"], is_replayed=True)


async def keep(connection: Connection, answers: Sequence[tuple[Key, Answer]]) -> None:
    """Keep what keys that are locked were answered; commits with the effects."""
    rows = [(key.scope, key.value, key.digest, a.status, a.content) for key, a in answers]
    await connection.execute(
        "INSERT INTO idempotency (scope, key, digest, status, answer) "
        "SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::smallint[], $5::jsonb[])",
        *columns(rows, 5),
    )
