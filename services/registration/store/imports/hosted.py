"""What partners' lists are compared with: the rows applied last, and what is on file here."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection, columns

Row = asyncpg.Record

_ON_FILE = (
    "SELECT r.id, r.status, r.partner_id, r.revision, r.person_id, person.email, "
    "person.partner_id AS person_partner_id, person.full_name, person.native_name, "
    "person.latin_name, person.language, person.languages, person.position, "
    "organization.name AS organization, organization.native_name AS native_organization, "
    "organization.country, organization.registration_number, organization.sectors, "
    "organization.size "
    "FROM registration AS r JOIN person ON person.id = r.person_id "
    "LEFT JOIN organization ON organization.id = person.organization_id "
)


async def before(connection: Connection, found: Row, refs: Sequence[str]) -> Mapping[str, Row]:
    """Read the rows that were applied last, of a list's partner and item, by reference."""
    rows = await connection.fetch(
        "SELECT ref, fields, registration_id FROM hosted_row WHERE partner_id = $1 "
        "AND programme_item_id = $2 AND ref = ANY($3)",
        found["partner_id"],
        found["programme_item_id"],
        list(refs),
    )
    return {row["ref"]: row for row in rows}


async def on_file(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Read registrations with what a list may say of them."""
    if not ids:
        return {}
    rows = await connection.fetch(_ON_FILE + "WHERE r.id = ANY($1)", list(ids))
    return {row["id"]: row for row in rows}


async def by_address(
    connection: Connection, mission_id: UUID, item_id: UUID, addresses: Sequence[str]
) -> Mapping[str, Row]:
    """Find the registrations to an item of those who have these addresses."""
    rows = await connection.fetch(
        # One by one, as a rush does: these tables grow while they are asked.
        "SELECT found.* FROM unnest($3::text[]) AS wanted (address) "  # noqa: S608
        f"CROSS JOIN LATERAL ({_ON_FILE} WHERE person.mission_id = $1 "
        "AND person.email = wanted.address AND r.programme_item_id = $2 LIMIT 1) AS found",
        mission_id,
        item_id,
        list(addresses),
    )
    return {row["email"]: row for row in rows}


async def put(
    connection: Connection, found: Row, rows: Sequence[tuple[str, Mapping[str, Any], UUID, UUID]]
) -> None:
    """Write rows as they were applied: reference, fields, registration, person."""
    await connection.execute(
        "INSERT INTO hosted_row (partner_id, programme_item_id, ref, fields, registration_id, "
        "person_id, import_id) SELECT $1, $2, given.ref, given.fields, given.registration_id, "
        "given.person_id, $3 FROM unnest($4::text[], $5::jsonb[], $6::uuid[], $7::uuid[]) "
        "AS given (ref, fields, registration_id, person_id) "
        "ON CONFLICT (partner_id, programme_item_id, ref) DO UPDATE SET fields = excluded.fields, "
        "registration_id = excluded.registration_id, person_id = excluded.person_id, "
        "import_id = excluded.import_id",
        found["partner_id"],
        found["programme_item_id"],
        found["id"],
        *columns(rows, 4),
    )


async def drop(connection: Connection, found: Row, refs: Sequence[str]) -> None:
    """Take rows out that are in the partner's list no more."""
    await connection.execute(
        "DELETE FROM hosted_row WHERE partner_id = $1 AND programme_item_id = $2 AND ref = ANY($3)",
        found["partner_id"],
        found["programme_item_id"],
        list(refs),
    )


async def companies(
    connection: Connection, mission_id: UUID, identities: Sequence[str]
) -> Mapping[str, str]:
    """Give the names of companies that are there, by what makes them the same."""
    rows = await connection.fetch(
        "SELECT found.* FROM unnest($2::text[]) AS wanted (identity) CROSS JOIN LATERAL ("
        "SELECT identity, coalesce(native_name, name) AS name, name AS latin FROM organization "
        "WHERE organization.mission_id = $1 AND organization.identity = wanted.identity LIMIT 1) "
        "AS found",
        mission_id,
        list(identities),
    )
    return {row["identity"]: row["name"] for row in rows}


async def lookalikes(
    connection: Connection, mission_id: UUID, cores: Sequence[str]
) -> Mapping[str, Row]:
    """Find for each name by sound the company that is likest; inside a transaction."""
    await connection.execute("SET LOCAL pg_trgm.similarity_threshold = 0.55")
    rows = await connection.fetch(
        "SELECT wanted.core AS wanted, found.* FROM unnest($2::text[]) AS wanted (core) "
        "CROSS JOIN LATERAL (SELECT id, name, native_name, country, registration_number "
        "FROM organization WHERE mission_id = $1 AND merged_into IS NULL AND core <> '' "
        "AND core % wanted.core ORDER BY similarity(core, wanted.core) DESC, id LIMIT 1) AS found",
        mission_id,
        list(cores),
    )
    return {row["wanted"]: row for row in rows}


async def colleagues(
    connection: Connection, mission_id: UUID, identities: Sequence[str], limit: int
) -> Sequence[Row]:
    """List people of companies that are there, with what makes each company the same."""
    return await connection.fetch(
        "SELECT organization.identity, person.email, person.full_name, person.native_name, "
        "person.latin_name FROM organization JOIN person ON person.organization_id = "
        "organization.id WHERE organization.mission_id = $1 AND organization.identity = ANY($2) "
        "AND person.erased_at IS NULL LIMIT $3",
        mission_id,
        list(identities),
        limit,
    )
