"""Registrations of people to programme items."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

_SELECT = (
    "SELECT r.id, r.programme_item_id, r.person_id, r.status, r.source, r.partner_id, r.rank, "
    "r.registered_at, r.checked_in_at, r.check_in_undone_at, r.allotment_id, r.group_id, "
    "r.hold_until, "
    "item.stop_id, item.kind AS item_kind, "
    "person.mission_id, person.role, person.languages, person.organization_id, "
    "person.partner_id AS person_partner_id "
    "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
    "JOIN person ON person.id = r.person_id "
)

SAYS_SO = (
    "CASE WHEN r.source = 'self' AND r.partner_id IS NULL AND person.partner_id IS NULL "
    "AND person.role = 'local' THEN (SELECT count(*) FROM person AS other "
    "WHERE other.organization_id = person.organization_id AND other.id <> person.id) "
    "ELSE 0 END AS says_so"
)
"""How many others there are of a company that nobody but the person says is his or hers."""


async def one(connection: Connection, registration_id: UUID) -> Row | None:
    """Read a registration with what its events tell."""
    return await connection.fetchrow(_SELECT + "WHERE r.id = $1", registration_id)


async def several(connection: Connection, ids: Sequence[UUID]) -> Sequence[Row]:
    """Read registrations with what their events tell, in order of the line."""
    return await connection.fetch(_SELECT + "WHERE r.id = ANY($1) ORDER BY r.rank", list(ids))


async def stand_again(connection: Connection, registration_id: UUID, now: datetime) -> None:
    """Put a registration behind everybody who waits; its group does not come back with it."""
    await connection.execute(
        "UPDATE registration SET registered_at = $2, group_id = NULL, rank = DEFAULT WHERE id = $1",
        registration_id,
        now,
    )


async def check_in(connection: Connection, registration_id: UUID, now: datetime) -> None:
    """Note when somebody arrived."""
    await connection.execute(
        "UPDATE registration SET checked_in_at = $2 WHERE id = $1", registration_id, now
    )


async def undo_check_in(connection: Connection, registration_id: UUID, now: datetime) -> None:
    """Note that somebody is not there, and that what was scanned up to now says nothing else."""
    await connection.execute(
        "UPDATE registration SET checked_in_at = NULL, check_in_undone_at = $2 WHERE id = $1",
        registration_id,
        now,
    )


async def position(connection: Connection, registration_id: UUID) -> int:
    """Count how many wait up to and including this registration."""
    place: int = await connection.fetchval(
        "SELECT count(*) FROM registration AS r JOIN registration AS mine "
        "ON mine.programme_item_id = r.programme_item_id AND r.rank <= mine.rank "
        "WHERE mine.id = $1 AND r.status = 'waitlisted'",
        registration_id,
    )
    return place


async def of_stop(
    connection: Connection, stop_id: UUID, *, after: int, limit: int, partner_id: UUID | None
) -> Sequence[Row]:
    """List a stop's registrations by rank; `partner_id` narrows them to one partner's."""
    return await connection.fetch(
        "SELECT r.id, r.rank, r.programme_item_id, r.person_id AS participant_id, r.status, "
        "r.source, r.partner_id, r.registered_at, r.checked_in_at, person.role, "
        "person.full_name, person.native_name, organization.name AS organization, "
        "organization.native_name AS native_organization, item.slug AS item, item.title "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE item.stop_id = $1 AND r.rank > $2 AND ($4::uuid IS NULL OR r.partner_id = $4) "
        "ORDER BY r.rank LIMIT $3",
        stop_id,
        after,
        limit,
        partner_id,
    )


async def pending(
    connection: Connection, stop_id: UUID, partner_id: UUID | None = None
) -> Sequence[Row]:
    """List who waits for approval at a stop, those who wait longest first; at most 50."""
    return await connection.fetch(
        "SELECT r.id, r.status, r.checked_in_at, r.hold_until, person.full_name, "  # noqa: S608
        "person.native_name, person.latin_name, organization.name AS organization, "
        "organization.native_name AS native_organization, item.title, item.starts_at, "
        f"{SAYS_SO} "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE item.stop_id = $1 AND r.status = 'pending_approval' "
        "AND ($2::uuid IS NULL OR r.partner_id = $2) ORDER BY r.rank LIMIT 50",
        stop_id,
        partner_id,
    )


async def is_erased(connection: Connection, person_id: UUID) -> bool:
    """Say whether somebody is erased, and keep that from changing until the end."""
    erased: bool = await connection.fetchval(
        "SELECT erased_at IS NOT NULL FROM person WHERE id = $1 FOR NO KEY UPDATE", person_id
    )
    return erased


async def all_of_person(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List a person's registrations in order of time, with the position among those who wait."""
    return await connection.fetch(
        "SELECT r.id, r.status, r.checked_in_at, r.hold_until, "
        "item.title, item.starts_at, item.ends_at, "
        "(SELECT count(*) FROM registration AS other WHERE other.status = 'waitlisted' AND "
        "other.programme_item_id = r.programme_item_id AND other.rank <= r.rank) AS position, "
        "stop.city, stop.timezone, stop.held_on, stop.id AS stop_id, stop.venue "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN stop ON stop.id = item.stop_id WHERE r.person_id = $1 ORDER BY item.starts_at",
        person_id,
    )


async def groups_of_person(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List who comes together with a person, by the person's registration."""
    return await connection.fetch(
        "SELECT mine.id AS registration_id, person.full_name, person.native_name, "
        "person.latin_name FROM registration AS mine JOIN registration AS other "
        "ON other.group_id = mine.group_id AND other.programme_item_id = mine.programme_item_id "
        "AND other.id <> mine.id "
        "AND other.status NOT IN ('cancelled', 'rejected', 'offer_expired') "
        "JOIN person ON person.id = other.person_id AND person.erased_at IS NULL "
        "WHERE mine.person_id = $1 ORDER BY other.rank",
        person_id,
    )
