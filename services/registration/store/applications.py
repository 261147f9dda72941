"""Applications of companies, what they signed, and every step they took."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.applications import HOLDS_A_PLACE, Action, Actor, Status
from services.registration.domain.people import Person
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

_SELECT = (
    "SELECT a.id, a.mission_id, a.contact_id, a.organization_id, a.status, a.content, a.language, "
    "a.revision, a.reserve_place, a.confirm_by, a.created_at, a.changed_at, a.submitted_at, "
    "person.full_name, person.native_name, person.email, person.position, "
    "person.language AS contact_language, person.role AS contact_role "
    "FROM application AS a JOIN person ON person.id = a.contact_id "
)


async def add(connection: Connection, facts: Facts, now: datetime) -> None:
    """Add a draft: id, mission_id, contact_id, content, language."""
    names = ("id", "mission_id", "contact_id", "content", "language")
    await connection.execute(
        "INSERT INTO application (id, mission_id, contact_id, content, language, created_at, "
        "changed_at) VALUES ($1, $2, $3, $4, $5, $6, $6)",
        *(facts[name] for name in names),
        now,
    )


async def one(connection: Connection, application_id: UUID) -> Row | None:
    """Read an application with its contact."""
    return await connection.fetchrow(_SELECT + "WHERE a.id = $1", application_id)


async def of_contact(connection: Connection, person_id: UUID) -> Row | None:
    """Find the application of a person."""
    return await connection.fetchrow(_SELECT + "WHERE a.contact_id = $1", person_id)


async def of_mission(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's applications, the first submitted first; at most 1,000."""
    return await connection.fetch(
        _SELECT + "WHERE a.mission_id = $1 ORDER BY a.submitted_at, a.id LIMIT 1000", mission_id
    )


async def counts(connection: Connection, mission_id: UUID) -> dict[Status, int]:
    """Count a mission's applications by state."""
    rows = await connection.fetch(
        "SELECT status, count(*) AS number FROM application WHERE mission_id = $1 GROUP BY status",
        mission_id,
    )
    return {Status(row["status"]): row["number"] for row in rows}


async def places_held(connection: Connection, mission_id: UUID) -> int:
    """Count the companies that hold a place in a mission."""
    held: int = await connection.fetchval(
        "SELECT count(*) FROM application WHERE mission_id = $1 AND status = ANY($2)",
        mission_id,
        list(HOLDS_A_PLACE),
    )
    return held


async def save(
    connection: Connection,
    application_id: UUID,
    content: Facts,
    organization_id: UUID | None,
    now: datetime,
) -> int:
    """Write what a company says of itself, and give the new revision."""
    revision: int = await connection.fetchval(
        "UPDATE application SET content = $2, changed_at = $4, revision = revision + 1, "
        "organization_id = coalesce($3, organization_id) WHERE id = $1 RETURNING revision",
        application_id,
        content,
        organization_id,
        now,
    )
    return revision


async def save_contact(connection: Connection, person_id: UUID, person: Person) -> None:
    """Write how the contact wants to be called and written to; the address stays."""
    await connection.execute(
        "UPDATE person SET full_name = $2, native_name = $3, language = $4, languages = $5, "
        "position = $6 WHERE id = $1",
        person_id,
        person.full_name,
        person.native_name,
        person.language,
        list(person.languages),
        person.position,
    )


async def set_role(
    connection: Connection, person_id: UUID, role: str, organization_id: UUID
) -> None:
    """Make a contact what his or her company has become."""
    await connection.execute(
        "UPDATE person SET role = $2, organization_id = $3 WHERE id = $1",
        person_id,
        role,
        organization_id,
    )


async def move(
    connection: Connection,
    application_id: UUID,
    status: Status,
    now: datetime,
    *,
    confirm_by: datetime | None = None,
) -> int:
    """Give an application its next state and give the revision; its mission's call is locked."""
    revision: int = await connection.fetchval(
        "UPDATE application SET status = $2, changed_at = $3, confirm_by = $4, "
        "revision = revision + 1, "
        "submitted_at = CASE WHEN $2 = 'submitted' THEN $3 ELSE submitted_at END, "
        "reserve_place = CASE WHEN $2 = 'reserve_listed' THEN "
        "(SELECT coalesce(max(reserve_place), 0) + 1 FROM application AS other "
        "WHERE other.mission_id = application.mission_id) END "
        "WHERE id = $1 RETURNING revision",
        application_id,
        status,
        now,
        confirm_by,
    )
    return revision


async def first_in_reserve(connection: Connection, mission_id: UUID) -> Row | None:
    """Find who is next on the reserve list and not selected by another application already."""
    return await connection.fetchrow(
        _SELECT + "WHERE a.mission_id = $1 AND a.status = 'reserve_listed' "
        "AND NOT EXISTS (SELECT FROM application AS other WHERE other.status = ANY($2) "
        "AND other.organization_id = a.organization_id) ORDER BY a.reserve_place LIMIT 1",
        mission_id,
        list(HOLDS_A_PLACE),
    )


async def reserve_list(connection: Connection, mission_id: UUID) -> list[UUID]:
    """List the reserve in its order."""
    rows = await connection.fetch(
        "SELECT id FROM application WHERE mission_id = $1 AND status = 'reserve_listed' "
        "ORDER BY reserve_place",
        mission_id,
    )
    return [row["id"] for row in rows]


async def put_reserve_list(connection: Connection, mission_id: UUID, order: Sequence[UUID]) -> None:
    """Put the reserve into an order."""
    # Out of the way first: the index compares row by row.
    await connection.execute(
        "UPDATE application SET reserve_place = -reserve_place "
        "WHERE mission_id = $1 AND status = 'reserve_listed'",
        mission_id,
    )
    await connection.execute(
        "UPDATE application SET reserve_place = wanted.place, revision = revision + 1 "
        "FROM unnest($1::uuid[]) WITH ORDINALITY AS wanted (id, place) "
        "WHERE application.id = wanted.id",
        list(order),
    )


async def due(connection: Connection, now: datetime) -> Sequence[Row]:
    """List selected applications that were not confirmed in time; at most 100."""
    return await connection.fetch(
        "SELECT id, mission_id FROM application WHERE status = 'selected' AND confirm_by <= $1 "
        "ORDER BY confirm_by, id LIMIT 100",
        now,
    )


async def add_step(
    connection: Connection,
    application_id: UUID,
    step: tuple[Action, Status, Actor],
    by: tuple[UUID | None, str | None],
    now: datetime,
) -> None:
    """Note what was done and the state it led to, by whom, and the message that went with it."""
    await connection.execute(
        "INSERT INTO application_step (application_id, action, status, actor, actor_id, message, "
        "taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        application_id,
        *step,
        *by,
        now,
    )


async def steps(connection: Connection, application_id: UUID) -> Sequence[Row]:
    """List what was done about an application, the latest first."""
    return await connection.fetch(
        "SELECT step.action, step.status, step.actor, step.message, step.taken_at, "
        "person.full_name AS name FROM application_step AS step "
        "LEFT JOIN person ON person.id = step.actor_id "
        "WHERE application_id = $1 ORDER BY step.id DESC LIMIT 200",
        application_id,
    )


async def add_attestations(
    connection: Connection, application: Row, signed: Sequence[tuple[str, int]], facts: Facts
) -> None:
    """Add what was signed: code and version; `facts` say by whom, in which language and when."""
    await connection.executemany(
        "INSERT INTO attestation (application_id, mission_id, code, version, language, "
        "signer_name, signer_title, disclosure, signed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (
                application["id"],
                application["mission_id"],
                code,
                version,
                facts["language"],
                facts["signer_name"],
                facts["signer_title"],
                facts["disclosure"] if code == "litigation" else None,
                facts["signed_at"],
            )
            for code, version in signed
        ],
    )


async def signed_versions(connection: Connection, application_id: UUID) -> dict[str, int]:
    """Give the version of each text that a company signed last."""
    rows = await connection.fetch(
        "SELECT code, max(version) AS version FROM attestation WHERE application_id = $1 "
        "GROUP BY code",
        application_id,
    )
    return {row["code"]: row["version"] for row in rows}


async def attestations(connection: Connection, application_id: UUID) -> Sequence[Row]:
    """List what a company signed, with the text it read, in the order of signing."""
    return await connection.fetch(
        "SELECT attestation.code, attestation.version, attestation.language, signer_name, "
        "signer_title, disclosure, signed_at, content FROM attestation "
        "JOIN certification USING (mission_id, code, version) "
        "WHERE application_id = $1 ORDER BY attestation.id LIMIT 100",
        application_id,
    )
