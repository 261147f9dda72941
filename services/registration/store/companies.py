"""Companies: the list of a mission, who looks like whom, and merging two into one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]
Key = dict[str, Any]

FACTS = ("name", "native_name", "country", "registration_number", "sectors", "size")

_COMPANY = (
    "organization.id, organization.mission_id, organization.name, organization.native_name, "
    "organization.country, organization.registration_number, organization.sectors, "
    "organization.size, organization.merged_into"
)
_PEOPLE = "(SELECT count(*) FROM person WHERE person.organization_id = organization.id) AS people"

# Every table that refers to a company, with the rest of its key, asked of PostgreSQL: one that is
# added later is moved by a merge with no word here. What tells of merges stays as it is.
_REFERRING = """
    SELECT conrelid::regclass::text AS table_name, quote_ident(referring.attname) AS column_name,
        ARRAY(SELECT quote_ident(attname) FROM pg_index
              JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)
              WHERE indrelid = conrelid AND indisprimary AND attnum <> referring.attnum
              ORDER BY attnum) AS key
    FROM pg_constraint JOIN pg_attribute AS referring
        ON referring.attrelid = conrelid AND referring.attnum = conkey[1]
    WHERE contype = 'f' AND confrelid = 'organization'::regclass AND cardinality(conkey) = 1
        AND conrelid::regclass::text <> ALL ($1)
    ORDER BY 1, 2
"""
_ABOUT_MERGES = ("organization_merge", "organization_move", "organization_distinct")


@dataclass(frozen=True, slots=True)
class Reference:
    """A column that refers to a company; `key` tells its table's rows apart."""

    table: str
    column: str
    key: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the log of a merge calls it."""
        return f"{self.table}.{self.column}"

    @property
    def row_key(self) -> str:
        """The expression that tells the row."""
        return f"jsonb_build_object({', '.join(f'{name!r}, {name}' for name in self.key)})"


async def company(connection: Connection, organization_id: UUID) -> Row | None:
    """Read a company with how many people it has."""
    return await connection.fetchrow(
        f"SELECT {_COMPANY}, {_PEOPLE} FROM organization WHERE id = $1",  # noqa: S608
        organization_id,
    )


async def companies(
    connection: Connection, mission_id: UUID, *, after: UUID | None, limit: int
) -> Sequence[Row]:
    """List the companies of a mission by name, those after a company that was listed."""
    return await connection.fetch(
        f"SELECT {_COMPANY}, {_PEOPLE} FROM organization "  # noqa: S608
        "WHERE mission_id = $1 AND merged_into IS NULL AND ($2::uuid IS NULL OR "
        '(name COLLATE "C", id) > (SELECT name COLLATE "C", id FROM organization WHERE id = $2)) '
        'ORDER BY name COLLATE "C", id LIMIT $3',
        mission_id,
        after,
        limit,
    )


async def count(connection: Connection, mission_id: UUID) -> int:
    """Count the companies of a mission."""
    number: int = await connection.fetchval(
        "SELECT count(*) FROM organization WHERE mission_id = $1 AND merged_into IS NULL",
        mission_id,
    )
    return number


async def lookalikes(
    connection: Connection, mission_id: UUID, *, after: UUID | None, limit: int
) -> tuple[Sequence[Row], UUID | None]:
    """Pair the next `limit` companies, by id, with those whose names sound alike.

    Also gives the last company looked at, or None at the end. Pairs that somebody called two
    companies are left out; each company is paired with the twenty most alike at most.
    """
    async with connection.transaction():
        await connection.execute("SET LOCAL pg_trgm.similarity_threshold = 0.55")
        looked_at = await connection.fetch(
            "SELECT id FROM organization WHERE mission_id = $1 AND merged_into IS NULL "
            "AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3",
            mission_id,
            after,
            limit,
        )
        pairs = await connection.fetch(
            "SELECT one.id AS first_id, other.id AS second_id FROM organization AS one "
            "CROSS JOIN LATERAL ("
            "SELECT id FROM (SELECT id, core FROM organization WHERE mission_id = $2 "
            # `IS TRUE`: an index of ids would only slow down that of names.
            "AND merged_into IS NULL AND (id > one.id) IS TRUE "
            "AND core <> '' AND core % one.core "
            "ORDER BY similarity(core, one.core) DESC, id LIMIT 20) AS alike "
            "UNION SELECT id FROM organization WHERE mission_id = $2 AND merged_into IS NULL "
            "AND (id > one.id) IS TRUE "
            "AND registration_number = one.registration_number) AS other "
            "WHERE one.id = ANY($1) AND NOT EXISTS (SELECT FROM organization_distinct "
            "WHERE first_id = one.id AND second_id = other.id)",
            [row["id"] for row in looked_at],
            mission_id,
        )
    return pairs, looked_at[-1]["id"] if len(looked_at) == limit else None


async def read_all(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Read companies with how many people each has."""
    rows = await connection.fetch(
        f"SELECT {_COMPANY}, {_PEOPLE} FROM organization WHERE id = ANY($1)",  # noqa: S608
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def set_distinct(
    connection: Connection, ids: tuple[UUID, UUID], decided_by: UUID, now: datetime
) -> bool:
    """Note that two that look alike are two; False when that was noted before."""
    added = await connection.fetchval(
        "INSERT INTO organization_distinct (first_id, second_id, decided_by, decided_at) "
        "VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING true",
        min(ids),
        max(ids),
        decided_by,
        now,
    )
    return bool(added)


async def lock(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Lock companies, and before them all that were merged into them, as registering does."""
    await connection.execute(
        "SELECT FROM organization WHERE merged_into = ANY($1) ORDER BY id FOR UPDATE", list(ids)
    )
    rows = await connection.fetch(
        f"SELECT {_COMPANY} FROM organization WHERE id = ANY($1) ORDER BY id FOR UPDATE",  # noqa: S608
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def references(connection: Connection) -> list[Reference]:
    """List the columns that refer to a company."""
    rows = await connection.fetch(_REFERRING, list(_ABOUT_MERGES))
    return [Reference(row["table_name"], row["column_name"], tuple(row["key"])) for row in rows]


async def move(
    connection: Connection, reference: Reference, gone_id: UUID, kept_id: UUID
) -> list[Key]:
    """Have all rows refer to the other company, and give their keys.

    Raises `asyncpg.UniqueViolationError` where only one of the two may be referred to.
    """
    # Names come from the catalogue, never from outside.
    rows = await connection.fetch(
        f"UPDATE {reference.table} SET {reference.column} = $2 "  # noqa: S608
        f"WHERE {reference.column} = $1 RETURNING {reference.row_key} AS key",
        gone_id,
        kept_id,
    )
    return [row["key"] for row in rows]


async def move_back(
    connection: Connection,
    reference: Reference,
    keys: Sequence[Key],
    ids: tuple[UUID, UUID],
) -> int:
    """Have rows refer to the company they referred to; says how many refer to a third one now.

    `ids`: the company that was kept, and the one that was gone. Rows that are gone are left out.
    """
    await connection.execute(
        f"UPDATE {reference.table} SET {reference.column} = $2 "  # noqa: S608
        f"WHERE {reference.column} = $1 AND {reference.row_key} = ANY($3::jsonb[])",
        *ids,
        list(keys),
    )
    strayed: int = await connection.fetchval(
        f"SELECT count(*) FROM {reference.table} WHERE {reference.column} <> $1 "  # noqa: S608
        f"AND {reference.row_key} = ANY($2::jsonb[])",
        ids[1],
        list(keys),
    )
    return strayed


async def put_facts(connection: Connection, organization_id: UUID, facts: Facts) -> None:
    """Write what a company is called and does."""
    await connection.execute(
        "UPDATE organization SET name = $2, native_name = $3, country = $4, "
        "registration_number = $5, sectors = $6, size = $7 WHERE id = $1",
        organization_id,
        *(facts[name] for name in FACTS),
    )


async def set_merged_into(connection: Connection, gone_id: UUID, kept_id: UUID | None) -> None:
    """Lead from a company that is gone to the one that was kept; None: it is back."""
    await connection.execute(
        "UPDATE organization SET merged_into = $2 WHERE id = $1", gone_id, kept_id
    )


async def add_merge(connection: Connection, merge: Facts) -> None:
    """Log a merge, with both companies as they were."""
    names = ("id", "mission_id", "kept_id", "gone_id", "kept_before", "gone_before", "kept_after")
    await connection.execute(
        "INSERT INTO organization_merge (id, mission_id, kept_id, gone_id, kept_before, "
        "gone_before, kept_after, merged_by, merged_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        *(merge[name] for name in (*names, "merged_by", "merged_at")),
    )


async def add_moves(
    connection: Connection, merge_id: UUID, moves: Mapping[str, Sequence[Key]]
) -> None:
    """Log what a merge moved."""
    for name, keys in moves.items():
        await connection.execute(
            "INSERT INTO organization_move (merge_id, table_name, key) "
            "SELECT $1, $2, unnest($3::jsonb[])",
            merge_id,
            name,
            list(keys),
        )


async def merge(connection: Connection, merge_id: UUID) -> Row | None:
    """Read a merge."""
    return await connection.fetchrow("SELECT * FROM organization_merge WHERE id = $1", merge_id)


async def moves_of(connection: Connection, merge_id: UUID) -> dict[str, list[Key]]:
    """Read what a merge moved: keys of rows, by table and column."""
    rows = await connection.fetch(
        "SELECT table_name, array_agg(key) AS keys FROM organization_move WHERE merge_id = $1 "
        "GROUP BY table_name",
        merge_id,
    )
    return {row["table_name"]: row["keys"] for row in rows}


async def merges(connection: Connection, mission_id: UUID, *, limit: int = 100) -> Sequence[Row]:
    """List a mission's merges, the latest first, with who did them where that is a person."""
    return await connection.fetch(
        "SELECT merge.id, merge.kept_id, merge.gone_id, merge.kept_before, merge.gone_before, "
        "merge.kept_after, merge.merged_by, merge.merged_at, merge.undone_by, merge.undone_at, "
        "person.full_name, person.native_name, person.latin_name, "
        "(SELECT count(*) FROM organization_move WHERE merge_id = merge.id "
        "AND table_name = 'person.organization_id') AS people "
        "FROM organization_merge AS merge LEFT JOIN person ON person.id = merge.merged_by "
        "WHERE merge.mission_id = $1 ORDER BY merge.merged_at DESC, merge.id DESC LIMIT $2",
        mission_id,
        limit,
    )


async def set_undone(
    connection: Connection, merge_id: UUID, undone_by: UUID, now: datetime
) -> None:
    """Log that a merge was undone."""
    await connection.execute(
        "UPDATE organization_merge SET undone_by = $2, undone_at = $3 WHERE id = $1",
        merge_id,
        undone_by,
        now,
    )


async def confirmed_of(connection: Connection, organization_ids: Sequence[UUID]) -> Sequence[Row]:
    """Read the confirmed registrations of companies' people, as events tell them."""
    return await connection.fetch(
        "SELECT r.id, r.programme_item_id, r.person_id, item.stop_id, item.kind AS item_kind, "
        "person.mission_id, person.role, person.languages, person.organization_id, "
        "person.partner_id AS person_partner_id "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id "
        "WHERE person.organization_id = ANY($1) AND person.erased_at IS NULL "
        "AND r.status = 'confirmed' ORDER BY r.person_id, r.rank",
        list(organization_ids),
    )
