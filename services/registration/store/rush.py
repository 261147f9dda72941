"""Many registrations in few statements: what a batch reads, and what it writes.

Each function takes all rows of a batch at once. Lists within a row travel as text, since unnest
would flatten an array of arrays; codes hold no comma.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection, columns

Row = asyncpg.Record
Pair = tuple[UUID, str]

PEOPLE = (
    "id, mission_id, role, email, full_name, native_name, latin_name, language, languages, "
    "position, organization_id, partner_id, version, search"
)


async def people(connection: Connection, addresses: Collection[Pair]) -> Sequence[Row]:
    """Find people by mission and folded e-mail address."""
    return await connection.fetch(
        "SELECT person.id, person.mission_id, person.email, person.role, person.languages, "
        "person.organization_id, person.partner_id "
        "FROM unnest($1::uuid[], $2::text[]) AS wanted (mission_id, email) "
        "JOIN person USING (mission_id, email)",
        *columns(list(addresses), 2),
    )


async def organizations(
    connection: Connection, identities: Collection[Pair]
) -> Mapping[Pair, UUID]:
    """Find organisations by mission and identity."""
    rows = await connection.fetch(
        # One that was merged leads to the one that was kept.
        "SELECT mission_id, identity, coalesce(merged_into, organization.id) AS id "
        "FROM unnest($1::uuid[], $2::text[]) AS wanted (mission_id, identity) "
        "JOIN organization USING (mission_id, identity)",
        *columns(list(identities), 2),
    )
    return {(row["mission_id"], row["identity"]): row["id"] for row in rows}


async def registrations(
    connection: Connection, pairs: Collection[tuple[UUID, UUID]]
) -> Sequence[Row]:
    """Find registrations by programme item and person."""
    return await connection.fetch(
        "SELECT r.id, r.programme_item_id, r.person_id, r.status "
        "FROM unnest($1::uuid[], $2::uuid[]) AS wanted (programme_item_id, person_id) "
        "JOIN registration AS r USING (programme_item_id, person_id)",
        *columns(list(pairs), 2),
    )


async def partners(connection: Connection, ids: Collection[UUID]) -> Mapping[UUID, UUID]:
    """Give the mission of each partner organisation."""
    rows = await connection.fetch(
        "SELECT id, mission_id FROM partner_organization WHERE id = ANY($1)", list(ids)
    )
    return {row["id"]: row["mission_id"] for row in rows}


async def add_organizations(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Add organisations that nobody else added meanwhile, and say how many.

    A row: id, mission_id, identity, name, native_name, country, registration_number, sectors, size,
    search, core.
    """
    status = await connection.execute(
        "INSERT INTO organization (id, mission_id, identity, name, native_name, country, "
        "registration_number, sectors, size, search, core) SELECT id, mission_id, identity, name, "
        "native_name, country, number, string_to_array(sectors, ','), size, search, core "
        "FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], "
        "$7::text[], $8::text[], $9::text[], $10::text[], $11::text[]) AS given (id, mission_id, "
        "identity, name, native_name, country, number, sectors, size, search, core) "
        "ON CONFLICT (mission_id, identity) DO NOTHING",
        *columns(rows, 11),
    )
    return _count(status)


async def add_people(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Add people that nobody else added meanwhile, and say how many. A row: see `PEOPLE`."""
    status = await connection.execute(
        f"INSERT INTO person ({PEOPLE}) SELECT id, mission_id, role, email, full_name, "  # noqa: S608
        "native_name, latin_name, language, string_to_array(languages, ','), position, "
        "organization_id, partner_id, version, search FROM unnest($1::uuid[], $2::uuid[], "
        "$3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], "
        "$10::jsonb[], $11::uuid[], $12::uuid[], $13::bigint[], $14::text[]) "
        f"AS given ({PEOPLE}) ON CONFLICT (mission_id, email) DO NOTHING",
        *columns(rows, 14),
    )
    return _count(status)


async def add_listings(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add what organisations offer and need. A row: organization_id, kind, sector, content."""
    await connection.execute(
        "INSERT INTO listing (organization_id, kind, sector, content) "
        "SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[])",
        *columns(rows, 4),
    )


async def add_registrations(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add registrations, ranked in the order given.

    A row: id, programme_item_id, person_id, status, source, partner_id, registered_at,
    allotment_id, group_id, hold_until, answers.
    """
    await connection.execute(
        "INSERT INTO registration (id, programme_item_id, person_id, status, source, partner_id, "
        "registered_at, allotment_id, group_id, hold_until, answers) "
        "SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], "
        "$6::uuid[], $7::timestamptz[], $8::uuid[], $9::uuid[], $10::timestamptz[], $11::jsonb[])",
        *columns(rows, 11),
    )


async def revive(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Register people again who had left, behind everybody who waits; rows as when added."""
    await connection.execute(
        "UPDATE registration AS r SET status = given.status, source = given.source, "
        "partner_id = given.partner_id, registered_at = given.registered_at, "
        "allotment_id = given.allotment_id, group_id = given.group_id, "
        "hold_until = given.hold_until, answers = given.answers, rank = DEFAULT "
        "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], "
        "$6::uuid[], $7::uuid[], $8::timestamptz[], $9::jsonb[]) AS given (id, status, source, "
        "partner_id, registered_at, allotment_id, group_id, hold_until, answers) "
        "WHERE r.id = given.id",
        *columns([(row[0], *row[3:]) for row in rows], 9),
    )


async def next_versions(connection: Connection, person_ids: Iterable[UUID]) -> dict[UUID, int]:
    """Lock people, in order, and give each the version of the next event about him or her.

    Somebody who is named several times gets as many versions; the first of them is given.
    """
    counts: dict[UUID, int] = {}
    for person_id in person_ids:
        counts[person_id] = counts.get(person_id, 0) + 1
    rows = await connection.fetch(
        "WITH locked AS (SELECT id, count FROM person "
        "JOIN unnest($1::uuid[], $2::bigint[]) AS given (id, count) USING (id) "
        "ORDER BY id FOR UPDATE OF person) "
        "UPDATE person SET version = version + count FROM locked WHERE person.id = locked.id "
        "RETURNING person.id, person.version - locked.count + 1 AS version",
        *columns(sorted(counts.items()), 2),
    )
    return {row["id"]: row["version"] for row in rows}


async def profiles(connection: Connection, organization_ids: Collection[UUID]) -> Sequence[Row]:
    """Read organisations with what they offer and need, as `listings`."""
    return await connection.fetch(
        "SELECT id, name, native_name, country, sectors, size, COALESCE((SELECT jsonb_agg("
        "jsonb_build_object('kind', kind, 'sector', sector, 'text', content) ORDER BY listing.id) "
        "FROM listing WHERE organization_id = organization.id), '[]') AS listings "
        "FROM organization WHERE id = ANY($1)",
        list(organization_ids),
    )


async def set_statuses(
    connection: Connection,
    rows: Sequence[tuple[UUID, str, UUID | None, datetime | None]],
) -> None:
    """Change the states of registrations whose items are locked.

    A row: id, status, allotment_id, hold_until.
    """
    await connection.execute(
        "UPDATE registration AS r SET status = given.status, allotment_id = given.allotment_id, "
        "hold_until = given.hold_until FROM unnest($1::uuid[], $2::text[], $3::uuid[], "
        "$4::timestamptz[]) AS given (id, status, allotment_id, hold_until) WHERE r.id = given.id",
        *columns(rows, 4),
    )


def _count(status: str) -> int:
    """Read the number of rows out of a command tag such as `INSERT 0 5`."""
    return int(status.rsplit(" ", 1)[-1])
