"""Exclusions and vetoes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from services.matching.domain.barring import Barred
from services.matching.domain.requests import Author
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]
Table = Literal["exclusion", "veto"]

_STATED = "reason, stated_by, stated_role, stated_at, lifted_by, lifted_at"
COLUMNS: Mapping[Table, str] = {
    "exclusion": f"id, mission_id, stop_id, kind, one_id, other_id, {_STATED}",
    "veto": f"id, stop_id, one_id, other_id, partner_id, {_STATED}",
}


async def add(connection: Connection, table: Table, facts: Facts, by: Author) -> Row:
    """Add one; raises `asyncpg.UniqueViolationError` where the two are apart by one already."""
    given = {**facts, "stated_by": by.id, "stated_role": by.role}
    names = [name for name in COLUMNS[table].split(", ") if not name.startswith("lifted_")]
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    row = await connection.fetchrow(
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values}) RETURNING {COLUMNS[table]}",  # noqa: S608
        *(given[name] for name in names),
    )
    assert row is not None
    return row


async def one(connection: Connection, table: Table, found_id: UUID) -> Row | None:
    """Read one."""
    return await connection.fetchrow(
        f"SELECT {COLUMNS[table]} FROM {table} WHERE id = $1",  # noqa: S608
        found_id,
    )


async def lift(
    connection: Connection, table: Table, found_id: UUID, by: Author, now: datetime
) -> Row | None:
    """Lift one that is in force, and give it; nothing where it was lifted before."""
    return await connection.fetchrow(
        f"UPDATE {table} SET lifted_by = $2, lifted_at = $3 "  # noqa: S608
        f"WHERE id = $1 AND lifted_at IS NULL RETURNING {COLUMNS[table]}",
        found_id,
        by.id,
        now,
    )


async def exclusions_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's exclusions, lifted ones included, the latest first; at most 1000."""
    return await connection.fetch(
        f"SELECT {COLUMNS['exclusion']} FROM exclusion WHERE mission_id = $1 "  # noqa: S608
        "ORDER BY stated_at DESC, id LIMIT 1000",
        mission_id,
    )


async def vetoes_of(
    connection: Connection, stop_id: UUID, partner_id: UUID | None
) -> Sequence[Row]:
    """List a stop's vetoes, of one partner or of all, the latest first; at most 1000."""
    return await connection.fetch(
        f"SELECT {COLUMNS['veto']} FROM veto WHERE stop_id = $1 "  # noqa: S608
        "AND ($2::uuid IS NULL OR partner_id = $2) ORDER BY stated_at DESC, id LIMIT 1000",
        stop_id,
        partner_id,
    )


async def of_stop(connection: Connection, mission_id: UUID, stop_id: UUID) -> Barred:
    """Read all that is barred at a stop."""
    exclusions = await connection.fetch(
        "SELECT kind, one_id, other_id FROM exclusion WHERE mission_id = $1 "
        "AND (stop_id IS NULL OR stop_id = $2) AND lifted_at IS NULL",
        mission_id,
        stop_id,
    )
    vetoes = await connection.fetch(
        "SELECT one_id, other_id FROM veto WHERE stop_id = $1 AND lifted_at IS NULL", stop_id
    )

    def pairs(rows: Sequence[Row]) -> frozenset[frozenset[UUID]]:
        return frozenset(frozenset((row["one_id"], row["other_id"])) for row in rows)

    return Barred(
        people=pairs([row for row in exclusions if row["kind"] == "people"]),
        companies=pairs([row for row in exclusions if row["kind"] == "companies"]),
        vetoed=pairs(vetoes),
        company_of=await companies(connection, mission_id),
    )


async def companies(connection: Connection, mission_id: UUID) -> dict[UUID, UUID]:
    """Give whom each participant of a mission represents."""
    rows = await connection.fetch(
        "SELECT id, organization_id FROM participant WHERE mission_id = $1", mission_id
    )
    return {row["id"]: row["organization_id"] for row in rows}


async def sides(connection: Connection, mission_id: UUID, kind: str, found_id: UUID) -> set[str]:
    """Give the sides on which a person, or a company, takes part in a mission."""
    column = "organization_id" if kind == "companies" else "id"
    rows = await connection.fetch(
        f"SELECT DISTINCT side FROM participant WHERE mission_id = $1 AND {column} = $2",  # noqa: S608
        mission_id,
        found_id,
    )
    return {row["side"] for row in rows}


async def lock_stops(connection: Connection, mission_id: UUID, stop_id: UUID | None) -> None:
    """Lock a stop, or all of a mission: what is being published is there then, or sees it."""
    await connection.execute(
        "SELECT FROM stop WHERE mission_id = $1 AND ($2::uuid IS NULL OR id = $2) "
        "ORDER BY id FOR UPDATE",
        mission_id,
        stop_id,
    )


async def stop_ids(connection: Connection, mission_id: UUID) -> list[UUID]:
    """List a mission's stops."""
    rows = await connection.fetch("SELECT id FROM stop WHERE mission_id = $1", mission_id)
    return [row["id"] for row in rows]
