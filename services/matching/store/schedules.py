"""Schedules: jobs for the solver, then versions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.matching.domain.problem import Solution
from services.matching.domain.unmet import Unmet
from services.matching.domain.versions import Entry
from shared.postgres import Connection

Row = asyncpg.Record

SCHEDULE = (
    "id, stop_id, number, state, progress, reason, seconds_max, requested_at, objective, bound, "
    "is_optimal, meetings, changed, published_at"
)


async def add(
    connection: Connection, schedule_id: UUID, stop_id: UUID, seconds_max: int, now: datetime
) -> None:
    """Queue a schedule for the solver."""
    await connection.execute(
        "INSERT INTO schedule (id, stop_id, state, progress, seconds_max, requested_at) "
        "VALUES ($1, $2, 'draft', 'queued', $3, $4)",
        schedule_id,
        stop_id,
        seconds_max,
        now,
    )


async def claim(connection: Connection) -> Row | None:
    """Take the oldest schedule that is asked for."""
    return await connection.fetchrow(
        "UPDATE schedule SET progress = 'running' WHERE id = (SELECT id FROM schedule "
        "WHERE progress = 'queued' ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, stop_id, seconds_max"
    )


async def queue_again(connection: Connection) -> None:
    """Queue what a former solver left half done."""
    await connection.execute("UPDATE schedule SET progress = 'queued' WHERE progress = 'running'")


async def finish(
    connection: Connection,
    schedule_id: UUID,
    solution: Solution,
    entries: Sequence[Entry],
    unmet: Sequence[Unmet],
) -> None:
    """Write what the solver found: a provisional version."""
    await connection.execute(
        "UPDATE schedule SET state = 'provisional', progress = 'done', objective = $2, "
        "bound = $3, is_optimal = $4, entries = $5, unmet = $6, meetings = $7 "
        "WHERE id = $1 AND state = 'draft'",
        schedule_id,
        solution.objective,
        solution.bound,
        solution.is_optimal,
        [entry.model_dump(mode="json") for entry in entries],
        [one.model_dump(mode="json") for one in unmet],
        len(entries),
    )


async def fail(connection: Connection, schedule_id: UUID, reason: str) -> None:
    """Note that no schedule was found, and why."""
    await connection.execute(
        "UPDATE schedule SET progress = 'failed', reason = $2 WHERE id = $1 AND state = 'draft'",
        schedule_id,
        reason,
    )


async def one(connection: Connection, schedule_id: UUID) -> Row | None:
    """Read a schedule with its entries."""
    return await connection.fetchrow(
        f"SELECT {SCHEDULE}, entries, unmet FROM schedule WHERE id = $1",  # noqa: S608
        schedule_id,
    )


async def unmet_in_force(connection: Connection, stop_id: UUID) -> list[Unmet]:
    """Read which wishes a stop's schedule in force does not fulfil; none without one."""
    found = await connection.fetchval(
        "SELECT unmet FROM schedule WHERE stop_id = $1 AND state = 'published'", stop_id
    )
    return [Unmet.model_validate(one) for one in found or ()]


async def of_stop(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's schedules, the newest first; at most 50."""
    return await connection.fetch(
        f"SELECT {SCHEDULE} FROM schedule WHERE stop_id = $1 "  # noqa: S608
        "ORDER BY requested_at DESC, id LIMIT 50",
        stop_id,
    )


async def next_number(connection: Connection, stop_id: UUID) -> int:
    """Give the number of the next version of a stop that is locked."""
    number: int = await connection.fetchval(
        "SELECT coalesce(max(number), 0) + 1 FROM schedule WHERE stop_id = $1", stop_id
    )
    return number


async def publish(
    connection: Connection, schedule_id: UUID, number: int, changed: int, now: datetime
) -> None:
    """Put a version in force instead of the one before."""
    await connection.execute(
        "UPDATE schedule SET state = 'superseded' WHERE state = 'published' "
        "AND stop_id = (SELECT stop_id FROM schedule WHERE id = $1)",
        schedule_id,
    )
    await connection.execute(
        "UPDATE schedule SET state = 'published', number = $2, changed = $3, published_at = $4 "
        "WHERE id = $1",
        schedule_id,
        number,
        changed,
        now,
    )
