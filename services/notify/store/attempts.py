"""Attempts: what was handed over to which channel, and what became of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import asyncpg

from services.notify.domain.mail import COPIES_MAX
from shared.postgres import Connection

Result = Literal["sent", "deferred", "refused", "unknown"]


async def begin(connection: Connection, message: int, now: datetime) -> int | None:
    """Note that a message is about to be handed over, and give the attempt's id.

    None: too many ended in the dark since staff looked, and each of them may have arrived.
    """
    attempt: int | None = await connection.fetchval(
        "INSERT INTO attempt (message, began_at) SELECT $1, $2 WHERE (SELECT count(*) FROM attempt "
        "JOIN message ON message.id = attempt.message WHERE attempt.message = $1 "
        "AND (result IS NULL OR result = 'unknown') "
        "AND began_at >= coalesce(retried_at, began_at)) < $3 RETURNING id",
        message,
        now,
        COPIES_MAX,
    )
    return attempt


async def note(connection: Connection, message: int, now: datetime) -> int:
    """Note what became of a message later, and give the id of that."""
    attempt: int = await connection.fetchval(
        "INSERT INTO attempt (message, began_at) VALUES ($1, $2) RETURNING id", message, now
    )
    return attempt


async def end(
    connection: Connection, attempt: int, result: Result, now: datetime, reason: str | None = None
) -> None:
    """Say what became of an attempt."""
    await connection.execute(
        "UPDATE attempt SET result = $2, ended_at = $3, reason = $4 WHERE id = $1",
        attempt,
        result,
        now,
        reason,
    )


async def succeed(connection: Connection, attempt: int, now: datetime) -> None:
    """Say that a message was taken at this attempt."""
    await connection.execute(
        "WITH ended AS (UPDATE attempt SET result = 'sent', ended_at = $2 WHERE id = $1 "
        "RETURNING message) UPDATE message SET state = 'sent', reason = NULL, sent_at = $2 "
        "FROM ended WHERE message.id = ended.message",
        attempt,
        now,
    )


async def withdraw(connection: Connection, attempt: int) -> None:
    """Take an attempt back that was none: nothing was handed over."""
    await connection.execute("DELETE FROM attempt WHERE id = $1", attempt)


async def of_messages(connection: Connection, messages: Sequence[int]) -> list[asyncpg.Record]:
    """Read the attempts of messages, in their order."""
    return await connection.fetch(
        "SELECT id, message, began_at, ended_at, result, reason FROM attempt "
        "WHERE message = ANY($1) ORDER BY message, id",
        messages,
    )
