"""What a stop's schedule has to respect beside wishes: ways, availabilities, orders and rests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.problem import Pair, Rest
from shared.postgres import Connection, columns

Row = asyncpg.Record

PRECEDENCE = "id, stop_id, first_delegate_id, first_local_id, second_delegate_id, second_local_id"


@dataclass(frozen=True, slots=True)
class Revisions:
    """The revisions of a stop's rules, of each part alone; 0: nothing is set."""

    ways: int
    rest: int
    hours: Mapping[UUID, int]

    def of(self, person_id: UUID) -> int:
        """Give the revision of one person's hours."""
        return self.hours.get(person_id, 0)


async def revisions(connection: Connection, stop_id: UUID) -> Revisions:
    """Read the revisions of a stop's rules."""
    rows = await connection.fetch(
        "SELECT 'ways' AS part, NULL::uuid AS person_id, max(revision) AS revision "
        "FROM way WHERE stop_id = $1 "
        "UNION ALL SELECT 'rest', NULL, max(revision) FROM interpreters_rest WHERE stop_id = $1 "
        "UNION ALL SELECT 'hours', resource_id, max(revision) FROM availability "
        "WHERE stop_id = $1 GROUP BY resource_id",
        stop_id,
    )
    found = {(row["part"], row["person_id"]): row["revision"] or 0 for row in rows}
    hours = {person: number for (part, person), number in found.items() if part == "hours"}
    return Revisions(found["ways", None], found["rest", None], hours)


async def put_ways(
    connection: Connection, stop_id: UUID, ways: Iterable[tuple[str, str, int]]
) -> None:
    """Write how long the ways between a stop's venues take, in minutes, in place of all before."""
    await connection.execute("DELETE FROM way WHERE stop_id = $1", stop_id)
    await connection.executemany(
        # In the database's order, which is not everywhere that of Python.
        "INSERT INTO way (stop_id, one, other, minutes) "
        "VALUES ($1, least($2::text, $3::text), greatest($2::text, $3::text), $4)",
        [(stop_id, *way) for way in ways],
    )


async def ways(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List the ways between a stop's venues."""
    return await connection.fetch(
        "SELECT one, other, minutes FROM way WHERE stop_id = $1 ORDER BY one, other", stop_id
    )


async def minutes(connection: Connection, stop_id: UUID) -> dict[str, dict[str, int]]:
    """Give how many minutes a stop's ways take, from one venue to another."""
    found: dict[str, dict[str, int]] = {}
    for row in await ways(connection, stop_id):
        found.setdefault(row["one"], {})[row["other"]] = row["minutes"]
    return found


async def put_availability(
    connection: Connection,
    stop_id: UUID,
    resource_id: UUID,
    times: Iterable[tuple[datetime, datetime]],
) -> None:
    """Write when somebody is there, in place of all before; no time is always."""
    await connection.execute(
        "DELETE FROM availability WHERE stop_id = $1 AND resource_id = $2", stop_id, resource_id
    )
    await connection.execute(
        "INSERT INTO availability (stop_id, resource_id, during) "
        # Times that touch are one.
        "SELECT $1, $2, unnest(range_agg(tstzrange(starts_at, ends_at))) "
        "FROM unnest($3::timestamptz[], $4::timestamptz[]) AS given (starts_at, ends_at)",
        stop_id,
        resource_id,
        *columns([*times], 2),
    )


async def availabilities(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List who said when he or she is there."""
    return await connection.fetch(
        "SELECT resource_id, lower(during) AS starts_at, upper(during) AS ends_at "
        "FROM availability WHERE stop_id = $1 ORDER BY resource_id, during",
        stop_id,
    )


async def add_precedence(connection: Connection, facts: Mapping[str, Any]) -> Row:
    """Add an order of two meetings; a repeat gives the one there is."""
    names = PRECEDENCE.split(", ")
    row = await connection.fetchrow(
        f"INSERT INTO precedence ({PRECEDENCE}) VALUES ($1, $2, $3, $4, $5, $6) "  # noqa: S608
        "ON CONFLICT (stop_id, first_delegate_id, first_local_id, second_delegate_id, "
        "second_local_id) DO UPDATE SET stop_id = excluded.stop_id "
        f"RETURNING {PRECEDENCE}",
        *(facts[name] for name in names),
    )
    assert row is not None
    return row


async def precedences(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List the orders of a stop's meetings."""
    return await connection.fetch(
        f"SELECT {PRECEDENCE} FROM precedence WHERE stop_id = $1 ORDER BY id",  # noqa: S608
        stop_id,
    )


async def precedence(connection: Connection, precedence_id: UUID) -> Row | None:
    """Read one order."""
    return await connection.fetchrow(
        f"SELECT {PRECEDENCE} FROM precedence WHERE id = $1",  # noqa: S608
        precedence_id,
    )


async def drop_precedence(connection: Connection, precedence_id: UUID) -> None:
    """Delete an order."""
    await connection.execute("DELETE FROM precedence WHERE id = $1", precedence_id)


def pairs_of(row: Row) -> tuple[Pair, Pair]:
    """Give the two meetings of an order."""
    return (
        (row["first_delegate_id"], row["first_local_id"]),
        (row["second_delegate_id"], row["second_local_id"]),
    )


async def put_rest(connection: Connection, stop_id: UUID, rest: Rest | None) -> None:
    """Write how interpreters rest at a stop; None is no rule."""
    await connection.execute("DELETE FROM interpreters_rest WHERE stop_id = $1", stop_id)
    if rest:
        await connection.execute(
            "INSERT INTO interpreters_rest (stop_id, run_minutes_max, rest_minutes) "
            "VALUES ($1, $2, $3)",
            stop_id,
            rest.run_minutes_max,
            rest.rest_minutes,
        )


async def rest(connection: Connection, stop_id: UUID) -> Rest | None:
    """Read how interpreters rest at a stop."""
    row = await connection.fetchrow(
        "SELECT run_minutes_max, rest_minutes FROM interpreters_rest WHERE stop_id = $1", stop_id
    )
    return Rest(**row) if row else None
