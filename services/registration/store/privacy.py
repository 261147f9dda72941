"""Privacy: all that is held about one person, and forgetting it.

Which table is about people is asked of PostgreSQL: a table that refers to one is exported with no
word here. What erasing does to each is said below, and a test refuses a table that is in neither
list.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.erased import forget_answers, note_erased
from shared.postgres import Connection

Row = asyncpg.Record

ERASED_NAME = "[erased]"
ERASED_NATIVE_NAME = "[已删除]"

ERASING: Mapping[str, str] = {
    "application": "DELETE FROM application WHERE contact_id = $1",
    "badge": "UPDATE badge SET revoked_at = coalesce(revoked_at, $2), "
    "revoked_because = coalesce(revoked_because, 'erased') WHERE person_id = $1",
    "consent": "UPDATE consent SET withdrawn_at = greatest($2, granted_at) "
    "WHERE person_id = $1 AND withdrawn_at IS NULL",
    "file": "DELETE FROM file WHERE person_id = $1",
    "hosted_row": "DELETE FROM hosted_row WHERE person_id = $1",
    # Digests of what was registered there: who knows an address could tell whether it was that.
    "connector_link": "UPDATE connector_link SET seen = '', facts = NULL, facts_there = NULL "
    "WHERE registration_id IN (SELECT id FROM registration WHERE person_id = $1)",
    "import_row": "UPDATE import_row SET cells = '{}', marks = '{}', fields = NULL, ref = NULL, "
    "address = NULL, findings = '[]', differences = '{}', ours = '{}', "
    "status = coalesce(status, 'refused'), code = coalesce(code, 'erased') WHERE person_id = $1",
    "registration": "UPDATE registration SET answers = '{}' WHERE person_id = $1",
    "scan": "UPDATE scan SET person_id = NULL, badge_id = NULL WHERE person_id = $1 "
    "OR badge_id IN (SELECT id FROM badge WHERE person_id = $1)",
}
"""What is done in each table about the person, $1, at a time, $2.

The consent stays as the proof of what was agreed to: it has no name.
"""

_FORGET = """
    UPDATE person SET erased_at = $2, email = 'erased:' || id, full_name = $3,
        native_name = CASE WHEN native_name IS NOT NULL THEN $4 END, latin_name = NULL,
        position = NULL, languages = '{}', stop_ids = '{}'
    WHERE id = $1 AND erased_at IS NULL
    RETURNING organization_id
"""

# What only this person can have written goes with him or her; the company's name stays.
_FORGET_LISTINGS = """
    DELETE FROM listing WHERE organization_id = $1 AND NOT EXISTS
        (SELECT FROM person WHERE person.organization_id = $1 AND person.erased_at IS NULL)
"""

_REFERRING = """
    SELECT conrelid::regclass::text AS table_name, attname AS column_name
    FROM pg_constraint JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1]
    WHERE contype = 'f' AND confrelid = $1::regclass AND cardinality(conkey) = 1
    ORDER BY 1, 2
"""


async def person(connection: Connection, person_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a person, erased or not."""
    return await connection.fetchrow(
        "SELECT id, mission_id, role, language, erased_at FROM person "  # noqa: S608
        f"WHERE id = $1{' FOR UPDATE' if lock else ''}",
        person_id,
    )


async def tables_about(connection: Connection, table: str) -> list[tuple[str, str]]:
    """List the tables that refer to a table, each with the column that does."""
    rows = await connection.fetch(_REFERRING, table)
    return [(row["table_name"], row["column_name"]) for row in rows]


async def everything(connection: Connection, person_id: UUID) -> dict[str, list[Any]]:
    """Read every row about somebody, by table."""
    found = {
        "person": await _rows(connection, "person", "id", [person_id]),
        "organization": await _of_company(connection, "organization", "id", person_id),
        "listing": await _of_company(connection, "listing", "organization_id", person_id),
    }
    for table, column in await tables_about(connection, "person"):
        rows = await _rows(connection, table, column, [person_id])
        found[table] = [
            *found.get(table, []),
            *(row for row in rows if row not in found.get(table, [])),
        ]
    for parent in ("application",):
        ids = [UUID(row["id"]) for row in found.get(parent, [])]
        for table, column in await tables_about(connection, parent) if ids else ():
            found[table] = await _rows(connection, table, column, ids)
    found["audit_entry"] = [
        *await _rows(connection, "audit_entry", "subject_id", [person_id]),
        *await _rows(connection, "audit_entry", "actor_id", [person_id]),
    ]
    return {table: rows for table, rows in found.items() if rows}


async def _rows(
    connection: Connection, table: str, column: str, values: Sequence[UUID]
) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        # Names come from the catalogue, never from outside.
        f"SELECT to_jsonb(t) AS content FROM {table} AS t WHERE t.{column} = ANY($1::uuid[])",  # noqa: S608
        list(values),
    )
    return [row["content"] for row in rows]


async def _of_company(
    connection: Connection, table: str, column: str, person_id: UUID
) -> list[dict[str, Any]]:
    rows = await connection.fetch(
        f"SELECT to_jsonb(t) AS content FROM {table} AS t JOIN person "  # noqa: S608
        f"ON person.organization_id = t.{column} WHERE person.id = $1",
        person_id,
    )
    return [row["content"] for row in rows]


async def active_registrations(
    connection: Connection, person_id: UUID, now: datetime
) -> Sequence[UUID]:
    """List the registrations of somebody that still stand, to what is not over yet."""
    rows = await connection.fetch(
        "SELECT r.id FROM registration AS r JOIN programme_item AS item "
        "ON item.id = r.programme_item_id WHERE r.person_id = $1 AND item.ends_at > $2 "
        "AND r.status IN ('pending_approval', 'confirmed', 'waitlisted', 'offered') "
        "ORDER BY r.programme_item_id",
        person_id,
        now,
    )
    return [row["id"] for row in rows]


async def erase(connection: Connection, person_id: UUID, now: datetime) -> bool:
    """Forget a person; False when that was done before."""
    company = await connection.fetchrow(_FORGET, person_id, now, ERASED_NAME, ERASED_NATIVE_NAME)
    if company is None:
        return False
    # Names are also kept in pieces, by which they are found.
    await connection.execute("UPDATE person SET search = $2 WHERE id = $1", person_id, "erased")
    if company["organization_id"]:
        await connection.execute(_FORGET_LISTINGS, company["organization_id"])
    await forget_rows(connection, person_id, now)
    await note_erased(connection, person_id, now)
    return True


async def unfinished(connection: Connection, now: datetime, limit: int) -> Sequence[UUID]:
    """List erased people about whom something was written in the moment of their erasing."""
    rows = await connection.fetch(
        "SELECT DISTINCT person.id FROM person JOIN registration AS r ON r.person_id = person.id "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE person.erased_at IS NOT NULL AND (r.answers <> '{}' OR (item.ends_at > $1 AND "
        "r.status IN ('pending_approval', 'confirmed', 'waitlisted', 'offered'))) LIMIT $2",
        now,
        limit,
    )
    return [row["id"] for row in rows]


async def forget_rows(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Forget what tables beside the person's own hold about him or her."""
    for statement in ERASING.values():
        await connection.execute(statement, person_id, *([now] if "$2" in statement else []))
    await forget_answers(connection, person_id)


async def count_exports(connection: Connection, may_cross: str, now: datetime) -> int:
    """Count once for each year whose data are to be seen abroad, and give how many are new.

    Only those whose data were collected in the host country: theirs are the ones that leave it.
    """
    rows = await connection.fetch(
        "INSERT INTO border_export (year, person_id) "  # noqa: S608
        "SELECT extract(year FROM $1::timestamptz AT TIME ZONE 'Asia/Shanghai'), person.id "
        "FROM person JOIN mission ON mission.id = person.mission_id "
        "WHERE person.role = 'local' AND mission.host_country <> mission.home_country "
        f"AND NOT mission.is_rehearsal AND {may_cross} "
        "ON CONFLICT DO NOTHING RETURNING person_id",
        now,
    )
    return len(rows)


async def exports_by_year(connection: Connection) -> Sequence[Row]:
    """Give how many people's data were to be seen abroad, by year, the last first."""
    return await connection.fetch(
        "SELECT year, count(*) AS people FROM border_export GROUP BY year ORDER BY year DESC"
    )
