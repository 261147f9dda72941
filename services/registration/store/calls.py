"""What a mission publishes before companies apply: the call, its criteria, the texts to certify."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.applications import Terms
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

_FACTS = (
    "statement",
    "fee",
    "questions",
    "timezone",
    "opens_at",
    "closes_at",
    "decide_on",
    "participants_min",
    "participants_max",
    "days_to_confirm",
)
_CALL = f"SELECT mission_id, {', '.join(_FACTS)}, revision FROM call WHERE mission_id = $1"  # noqa: S608


async def call(connection: Connection, mission_id: UUID) -> Row | None:
    """Read a mission's call."""
    return await connection.fetchrow(_CALL, mission_id)


async def lock(connection: Connection, mission_id: UUID) -> Row | None:
    """Read a mission's call and lock it: decisions about its applications come one by one."""
    return await connection.fetchrow(_CALL + " FOR UPDATE", mission_id)


async def put(connection: Connection, mission_id: UUID, facts: Facts) -> int:
    """Write a mission's call and give its revision."""
    revision: int = await connection.fetchval(
        "INSERT INTO call (mission_id, statement, fee, questions, timezone, opens_at, closes_at, "
        "decide_on, participants_min, participants_max, days_to_confirm) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (mission_id) DO UPDATE SET statement = excluded.statement, "
        "fee = excluded.fee, questions = excluded.questions, timezone = excluded.timezone, "
        "opens_at = excluded.opens_at, closes_at = excluded.closes_at, "
        "decide_on = excluded.decide_on, participants_min = excluded.participants_min, "
        "participants_max = excluded.participants_max, "
        "days_to_confirm = excluded.days_to_confirm, revision = call.revision + 1 "
        "RETURNING revision",
        mission_id,
        *(facts[name] for name in _FACTS),
    )
    return revision


async def criteria(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's criteria in their order."""
    return await connection.fetch(
        "SELECT id, title, weight FROM criterion WHERE mission_id = $1 ORDER BY place", mission_id
    )


async def put_criteria(
    connection: Connection, mission_id: UUID, criteria: Sequence[tuple[UUID, Facts, int]]
) -> None:
    """Write a mission's criteria: id, title and weight, in their order."""
    await connection.execute("DELETE FROM criterion WHERE mission_id = $1", mission_id)
    await connection.executemany(
        "INSERT INTO criterion (id, mission_id, title, weight, place) VALUES ($1, $2, $3, $4, $5)",
        [
            (criterion_id, mission_id, title, weight, place)
            for place, (criterion_id, title, weight) in enumerate(criteria)
        ],
    )


async def certifications(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List the texts that a company certifies today."""
    return await connection.fetch(
        "SELECT DISTINCT ON (code) code, version, content, published_at FROM certification "
        "WHERE mission_id = $1 ORDER BY code, version DESC",
        mission_id,
    )


async def add_certification(
    connection: Connection,
    mission_id: UUID,
    code: str,
    content: Facts,
    now: datetime,
) -> int:
    """Add the next version of a text and give its number."""
    version: int = await connection.fetchval(
        "INSERT INTO certification (mission_id, code, version, content, published_at) "
        "SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4 FROM certification "
        "WHERE mission_id = $1 AND code = $2 RETURNING version",
        mission_id,
        code,
        content,
        now,
    )
    return version


def terms(row: Row) -> Terms:
    """Give what the rules need of a call."""
    return Terms(
        timezone=row["timezone"],
        opens_at=row["opens_at"],
        closes_at=row["closes_at"],
        decide_on=row["decide_on"],
        participants_min=row["participants_min"],
        participants_max=row["participants_max"],
        days_to_confirm=row["days_to_confirm"],
    )
