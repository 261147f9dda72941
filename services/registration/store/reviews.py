"""Reviews of applications and their scores."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record
Scored = Sequence[tuple[UUID, int, str]]


async def put(
    connection: Connection,
    application_id: UUID,
    reviewer_id: UUID,
    now: datetime,
    *,
    is_abstention: bool,
) -> None:
    """Note that somebody reviewed an application, or will not."""
    await connection.execute(
        "INSERT INTO review (application_id, reviewer_id, is_abstention, given_at) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (application_id, reviewer_id) DO UPDATE "
        "SET revised_at = excluded.given_at, is_abstention = excluded.is_abstention",
        application_id,
        reviewer_id,
        is_abstention,
        now,
    )


async def put_scores(
    connection: Connection, application_id: UUID, reviewer_id: UUID, scored: Scored
) -> None:
    """Write a reviewer's scores and comments; what was given first is kept beside them."""
    await connection.executemany(
        "INSERT INTO score (application_id, reviewer_id, criterion_id, score, first_score, "
        "comment) VALUES ($1, $2, $3, $4, $4, $5) "
        "ON CONFLICT (application_id, reviewer_id, criterion_id) "
        "DO UPDATE SET score = excluded.score, comment = excluded.comment",
        [
            (application_id, reviewer_id, criterion_id, score, comment)
            for criterion_id, score, comment in scored
        ],
    )


async def review(connection: Connection, application_id: UUID, reviewer_id: UUID) -> Row | None:
    """Read whether somebody reviewed an application."""
    return await connection.fetchrow(
        "SELECT is_abstention, given_at, revised_at FROM review "
        "WHERE application_id = $1 AND reviewer_id = $2",
        application_id,
        reviewer_id,
    )


async def of_application(connection: Connection, application_id: UUID) -> Sequence[Row]:
    """List the reviews of an application: one row a reviewer and criterion, in order of time."""
    return await connection.fetch(
        "SELECT review.reviewer_id, review.is_abstention, review.given_at, review.revised_at, "
        "person.full_name AS reviewer, score.criterion_id, score.score, score.first_score, "
        "score.comment FROM review LEFT JOIN score USING (application_id, reviewer_id) "
        "LEFT JOIN person ON person.id = review.reviewer_id "
        "WHERE application_id = $1 ORDER BY review.given_at, review.reviewer_id",
        application_id,
    )


async def of_mission(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List all reviews of a mission's applications, else as `of_application`."""
    return await connection.fetch(
        "SELECT review.application_id, review.reviewer_id, review.is_abstention, "
        "score.criterion_id, score.score FROM review "
        "JOIN application ON application.id = review.application_id "
        "LEFT JOIN score USING (application_id, reviewer_id) WHERE application.mission_id = $1",
        mission_id,
    )
