"""Questions of forms, and how they were asked before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.questions import Question
from shared.postgres import Connection

Row = asyncpg.Record

QUESTION = (
    "id, mission_id, stop_id, programme_item_id, code, place, version, definition, retired_at"
)


def question_of(row: Row) -> Question:
    """Give the domain's value."""
    item_id = row["programme_item_id"]
    return Question(code=row["code"], item=str(item_id) if item_id else None, **row["definition"])


async def lock_mission(connection: Connection, mission_id: UUID) -> bool:
    """Let one question of a mission be changed at a time; False when there is no such mission.

    Registrations go on: they only need the mission to stay where it is.
    """
    found = await connection.fetchval(
        "SELECT true FROM mission WHERE id = $1 FOR NO KEY UPDATE", mission_id
    )
    return bool(found)


async def add(  # noqa: PLR0913  # what a question is made of
    connection: Connection,
    *,
    id: UUID,  # noqa: A002
    mission_id: UUID,
    stop_id: UUID | None,
    item_id: UUID | None,
    code: str,
    definition: dict[str, Any],
) -> None:
    """Add a question at the end; raises `asyncpg.UniqueViolationError` when the code is taken."""
    await connection.execute(
        "INSERT INTO question (id, mission_id, stop_id, programme_item_id, code, definition, "
        "place) VALUES ($1, $2, $3, $4, $5, $6, (SELECT coalesce(max(place), 0) + 1 FROM question "
        "WHERE mission_id = $2))",
        id,
        mission_id,
        stop_id,
        item_id,
        code,
        definition,
    )


async def change(connection: Connection, question_id: UUID, definition: dict[str, Any]) -> int:
    """Change how a question is asked and give its new version."""
    version: int = await connection.fetchval(
        "UPDATE question SET definition = $2, version = version + 1 WHERE id = $1 "
        "RETURNING version",
        question_id,
        definition,
    )
    return version


async def keep_version(
    connection: Connection,
    question_id: UUID,
    version: int,
    definition: dict[str, Any],
    now: datetime,
) -> None:
    """Keep how a question is asked from now on."""
    await connection.execute(
        "INSERT INTO question_version (question_id, version, definition, since) "
        "VALUES ($1, $2, $3, $4)",
        question_id,
        version,
        definition,
        now,
    )


async def retire(connection: Connection, question_id: UUID, now: datetime) -> None:
    """Ask a question no longer."""
    await connection.execute(
        "UPDATE question SET retired_at = $2, version = version + 1 WHERE id = $1",
        question_id,
        now,
    )


async def put_places(connection: Connection, ids: Sequence[UUID], places: Sequence[int]) -> None:
    """Put questions in their places."""
    await connection.execute(
        "UPDATE question SET place = moved.place "
        "FROM unnest($1::uuid[], $2::int[]) AS moved (id, place) WHERE question.id = moved.id",
        list(ids),
        list(places),
    )


async def one(connection: Connection, question_id: UUID) -> Row | None:
    """Read a question, also one that is retired."""
    return await connection.fetchrow(
        f"SELECT {QUESTION} FROM question WHERE id = $1",  # noqa: S608
        question_id,
    )


async def of_mission(
    connection: Connection, mission_id: UUID, *, with_retired: bool = False
) -> Sequence[Row]:
    """List a mission's questions, those of its stops and items too, in order."""
    return await connection.fetch(
        f"SELECT {QUESTION} FROM question "  # noqa: S608
        "WHERE mission_id = $1 AND ($2 OR retired_at IS NULL) ORDER BY place, id",
        mission_id,
        with_retired,
    )


async def of_stop(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List what a stop's form asks: its own questions, its items', and the whole mission's."""
    return await connection.fetch(
        f"SELECT {_of('question')} FROM question "  # noqa: S608
        "JOIN stop ON stop.id = $1 AND stop.mission_id = question.mission_id "
        "WHERE retired_at IS NULL AND (question.stop_id IS NULL OR question.stop_id = $1) "
        "ORDER BY place, question.id",
        stop_id,
    )


async def of_item(connection: Connection, item_id: UUID) -> Sequence[Row]:
    """List what those who register to an item are asked."""
    return await connection.fetch(
        f"SELECT {_of('question')} FROM question "  # noqa: S608
        "JOIN programme_item AS item ON item.id = $1 JOIN stop ON stop.id = item.stop_id "
        "WHERE question.mission_id = stop.mission_id AND retired_at IS NULL "
        "AND (question.stop_id IS NULL OR question.stop_id = stop.id) "
        "AND (programme_item_id IS NULL OR programme_item_id = $1) ORDER BY place, question.id",
        item_id,
    )


async def versions(connection: Connection, question_id: UUID) -> Sequence[Row]:
    """List how a question was asked, the first way first."""
    return await connection.fetch(
        "SELECT version, definition, since FROM question_version WHERE question_id = $1 "
        "ORDER BY version",
        question_id,
    )


async def versions_of_codes(
    connection: Connection, mission_id: UUID, codes: Sequence[str]
) -> Sequence[Row]:
    """List how the questions with these codes were asked, each the first way first."""
    return await connection.fetch(
        "SELECT question.code, question.id AS question_id, asked.definition, asked.since "
        "FROM question JOIN question_version AS asked ON asked.question_id = question.id "
        "WHERE mission_id = $1 AND code = ANY($2) ORDER BY question.place, code, asked.version",
        mission_id,
        list(codes),
    )


def _of(table: str) -> str:
    return ", ".join(f"{table}.{name}" for name in QUESTION.split(", "))
