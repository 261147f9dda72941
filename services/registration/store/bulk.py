"""Decisions about many registrations: jobs, and what became of each row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection, columns

Row = asyncpg.Record


async def add(connection: Connection, job: Mapping[str, Any]) -> None:
    """Add a job without rows."""
    await connection.execute(
        "INSERT INTO bulk_job (id, mission_id, stop_id, decision, principal, started_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        *(
            job[name]
            for name in ("id", "mission_id", "stop_id", "decision", "principal", "started_at")
        ),
    )


async def missing(
    connection: Connection, job_id: UUID, registration_ids: Sequence[UUID]
) -> set[UUID]:
    """Say which registrations are no rows of a job."""
    rows = await connection.fetch(
        "SELECT id FROM unnest($2::uuid[]) AS given (id) WHERE NOT EXISTS "
        "(SELECT FROM bulk_row WHERE job_id = $1 AND registration_id = given.id)",
        job_id,
        list(registration_ids),
    )
    return {row["id"] for row in rows}


async def claim(connection: Connection, now: datetime, until: datetime) -> Row | None:
    """Take the oldest job that nobody works on; it is ours until `until`."""
    return await connection.fetchrow(
        "UPDATE bulk_job SET claimed_until = $2 WHERE id = (SELECT id FROM bulk_job "
        "WHERE finished_at IS NULL AND (claimed_until IS NULL OR claimed_until < $1) "
        "ORDER BY started_at LIMIT 1 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, mission_id, stop_id, decision, principal",
        now,
        until,
    )


async def open_rows(connection: Connection, job_id: UUID, limit: int) -> Sequence[Row]:
    """List the next rows of a job that nothing became of yet."""
    return await connection.fetch(
        "SELECT place, registration_id FROM bulk_row WHERE job_id = $1 AND outcome IS NULL "
        "ORDER BY place LIMIT $2",
        job_id,
        limit,
    )


async def settle(
    connection: Connection, job_id: UUID, outcomes: Sequence[tuple[int, str, str | None]]
) -> None:
    """Write what became of rows (place, outcome, reason), and let others go on with the job."""
    await connection.execute(
        "UPDATE bulk_row SET outcome = given.outcome, reason = given.reason "
        "FROM unnest($2::integer[], $3::text[], $4::text[]) AS given (place, outcome, reason) "
        "WHERE bulk_row.job_id = $1 AND bulk_row.place = given.place",
        job_id,
        *columns(outcomes, 3),
    )
    await connection.execute("UPDATE bulk_job SET claimed_until = NULL WHERE id = $1", job_id)


async def finish(connection: Connection, job_id: UUID, now: datetime) -> bool:
    """Close a job; False when somebody closed it before."""
    closed = await connection.fetchval(
        "UPDATE bulk_job SET finished_at = $2 WHERE id = $1 AND finished_at IS NULL RETURNING true",
        job_id,
        now,
    )
    return bool(closed)


async def job(connection: Connection, job_id: UUID) -> Row | None:
    """Read a job with its numbers."""
    return await connection.fetchrow(
        "SELECT job.id, job.mission_id, job.stop_id, job.decision, job.principal, "
        "job.started_at, job.finished_at, "
        "(SELECT count(*) FROM bulk_row WHERE job_id = job.id) AS total, "
        "(SELECT count(*) FROM bulk_row WHERE job_id = job.id AND outcome = 'done') AS done, "
        "(SELECT count(*) FROM bulk_row WHERE job_id = job.id AND outcome = 'refused') AS refused "
        "FROM bulk_job AS job WHERE job.id = $1",
        job_id,
    )


async def rows(
    connection: Connection,
    job_id: UUID,
    *,
    after: int,
    limit: int,
    outcome: str | None = None,
) -> Sequence[Row]:
    """List a job's rows by place, or those of one outcome."""
    return await connection.fetch(
        "SELECT place, registration_id, outcome, reason FROM bulk_row "
        "WHERE job_id = $1 AND place > $2 AND ($4::text IS NULL OR outcome = $4) "
        "ORDER BY place LIMIT $3",
        job_id,
        after,
        limit,
        outcome,
    )
