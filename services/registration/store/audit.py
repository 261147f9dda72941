"""The audit trail."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.store.registrations import SAYS_SO
from shared.postgres import Connection

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of a mission's trail somebody looks for."""

    mission_id: UUID
    actor_id: UUID | None = None
    is_public: bool = False
    """What was done by the system or by somebody who was not signed in, alone."""
    action: str | None = None
    subject_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


async def page(
    connection: Connection, wanted: Wanted, *, before: UUID | None = None, limit: int
) -> Sequence[Row]:
    """Read entries, the latest first, with what they are about; `before` is the last one seen."""
    arguments: list[object] = [wanted.mission_id, limit]
    tests = ["mission_id = $1"]
    for test, value in (
        ("actor_id =", wanted.actor_id),
        ("action =", wanted.action),
        ("subject_id =", wanted.subject_id),
        ("at >=", wanted.since),
        ("at <", wanted.until),
    ):
        if value is not None:
            arguments.append(value)
            tests.append(f"{test} ${len(arguments)}")
    if wanted.is_public:
        tests.append("actor_id IS NULL")
    if before is not None:
        arguments.append(before)
        seen = f"SELECT at, id FROM audit_entry WHERE id = ${len(arguments)}"  # noqa: S608
        tests.append(f"(at, id) < ({seen})")
    return await connection.fetch(
        "WITH entry AS MATERIALIZED (SELECT id, at, actor_id, actor_role, action, subject_id, "  # noqa: S608
        f"stop_id, details FROM audit_entry WHERE {' AND '.join(tests)} "
        "ORDER BY at DESC, id DESC LIMIT $2) "
        "SELECT entry.*, actor.id AS known_actor, actor.full_name AS actor_full_name, "
        "actor.native_name AS actor_native_name, actor.latin_name AS actor_latin_name, "
        "r.id AS registration_id, application.id AS application_id, "
        "person.full_name, person.native_name, person.latin_name, "
        "item.title, stop.city, stop.timezone, partner.name AS partner, "
        "organization.name AS organization, organization.native_name AS native_organization "
        "FROM entry LEFT JOIN person AS actor ON actor.id = entry.actor_id "
        "LEFT JOIN registration AS r ON r.id = entry.subject_id "
        "LEFT JOIN person ON person.id = coalesce(r.person_id, entry.subject_id) "
        "LEFT JOIN programme_item AS item "
        "ON item.id = coalesce(r.programme_item_id, entry.subject_id) "
        "LEFT JOIN stop ON stop.id = coalesce(entry.stop_id, item.stop_id, entry.subject_id) "
        "LEFT JOIN partner_organization AS partner ON partner.id = entry.subject_id "
        "LEFT JOIN letter ON letter.id = entry.subject_id "
        "LEFT JOIN application "
        "ON application.id = coalesce(letter.application_id, entry.subject_id) "
        "LEFT JOIN organization "
        "ON organization.id = coalesce(application.organization_id, entry.subject_id) "
        "ORDER BY entry.at DESC, entry.id DESC",
        *arguments,
    )


async def actions(connection: Connection, mission_id: UUID) -> Sequence[str]:
    """List what was ever done in a mission, by leaps through the index: few codes, many entries."""
    rows = await connection.fetch(
        "WITH RECURSIVE done AS ((SELECT action FROM audit_entry WHERE mission_id = $1 "
        "ORDER BY action LIMIT 1) UNION ALL SELECT (SELECT action FROM audit_entry "
        "WHERE mission_id = $1 AND action > done.action ORDER BY action LIMIT 1) FROM done "
        "WHERE done.action IS NOT NULL) SELECT action FROM done WHERE action IS NOT NULL",
        mission_id,
    )
    return [row["action"] for row in rows]


async def registration(connection: Connection, registration_id: UUID) -> Row | None:
    """Read all that is on file of one registration."""
    return await connection.fetchrow(
        "SELECT r.id, r.person_id, r.status, r.source, r.partner_id, r.registered_at, "  # noqa: S608
        "r.checked_in_at, r.answers, r.hold_until, person.mission_id, person.role, person.email, "
        "person.full_name, person.native_name, person.latin_name, person.language, "
        "person.languages, person.position, person.erased_at, organization.name AS organization, "
        "organization.native_name AS native_organization, organization.country, "
        "organization.sectors, organization.registration_number, item.title, item.starts_at, "
        "item.ends_at, item.stop_id, stop.city, stop.timezone, stop.held_on, "
        "partner.name AS partner, person.partner_id AS person_partner_id, "
        f"{SAYS_SO} FROM registration AS r "
        "JOIN person ON person.id = r.person_id "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN stop ON stop.id = item.stop_id "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "LEFT JOIN partner_organization AS partner ON partner.id = r.partner_id WHERE r.id = $1",
        registration_id,
    )
