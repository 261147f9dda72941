"""Badges, scans, and who arrived."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from shared.postgres import Connection, columns

Row = asyncpg.Record
Facts = Mapping[str, Any]

_SCAN = (
    "nonce, asked, person_id, badge_id, registration_id, scanned_by, scanned_at, received_at, "
    "outcome, reason, checked_in_at"
)


async def add_badges(connection: Connection, badges: Sequence[Facts], now: datetime) -> None:
    """Give people badges; who has a valid one by now keeps it."""
    rows = [(one["id"], one["person_id"], one["code"], one["digest"]) for one in badges]
    await connection.execute(
        "INSERT INTO badge (id, person_id, code, digest, issued_at) "
        "SELECT *, $5 FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bytea[]) "
        "ON CONFLICT DO NOTHING",
        *columns(rows, 4),
        now,
    )


async def without_badge(
    connection: Connection, stop_id: UUID, person_id: UUID | None, limit: int
) -> Sequence[UUID]:
    """List who is registered at a stop, or this one of them, and has no valid badge."""
    rows = await connection.fetch(
        "SELECT DISTINCT r.person_id FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id AND person.erased_at IS NULL "
        "WHERE item.stop_id = $1 AND ($2::uuid IS NULL OR r.person_id = $2) AND NOT EXISTS "
        "(SELECT FROM badge WHERE badge.person_id = r.person_id AND badge.revoked_at IS NULL) "
        "LIMIT $3",
        stop_id,
        person_id,
        limit,
    )
    return [row["person_id"] for row in rows]


async def revoke_badge(connection: Connection, person_id: UUID, now: datetime) -> bool:
    """End a person's valid badge because it is replaced; False when there is none."""
    ended = await connection.fetchval(
        "UPDATE badge SET revoked_at = $2, revoked_because = 'replaced' "
        "WHERE person_id = $1 AND revoked_at IS NULL "
        "RETURNING true",
        person_id,
        now,
    )
    return bool(ended)


async def badge_of(connection: Connection, person_id: UUID) -> Row | None:
    """Read a person's valid badge."""
    return await connection.fetchrow(
        "SELECT id, code, issued_at FROM badge WHERE person_id = $1 AND revoked_at IS NULL",
        person_id,
    )


async def badges_of_stop(
    connection: Connection,
    stop_id: UUID,
    *,
    person_id: UUID | None = None,
    partner_id: UUID | None = None,
    item_id: UUID | None = None,
    limit: int,
) -> Sequence[Row]:
    """List the badges to print for a stop or one of its items: who has a place, by name.

    With `partner_id` of those whom that partner brought. One that only registered whose address it
    knows would hold a badge that opens the doors of others.
    """
    return await connection.fetch(
        "SELECT person.id, person.role, person.full_name, person.native_name, badge.code, "
        "organization.name AS organization, organization.native_name AS native_organization "
        "FROM person JOIN badge ON badge.person_id = person.id AND badge.revoked_at IS NULL "
        "AND person.erased_at IS NULL "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE ($2::uuid IS NULL OR person.id = $2) AND EXISTS (SELECT FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE item.stop_id = $1 AND r.person_id = person.id "
        "AND ($3::uuid IS NULL OR r.partner_id = $3 AND person.partner_id = $3) "
        "AND ($4::uuid IS NULL OR item.id = $4) "
        "AND ($2::uuid IS NOT NULL OR r.status IN ('confirmed', 'pending_approval', 'offered'))) "
        "ORDER BY lower(person.full_name), person.id LIMIT $5",
        stop_id,
        person_id,
        partner_id,
        item_id,
        limit,
    )


async def badges_by_code(
    connection: Connection, mission_id: UUID, codes: Sequence[str]
) -> Mapping[str, Row]:
    """Find a mission's badges, also those that were revoked, by code."""
    rows = await connection.fetch(
        "SELECT badge.id, badge.person_id, badge.code, badge.revoked_at FROM badge "
        "JOIN person ON person.id = badge.person_id "
        "WHERE badge.code = ANY($2::text[]) AND person.mission_id = $1",
        mission_id,
        list(codes),
    )
    return {row["code"]: row for row in rows}


async def lock_items(connection: Connection, stop_id: UUID, person_ids: Sequence[UUID]) -> None:
    """Lock what people are registered for at a stop, in order of id; before the people."""
    await connection.execute(
        "SELECT FROM programme_item WHERE stop_id = $1 AND id IN "
        "(SELECT programme_item_id FROM registration WHERE person_id = ANY($2::uuid[])) "
        "ORDER BY id FOR NO KEY UPDATE",
        stop_id,
        list(person_ids),
    )


async def lock_people(
    connection: Connection, mission_id: UUID, ids: Sequence[UUID]
) -> Mapping[UUID, Row]:
    """Lock those of these who are people of a mission, in order of id."""
    rows = await connection.fetch(
        "SELECT id, erased_at FROM person WHERE mission_id = $1 AND id = ANY($2::uuid[]) "
        "ORDER BY id FOR NO KEY UPDATE",
        mission_id,
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def scans(
    connection: Connection, stop_id: UUID, nonces: Sequence[UUID]
) -> Mapping[UUID, Row]:
    """Find the scans that were answered before."""
    rows = await connection.fetch(
        f"SELECT {_SCAN} FROM scan WHERE stop_id = $1 AND nonce = ANY($2::uuid[])",  # noqa: S608
        stop_id,
        list(nonces),
    )
    return {row["nonce"]: row for row in rows}


async def add_scans(connection: Connection, stop_id: UUID, scans: Sequence[Facts]) -> None:
    """Keep scans as facts. One that another request kept by now stays as it is."""
    names = _SCAN.split(", ")
    await connection.execute(
        f"INSERT INTO scan (stop_id, {_SCAN}) "  # noqa: S608
        "SELECT $1, * FROM unnest($2::uuid[], $3::bytea[], $4::uuid[], $5::uuid[], $6::uuid[], "
        "$7::uuid[], $8::timestamptz[], $9::timestamptz[], $10::text[], $11::text[], "
        "$12::timestamptz[]) ON CONFLICT DO NOTHING",
        stop_id,
        *columns([[scan[name] for name in names] for scan in scans], len(names)),
    )


async def registrations(
    connection: Connection, stop_id: UUID, person_ids: Sequence[UUID]
) -> Sequence[Row]:
    """List what people are registered for at a stop, in order of time."""
    return await connection.fetch(
        "SELECT r.id, r.programme_item_id, r.person_id, r.status, r.partner_id, r.checked_in_at, "
        "r.check_in_undone_at, item.starts_at, item.ends_at, item.kind AS item_kind, person.role, "
        "person.partner_id AS person_partner_id FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id "
        "WHERE item.stop_id = $1 AND r.person_id = ANY($2::uuid[]) "
        "ORDER BY item.starts_at, item.id",
        stop_id,
        list(person_ids),
    )


async def arrive(connection: Connection, arrivals: Mapping[UUID, datetime]) -> None:
    """Note when people arrived; of two times the earlier one stays."""
    await connection.execute(
        "UPDATE registration AS r SET checked_in_at = least(r.checked_in_at, given.at) "
        "FROM unnest($1::uuid[], $2::timestamptz[]) AS given (id, at) WHERE r.id = given.id",
        list(arrivals),
        list(arrivals.values()),
    )


async def next_versions(connection: Connection, counts: Mapping[UUID, int]) -> Mapping[UUID, int]:
    """Raise the versions of people who are locked by a number of events; gives the last ones."""
    rows = await connection.fetch(
        "UPDATE person SET version = person.version + given.number "
        "FROM unnest($1::uuid[], $2::bigint[]) AS given (id, number) "
        "WHERE person.id = given.id RETURNING person.id, person.version",
        list(counts),
        list(counts.values()),
    )
    return {row["id"]: row["version"] for row in rows}


async def names_of(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Row]:
    """Read how people and their companies are called."""
    rows = await connection.fetch(
        "SELECT person.id, person.role, person.full_name, person.native_name, "
        "organization.name AS organization, organization.native_name AS native_organization "
        "FROM person LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE person.id = ANY($1::uuid[])",
        list(ids),
    )
    return {row["id"]: row for row in rows}


async def stops_of_person(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List the stops where somebody is registered, and by which partner if it brought them."""
    return await connection.fetch(
        "SELECT DISTINCT stop.id, stop.mission_id, stop.slug, stop.city, stop.held_on, "
        "CASE WHEN r.partner_id = person.partner_id THEN r.partner_id END AS partner_id "
        "FROM registration AS r JOIN person ON person.id = r.person_id "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN stop ON stop.id = item.stop_id WHERE r.person_id = $1 "
        "ORDER BY stop.held_on, stop.slug",
        person_id,
    )


async def items_of(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's programme in order of time."""
    return await connection.fetch(
        "SELECT id, title, starts_at, ends_at FROM programme_item WHERE stop_id = $1 "
        "ORDER BY starts_at, slug",
        stop_id,
    )


async def roster(
    connection: Connection, stop_id: UUID, partner_id: UUID | None, limit: int
) -> Sequence[Row]:
    """List who is registered at a stop, once for each registration; or one partner's people."""
    return await connection.fetch(
        "SELECT r.person_id, r.programme_item_id, r.status, r.checked_in_at, "
        "r.check_in_undone_at, person.role, "
        "person.full_name, person.native_name, person.latin_name, badge.digest, "
        "organization.name AS organization, organization.native_name AS native_organization "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN person ON person.id = r.person_id "
        "LEFT JOIN badge ON badge.person_id = person.id AND badge.revoked_at IS NULL "
        "LEFT JOIN organization ON organization.id = person.organization_id "
        "WHERE item.stop_id = $1 AND ($2::uuid IS NULL OR r.partner_id = $2) "
        "AND person.erased_at IS NULL "
        "ORDER BY lower(person.full_name), person.id, item.starts_at LIMIT $3",
        stop_id,
        partner_id,
        limit,
    )


async def revoked_digests(connection: Connection, stop_id: UUID) -> Sequence[bytes]:
    """List the lost badges of people registered at a stop."""
    rows = await connection.fetch(
        "SELECT digest FROM badge WHERE revoked_at IS NOT NULL AND person_id IN "
        "(SELECT r.person_id FROM registration AS r JOIN programme_item AS item "
        "ON item.id = r.programme_item_id WHERE item.stop_id = $1) ORDER BY digest",
        stop_id,
    )
    return [row["digest"] for row in rows]


async def headcount(
    connection: Connection, stop_id: UUID, partner_id: UUID | None = None
) -> Sequence[Row]:
    """Count who is expected and who arrived at each item of a stop, in order of time."""
    return await connection.fetch(
        "SELECT item.id AS programme_item_id, item.title, item.starts_at, item.ends_at, "
        "count(*) FILTER (WHERE r.status = 'confirmed') AS expected, "
        "count(r.checked_in_at) AS arrived, max(r.checked_in_at) AS last_arrival_at "
        "FROM programme_item AS item LEFT JOIN registration AS r ON r.programme_item_id = item.id "
        "AND ($2::uuid IS NULL OR r.partner_id = $2) "
        "WHERE item.stop_id = $1 GROUP BY item.id ORDER BY item.starts_at, item.slug",
        stop_id,
        partner_id,
    )


async def people_counted(
    connection: Connection, stop_id: UUID, partner_id: UUID | None = None
) -> Row:
    """Count who is expected and who arrived at a stop, each once; of one partner if given."""
    row = await connection.fetchrow(
        "SELECT count(DISTINCT r.person_id) FILTER (WHERE r.status = 'confirmed') AS expected, "
        "count(DISTINCT r.person_id) FILTER (WHERE r.checked_in_at IS NOT NULL) AS arrived, "
        "max(r.checked_in_at) AS last_arrival_at "
        "FROM registration AS r JOIN programme_item AS item ON item.id = r.programme_item_id "
        "WHERE item.stop_id = $1 AND ($2::uuid IS NULL OR r.partner_id = $2)",
        stop_id,
        partner_id,
    )
    assert row is not None
    return row


async def refusals(connection: Connection, stop_id: UUID) -> Mapping[str, int]:
    """Count a stop's refused scans by reason."""
    rows = await connection.fetch(
        "SELECT reason, count(*) AS number FROM scan "
        "WHERE stop_id = $1 AND outcome = 'refused' GROUP BY reason ORDER BY reason",
        stop_id,
    )
    return {row["reason"]: row["number"] for row in rows}
