"""Many registrations in few statements: what a batch reads, and what it writes.

Rows are looked up one by one (LATERAL): a join with an array is planned by what the table held when
it was last counted, and reads all of a table that a rush has filled since.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.consents import REQUIRED_PURPOSE
from services.registration.domain.line import Allotment
from services.registration.store import consents, places
from shared.postgres import Connection, columns

Row = asyncpg.Record
Pair = tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Where a batch adds rows, and what each of them is made of."""

    name: str
    columns: tuple[str, ...]


def _table(name: str, columns: str) -> Table:
    return Table(name, tuple(columns.split()))


ORGANIZATION = _table(
    "organization",
    "id mission_id identity name native_name country registration_number sectors size search core",
)
PERSON = _table(
    "person",
    "id mission_id role email full_name native_name latin_name language languages position "
    "organization_id partner_id version search",
)
LISTING = _table("listing", "organization_id kind sector content")
CONSENT = _table("consent", "person_id purpose text_version language granted_at is_cross_border")
REGISTRATION = _table(
    "registration",
    "id programme_item_id person_id status source partner_id registered_at allotment_id group_id "
    "hold_until answers",
)


_PERSON = (
    "SELECT id, mission_id, email, role, languages, organization_id, partner_id, "  # noqa: S608
    "(SELECT bool_and(withdrawn_at IS NOT NULL) FROM consent WHERE consent.person_id = person.id "
    f"AND purpose = '{REQUIRED_PURPOSE}') AS has_withdrawn "
    "FROM person WHERE person.mission_id = wanted.mission_id AND person.email = wanted.email "
    "LIMIT 1"
)


async def people(connection: Connection, addresses: Collection[Pair]) -> Sequence[Row]:
    """Find people by mission and folded e-mail address, and whether the needed consent is gone."""
    return await connection.fetch(
        "SELECT found.* FROM unnest($1::uuid[], $2::text[]) AS wanted (mission_id, email) "  # noqa: S608
        f"CROSS JOIN LATERAL ({_PERSON}) AS found",
        *columns(list(addresses), 2),
    )


@dataclass(frozen=True, slots=True)
class Conditions:
    """What holds for the items of a batch, beside what their rows say."""

    allotments: Mapping[UUID, list[Allotment]]
    versions: Mapping[UUID, consents.Versions]
    partners: Mapping[UUID, UUID]
    """The mission of each partner organisation that is named."""


async def conditions(
    connection: Connection,
    items: Collection[UUID],
    missions: Collection[UUID],
    partners: Collection[UUID],
) -> Conditions:
    """Read what holds for items that are locked, and have the next statement planned anew.

    A plan that is kept is for the few rows there were when it was made: among many it may use the
    wrong index, and go through all of a mission for each row that it looks for.
    """
    row = await connection.fetchrow(
        f"SELECT ARRAY(SELECT ROW(kept.*) FROM ({places.ALLOTMENTS}) AS kept), "  # noqa: S608
        f"ARRAY(SELECT ROW(text.*) FROM ({consents.VERSIONS}) AS text), "
        "ARRAY(SELECT ROW(id, mission_id) FROM partner_organization WHERE id = ANY($3)), "
        "set_config('plan_cache_mode', 'force_custom_plan', true)",
        list(items),
        list(missions),
        list(partners),
    )
    assert row is not None
    allotments, versions, found, _ = row
    return Conditions(
        places.by_item(items, allotments), consents.by_mission(missions, versions), dict(found)
    )


async def on_file(
    connection: Connection, wanted: Sequence[tuple[UUID, UUID, str, str]]
) -> Sequence[Row]:
    """Find what is known of each who registers: person, registration and organisation.

    Given and answered in the same order: mission, item, folded address, the organisation's
    identity. Plans are kept again after it: the check of a reference is one, for each row.
    """
    return await connection.fetch(
        "SELECT person.*, registration.id AS registration_id, registration.status, "  # noqa: S608
        "organization.id AS known_organization_id, "
        "(SELECT set_config('plan_cache_mode', 'auto', true)) AS plan "
        "FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) WITH ORDINALITY "
        "AS wanted (mission_id, item_id, email, identity, nth) "
        f"LEFT JOIN LATERAL ({_PERSON}) AS person ON true "
        "LEFT JOIN LATERAL (SELECT id, status FROM registration "
        "WHERE programme_item_id = wanted.item_id AND person_id = person.id LIMIT 1) "
        "AS registration ON true "
        # One that was merged leads to the one that was kept.
        "LEFT JOIN LATERAL (SELECT coalesce(merged_into, id) AS id FROM organization "
        "WHERE organization.mission_id = wanted.mission_id "
        "AND organization.identity = wanted.identity LIMIT 1 FOR KEY SHARE) AS organization "
        "ON true ORDER BY nth",
        *columns(wanted, 4),
    )


async def add(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add rows of the table's columns in their order, by COPY: a third faster than statements.

    Raises `asyncpg.UniqueViolationError` when another process added one of them meanwhile.
    """
    if rows:
        await connection.copy_records_to_table(table.name, columns=table.columns, records=rows)


async def revive(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Register people again who had left, behind everybody who waits; rows as when added."""
    await connection.execute(
        "UPDATE registration AS r SET status = given.status, source = given.source, "
        "partner_id = given.partner_id, registered_at = given.registered_at, "
        "allotment_id = given.allotment_id, group_id = given.group_id, "
        "hold_until = given.hold_until, answers = given.answers, rank = DEFAULT, "
        "answered_at = NULL, revision = revision + 1 "
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
