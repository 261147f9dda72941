"""What an edit reads and writes: a person, the company, the answers."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.people import Organization, Person, same_address
from shared.postgres import Connection

Row = asyncpg.Record

_SELECT = (
    "SELECT r.id, r.programme_item_id, r.person_id, r.status, r.source, r.partner_id, "
    "r.registered_at, r.answered_at, r.checked_in_at, r.allotment_id, r.answers, r.revision, "
    "item.stop_id, item.kind AS item_kind, item.requires_approval, "
    "person.mission_id, person.role, person.languages, person.organization_id, "
    "person.partner_id AS person_partner_id "
    "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
    "JOIN person ON person.id = r.person_id "
)


async def lock_person(connection: Connection, person_id: UUID) -> Row:
    """Lock a person, after the items: people are locked last everywhere."""
    row = await connection.fetchrow(
        "SELECT id, mission_id, role, email, full_name, native_name, latin_name, language, "
        "languages, position, organization_id, partner_id FROM person WHERE id = $1 FOR UPDATE",
        person_id,
    )
    assert row is not None
    return row


async def of_people(connection: Connection, person_ids: Sequence[UUID]) -> Sequence[Row]:
    """List people's registrations that have not ended, with what an edit looks at."""
    return await connection.fetch(
        _SELECT + "WHERE r.person_id = ANY($1) "
        "AND r.status NOT IN ('cancelled', 'rejected', 'offer_expired') ORDER BY r.id",
        list(person_ids),
    )


async def one(connection: Connection, registration_id: UUID) -> Row | None:
    """Read a registration with what an edit looks at."""
    return await connection.fetchrow(_SELECT + "WHERE r.id = $1", registration_id)


async def organization(connection: Connection, organization_id: UUID, *, lock: bool = False) -> Row:
    """Read a company; its people may be added while it is locked."""
    query = (
        "SELECT id, mission_id, identity, name, native_name, country, registration_number, "
        "sectors, size FROM organization WHERE id = $1"
    )
    row = await connection.fetchrow(query + (" FOR NO KEY UPDATE" if lock else ""), organization_id)
    assert row is not None
    return row


async def colleagues(connection: Connection, organization_id: UUID, person_id: UUID) -> list[UUID]:
    """List who else belongs to a company."""
    rows = await connection.fetch(
        "SELECT id FROM person WHERE organization_id = $1 AND id <> $2 ORDER BY id",
        organization_id,
        person_id,
    )
    return [row["id"] for row in rows]


async def was_respelled(connection: Connection, person_id: UUID) -> bool:
    """Say whether a slip in somebody's name was put right before."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM registration AS r JOIN audit_entry ON subject_id = r.id "
        "WHERE r.person_id = $1 AND details ? 'respelled')",
        person_id,
    )
    return found


async def put_person(connection: Connection, person_id: UUID, person: Person) -> None:
    """Write a person anew; raises `asyncpg.UniqueViolationError` when the address is in use."""
    await connection.execute(
        "UPDATE person SET email = $2, full_name = $3, native_name = $4, latin_name = $5, "
        # What a person is found by is made anew by who keeps that.
        "language = $6, languages = $7, position = $8, search = '' WHERE id = $1",
        person_id,
        same_address(person.email),
        person.full_name,
        person.native_name,
        person.latin_name,
        person.language,
        person.languages,
        person.position,
    )


async def put_role(connection: Connection, person_id: UUID, role: str) -> None:
    """Write on which side a person is."""
    await connection.execute("UPDATE person SET role = $2 WHERE id = $1", person_id, role)


async def put_organization(
    connection: Connection, organization_id: UUID, given: Organization
) -> None:
    """Write a company anew; raises `asyncpg.UniqueViolationError` when there is another such."""
    await connection.execute(
        "UPDATE organization SET identity = $2, name = $3, native_name = $4, country = $5, "
        "registration_number = $6, sectors = $7, size = $8, search = '' WHERE id = $1",
        organization_id,
        given.identity,
        given.name,
        given.native_name,
        given.country,
        given.registration_number,
        given.sectors,
        given.size,
    )


async def find_organization(connection: Connection, mission_id: UUID, identity: str) -> UUID | None:
    """Find a company by what makes it the same one."""
    found: UUID | None = await connection.fetchval(
        "SELECT coalesce(merged_into, id) FROM organization "
        "WHERE mission_id = $1 AND identity = $2",
        mission_id,
        identity,
    )
    return found


async def move(connection: Connection, person_id: UUID, organization_id: UUID) -> None:
    """Let a person belong to another company."""
    await connection.execute(
        "UPDATE person SET organization_id = $2, search = '' WHERE id = $1",
        person_id,
        organization_id,
    )


async def copy_listings(connection: Connection, from_id: UUID, to_id: UUID) -> None:
    """Let a company that is new offer and need what the former one did."""
    await connection.execute(
        "INSERT INTO listing (organization_id, kind, sector, content) "
        "SELECT $2, kind, sector, content FROM listing WHERE organization_id = $1 ORDER BY id",
        from_id,
        to_id,
    )


async def delete_listings(connection: Connection, organization_id: UUID) -> None:
    """Delete what a company offers, needs and plans."""
    await connection.execute("DELETE FROM listing WHERE organization_id = $1", organization_id)


async def put_answers(
    connection: Connection, registration_id: UUID, answers: dict[str, Any], now: datetime
) -> None:
    """Write a registration's answers anew."""
    await connection.execute(
        "UPDATE registration SET answers = $2, answered_at = $3 WHERE id = $1",
        registration_id,
        answers,
        now,
    )


async def next_revisions(connection: Connection, person_ids: Sequence[UUID]) -> None:
    """Give the registrations of people another revision: what they show has changed."""
    await connection.execute(
        "UPDATE registration SET revision = revision + 1 WHERE person_id = ANY($1)",
        list(person_ids),
    )
