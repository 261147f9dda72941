"""Schedules: jobs for the solver, then versions."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from services.matching.domain.reports import Ended, Report
from services.matching.domain.unmet import Unmet
from shared.postgres import Connection

Row = asyncpg.Record

SCHEDULE = (
    "id, stop_id, number, state, progress, reason, seconds_max, requested_at, objective, bound, "
    "is_optimal, meetings, changed, published_at, stage, seconds, ended, is_cancelled, musts, "
    "musts_most, breaks, breaks_bound, table_changes, "
    "CASE WHEN bound > 0 THEN (bound - objective)::float8 / bound END AS gap"
)

NUMBERS = (
    "stage",
    "seconds",
    "objective",
    "bound",
    "is_optimal",
    "musts",
    "musts_most",
    "breaks",
    "breaks_bound",
    "table_changes",
)
"""What is told of a search while it goes on."""


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
        # Read before the meetings are: what comes between counts as having come later.
        "UPDATE schedule SET progress = 'running', interventions = "
        "(SELECT interventions FROM stop WHERE stop.id = schedule.stop_id) "
        "WHERE id = (SELECT id FROM schedule "
        "WHERE progress = 'queued' ORDER BY requested_at, id LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, stop_id, seconds_max"
    )


async def resume(connection: Connection) -> None:
    """Take up what a former solver left half done: what it found stands, the rest is asked anew."""
    await connection.execute(
        "UPDATE schedule SET state = 'provisional', progress = 'done', "
        "ended = CASE WHEN is_cancelled THEN 'cancelled' ELSE 'broken' END "
        "WHERE progress = 'running' AND stage IS NOT NULL"
    )
    await connection.execute(
        "UPDATE schedule SET progress = CASE WHEN is_cancelled THEN 'cancelled' ELSE 'queued' END "
        "WHERE progress = 'running'"
    )


async def note(connection: Connection, schedule_id: UUID, report: Report) -> None:
    """Write how far the search is, and what is better than what was written before."""
    await connection.execute(
        f"UPDATE schedule SET {', '.join(f'{name} = ${n}' for n, name in enumerate(NUMBERS, 3))}, "  # noqa: S608
        "conflicts = $2::text::jsonb WHERE id = $1 AND state = 'draft'",
        schedule_id,
        report.conflicts,
        *(getattr(report, name) for name in NUMBERS),
    )
    if report.found:
        await connection.execute(
            "UPDATE schedule SET meetings = $2, entries = $3::text::jsonb, "
            "unmet = $4::text::jsonb, left_out = $5::text::jsonb "
            "WHERE id = $1 AND state = 'draft'",
            schedule_id,
            report.found.meetings,
            report.found.entries,
            report.found.unmet,
            report.found.left_out,
        )


async def settle(
    connection: Connection, schedule_id: UUID, ended: Ended, reason: str | None = None
) -> bool:
    """End a search: what it found is a provisional version. False where it found nothing."""
    settled = await connection.fetchval(
        "UPDATE schedule SET state = 'provisional', progress = 'done', ended = $2, reason = $3 "
        "WHERE id = $1 AND state = 'draft' AND stage IS NOT NULL RETURNING true",
        schedule_id,
        ended,
        reason,
    )
    return bool(settled)


async def cancel(connection: Connection, schedule_id: UUID) -> bool:
    """Ask for the end of a search, and say whether there is one; what waits ends at once."""
    is_cancelled = await connection.fetchval(
        "UPDATE schedule SET is_cancelled = true, "
        "progress = CASE progress WHEN 'queued' THEN 'cancelled' ELSE progress END, "
        "ended = CASE progress WHEN 'queued' THEN 'cancelled' END "
        "WHERE id = $1 AND progress IN ('queued', 'running') RETURNING true",
        schedule_id,
    )
    return bool(is_cancelled)


async def is_cancelled(connection: Connection, schedule_id: UUID) -> bool:
    """Say whether the end of a search was asked for."""
    found: bool = await connection.fetchval(
        "SELECT is_cancelled FROM schedule WHERE id = $1", schedule_id
    )
    return found


async def fail(connection: Connection, schedule_id: UUID, reason: str) -> None:
    """Note that no schedule was found, and why."""
    await connection.execute(
        "UPDATE schedule SET progress = 'failed', reason = $2 WHERE id = $1 AND state = 'draft'",
        schedule_id,
        reason,
    )


async def give_up(connection: Connection, schedule_id: UUID) -> None:
    """Note that a search was ended before it found anything."""
    await connection.execute(
        "UPDATE schedule SET progress = 'cancelled', ended = 'cancelled' "
        "WHERE id = $1 AND state = 'draft'",
        schedule_id,
    )


async def one(connection: Connection, schedule_id: UUID) -> Row | None:
    """Read a schedule with its entries."""
    return await connection.fetchrow(
        f"SELECT {SCHEDULE}, revision, entries, unmet, conflicts FROM schedule WHERE id = $1",  # noqa: S608
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


async def conflicts(connection: Connection, schedule_id: UUID) -> list[dict[str, object]]:
    """Read what cannot be kept together in a schedule."""
    found: list[dict[str, object]] = await connection.fetchval(
        "SELECT conflicts FROM schedule WHERE id = $1", schedule_id
    )
    return found


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
