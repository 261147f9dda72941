"""Organisations and people."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.companies import core
from services.registration.domain.names import company_text, search_text
from services.registration.domain.people import Organization, Person, same_address
from shared.events.base import Bilingual
from shared.events.registration import Listing
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

PERSON = (
    "id, mission_id, role, email, full_name, native_name, latin_name, language, languages, "
    "position, organization_id, partner_id, stop_ids, version"
)


async def organization_id(
    connection: Connection, mission_id: UUID, organization: Organization, new_id: UUID
) -> tuple[UUID, bool]:
    """Find the organisation, or add it; says whether it is new. What is on file is not changed."""
    added = await connection.fetchval(
        "INSERT INTO organization (id, mission_id, identity, name, native_name, country, "
        "registration_number, sectors, size, search, core) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) "
        "ON CONFLICT (mission_id, identity) DO NOTHING RETURNING id",
        new_id,
        mission_id,
        organization.identity,
        organization.name,
        organization.native_name,
        organization.country,
        organization.registration_number,
        organization.sectors,
        organization.size,
        company_text(organization.name, organization.native_name),
        core(organization.name, organization.native_name),
    )
    if added:
        return new_id, True
    found: UUID = await connection.fetchval(
        "SELECT coalesce(merged_into, id) FROM organization "
        "WHERE mission_id = $1 AND identity = $2 FOR KEY SHARE",
        mission_id,
        organization.identity,
    )
    return found, False


async def add_listings(
    connection: Connection, organization_id: UUID, listings: Sequence[Listing]
) -> None:
    """Add what an organisation offers, needs and plans."""
    await connection.executemany(
        "INSERT INTO listing (organization_id, kind, sector, content) VALUES ($1, $2, $3, $4)",
        [
            (organization_id, listing.kind, listing.sector, listing.text.model_dump())
            for listing in listings
        ],
    )


async def organization(connection: Connection, organization_id: UUID) -> Row:
    """Read an organisation."""
    row = await connection.fetchrow(
        "SELECT id, name, native_name, country, sectors, size FROM organization WHERE id = $1",
        organization_id,
    )
    assert row is not None
    return row


async def listings_of(connection: Connection, organization_id: UUID) -> tuple[Listing, ...]:
    """List what an organisation offers, needs and plans."""
    rows = await connection.fetch(
        "SELECT kind, sector, content FROM listing WHERE organization_id = $1 ORDER BY id",
        organization_id,
    )
    return tuple(
        Listing(kind=row["kind"], sector=row["sector"], text=Bilingual(**row["content"]))
        for row in rows
    )


async def add_person(connection: Connection, person: Person, **facts: object) -> bool:
    """Add a person; False when the mission has somebody with this e-mail address.

    `facts`: id, mission_id, role, and where they apply organization_id, partner_id, stop_ids.
    """
    added = await connection.fetchval(
        "INSERT INTO person (id, mission_id, role, email, full_name, native_name, latin_name, "
        "language, languages, position, organization_id, partner_id, stop_ids, search) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) "
        "ON CONFLICT (mission_id, email) DO NOTHING RETURNING true",
        facts["id"],
        facts["mission_id"],
        facts["role"],
        same_address(person.email),
        person.full_name,
        person.native_name,
        person.latin_name,
        person.language,
        person.languages,
        person.position,
        facts.get("organization_id"),
        facts.get("partner_id"),
        facts.get("stop_ids", []),
        # With a company it is found by that as well: see `commands/naming.py`.
        ""
        if facts.get("organization_id")
        else search_text(person.full_name, person.native_name, person.latin_name),
    )
    return bool(added)


async def person_by_email(connection: Connection, mission_id: UUID, email: str) -> Row | None:
    """Find a person by e-mail address."""
    return await connection.fetchrow(
        f"SELECT {PERSON} FROM person WHERE mission_id = $1 AND email = $2",  # noqa: S608
        mission_id,
        same_address(email),
    )


async def person(connection: Connection, person_id: UUID) -> Row | None:
    """Read a person."""
    return await connection.fetchrow(
        f"SELECT {PERSON} FROM person WHERE id = $1 AND erased_at IS NULL",  # noqa: S608
        person_id,
    )


async def next_version(connection: Connection, person_id: UUID) -> int:
    """Lock a person and give the version of the next event about him or her."""
    version: int = await connection.fetchval(
        "UPDATE person SET version = version + 1 WHERE id = $1 RETURNING version", person_id
    )
    return version


async def stops_of(connection: Connection, person_id: UUID) -> tuple[UUID, ...]:
    """List the stops where a person takes part or works."""
    rows = await connection.fetch(
        "SELECT unnest(stop_ids) AS stop_id FROM person WHERE id = $1 UNION "
        "SELECT item.stop_id FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id WHERE r.person_id = $1",
        person_id,
    )
    return tuple(row["stop_id"] for row in rows)


async def add_consent(connection: Connection, person_id: UUID, **facts: object) -> None:
    """Record what a person agreed to: purpose, text_version, language, granted_at."""
    await connection.execute(
        "INSERT INTO consent (person_id, purpose, text_version, language, granted_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        person_id,
        facts["purpose"],
        facts["text_version"],
        facts["language"],
        facts["granted_at"],
    )


async def contacts(connection: Connection, ids: Sequence[UUID]) -> Sequence[Row]:
    """Read how to address and reach people."""
    return await connection.fetch(
        "SELECT person.id, person.mission_id, person.role, person.email, person.full_name, "
        "person.native_name, person.latin_name, person.language, person.partner_id, "
        "organization.name AS organization, organization.native_name AS native_organization "
        "FROM person LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE person.id = ANY($1) AND person.erased_at IS NULL",
        list(ids),
    )


async def staff_of(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List who works on a mission."""
    return await connection.fetch(
        "SELECT id, role, full_name, native_name, language, languages, partner_id, stop_ids "
        "FROM person WHERE mission_id = $1 AND role NOT IN ('applicant', 'delegate', 'local') "
        "ORDER BY role, full_name",
        mission_id,
    )
