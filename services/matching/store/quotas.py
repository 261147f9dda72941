"""Quotas of a stop, for each side and for single people."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from services.matching.domain.problem import Quota
from services.matching.domain.quotas import Part
from shared.events.base import Side
from shared.postgres import Connection

Row = asyncpg.Record


async def put_side(connection: Connection, stop_id: UUID, side: Side, quota: Quota) -> int:
    """Set the quota of a side, and give its revision."""
    revision: int = await connection.fetchval(
        "INSERT INTO quota (stop_id, side, minimum, maximum) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (stop_id, side) DO UPDATE "
        "SET minimum = excluded.minimum, maximum = excluded.maximum, "
        "revision = nextval('rule_revision') RETURNING revision",
        stop_id,
        side,
        quota.minimum,
        quota.maximum,
    )
    return revision


async def put_person(
    connection: Connection, stop_id: UUID, participant_id: UUID, part: Part
) -> int:
    """Set what is another number for one person, and give its revision; 0: both are empty."""
    if part == (None, None):
        await connection.execute(
            "DELETE FROM personal_quota WHERE stop_id = $1 AND participant_id = $2",
            stop_id,
            participant_id,
        )
        return 0
    revision: int = await connection.fetchval(
        "INSERT INTO personal_quota (stop_id, participant_id, minimum, maximum) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT (stop_id, participant_id) DO UPDATE "
        "SET minimum = excluded.minimum, maximum = excluded.maximum, "
        "revision = nextval('rule_revision') RETURNING revision",
        stop_id,
        participant_id,
        *part,
    )
    return revision


async def sides(connection: Connection, stop_id: UUID) -> dict[Side, Quota]:
    """Read the quotas that were set for a stop's sides."""
    rows = await connection.fetch(
        "SELECT side, minimum, maximum FROM quota WHERE stop_id = $1", stop_id
    )
    return {row["side"]: Quota(minimum=row["minimum"], maximum=row["maximum"]) for row in rows}


async def side_revisions(connection: Connection, stop_id: UUID) -> dict[Side, int]:
    """Read the revisions of the sides' quotas that were set."""
    rows = await connection.fetch("SELECT side, revision FROM quota WHERE stop_id = $1", stop_id)
    return {row["side"]: row["revision"] for row in rows}


async def revision_of(connection: Connection, stop_id: UUID, participant_id: UUID) -> int:
    """Read the revision of what was set for one person; 0: nothing is."""
    return (
        await connection.fetchval(
            "SELECT revision FROM personal_quota WHERE stop_id = $1 AND participant_id = $2",
            stop_id,
            participant_id,
        )
        or 0
    )


async def people(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List what was set for single people at a stop."""
    return await connection.fetch(
        "SELECT participant_id, minimum, maximum, revision FROM personal_quota WHERE stop_id = $1 "
        "ORDER BY participant_id",
        stop_id,
    )


async def part(connection: Connection, stop_id: UUID, participant_id: UUID) -> Part | None:
    """Read what was set for one person."""
    row = await connection.fetchrow(
        "SELECT minimum, maximum FROM personal_quota WHERE stop_id = $1 AND participant_id = $2",
        stop_id,
        participant_id,
    )
    return (row["minimum"], row["maximum"]) if row else None


async def parts(connection: Connection, stop_id: UUID) -> dict[UUID, Part]:
    """Read what was set for single people, by person."""
    return {
        row["participant_id"]: (row["minimum"], row["maximum"])
        for row in await people(connection, stop_id)
    }
