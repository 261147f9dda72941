"""Consents: the texts in force, and who agreed to which of them when."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from services.registration.domain.consents import (
    DEFAULTS,
    REQUIRED_PURPOSE,
    ConsentText,
    defaults,
    in_force,
)
from shared.events.base import Bilingual
from shared.postgres import Connection, columns

Row = asyncpg.Record
Versions = dict[str, tuple[str, bool]]
"""By purpose: the version in force, and whether data cross the border by it."""


class Given(NamedTuple):
    """One consent, with the version and language of the text that was read."""

    person_id: UUID
    purpose: str
    text_version: str
    language: str
    granted_at: datetime
    is_cross_border: bool = False


async def texts_of(
    connection: Connection, mission_ids: Sequence[UUID]
) -> dict[UUID, tuple[ConsentText, ...]]:
    """Read the texts in force in missions, with the usual ones where a mission has none."""
    missions = await connection.fetch(
        "SELECT id, organizer, home_country FROM mission WHERE id = ANY($1::uuid[])",
        list(mission_ids),
    )
    rows = await connection.fetch(
        "SELECT DISTINCT ON (mission_id, purpose) mission_id, purpose, version, content, "
        "is_required, is_cross_border FROM consent_text WHERE mission_id = ANY($1::uuid[]) "
        "ORDER BY mission_id, purpose, number DESC",
        list(mission_ids),
    )
    stored: dict[UUID, list[ConsentText]] = {}
    for row in rows:
        stored.setdefault(row["mission_id"], []).append(ConsentText.of(dict(row)))
    return {
        mission["id"]: in_force(
            stored.get(mission["id"], ()),
            defaults(
                Bilingual(**mission["organizer"]) if mission["organizer"] else None,
                mission["home_country"],
            ),
        )
        for mission in missions
    }


VERSIONS = (
    "SELECT DISTINCT ON (mission_id, purpose) mission_id, purpose, version, is_cross_border "
    "FROM consent_text WHERE mission_id = ANY($2) ORDER BY mission_id, purpose, number DESC"
)


def by_mission(mission_ids: Collection[UUID], rows: Iterable[Row]) -> dict[UUID, Versions]:
    """Make of what `VERSIONS` read each mission's purposes, with the usual ones where it has none.

    By purpose: the version in force, and whether it crosses the border.
    """
    usual = {text.purpose: (text.version, text.is_cross_border) for text in DEFAULTS}
    found = {mission_id: dict(usual) for mission_id in mission_ids}
    for mission_id, purpose, version, is_cross_border in rows:
        found[mission_id][purpose] = (version, is_cross_border)
    return found


def signed_up(
    person_id: UUID,
    purposes: Sequence[str],
    versions: Versions,
    language: str,
    now: datetime,
) -> list[Given]:
    """Give the consents of somebody who registers: the required one, and what was ticked beside."""
    return [
        Given(person_id, purpose, versions[purpose][0], language, now, versions[purpose][1])
        for purpose in dict.fromkeys((REQUIRED_PURPOSE, *purposes))
        if purpose in versions
    ]


async def add_text(
    connection: Connection, mission_id: UUID, text: ConsentText, now: datetime
) -> str:
    """Put a new version of a text in force and give its name; the mission is locked meanwhile."""
    await connection.execute("SELECT FROM mission WHERE id = $1 FOR UPDATE", mission_id)
    number: int = await connection.fetchval(
        "SELECT coalesce(max(number), 0) + 1 FROM consent_text "
        "WHERE mission_id = $1 AND purpose = $2",
        mission_id,
        text.purpose,
    )
    await connection.execute(
        "INSERT INTO consent_text (mission_id, purpose, version, number, content, is_required, "
        "is_cross_border, in_force_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        mission_id,
        text.purpose,
        f"v{number}",
        number,
        text.content(),
        text.is_required,
        text.is_cross_border,
        now,
    )
    return f"v{number}"


async def give_all(connection: Connection, given: Sequence[Given]) -> None:
    """Write many consents in one statement; what is in force already stays as it is."""
    if not given:
        return
    rows = [
        (
            one.person_id,
            one.purpose,
            one.text_version,
            one.language,
            one.granted_at,
            one.is_cross_border,
        )
        for one in given
    ]
    await connection.execute(
        "INSERT INTO consent (person_id, purpose, text_version, language, granted_at, "
        "is_cross_border) SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], "
        "$5::timestamptz[], $6::boolean[]) ON CONFLICT DO NOTHING",
        *columns(rows, 6),
    )


async def of_person(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List what somebody agreed to, oldest first."""
    return await connection.fetch(
        "SELECT purpose, text_version, language, granted_at, withdrawn_at, is_cross_border "
        "FROM consent WHERE person_id = $1 ORDER BY id",
        person_id,
    )


async def withdraw(connection: Connection, person_id: UUID, purpose: str, now: datetime) -> int:
    """End what somebody agreed to for a purpose, in every version, and count it."""
    rows = await connection.fetch(
        "UPDATE consent SET withdrawn_at = greatest($3, granted_at) "
        "WHERE person_id = $1 AND purpose = $2 AND withdrawn_at IS NULL RETURNING id",
        person_id,
        purpose,
        now,
    )
    return len(rows)


async def refuse(connection: Connection, given: Given) -> None:
    """Note that somebody says no who was never asked: a consent that ended as it began."""
    await connection.execute(
        "INSERT INTO consent (person_id, purpose, text_version, language, granted_at, "
        "withdrawn_at, is_cross_border) VALUES ($1, $2, $3, $4, $5, $5, $6)",
        given.person_id,
        given.purpose,
        given.text_version,
        given.language,
        given.granted_at,
        given.is_cross_border,
    )


MAY_CROSS = (
    "(person.erased_at IS NULL AND CASE "
    "WHEN EXISTS (SELECT FROM consent WHERE consent.person_id = person.id "
    "AND consent.is_cross_border AND consent.withdrawn_at IS NULL) THEN true "
    "WHEN EXISTS (SELECT FROM consent WHERE consent.person_id = person.id "
    "AND consent.is_cross_border) THEN false "
    "ELSE coalesce((SELECT cross_border_basis FROM privacy_setting "
    "WHERE privacy_setting.mission_id = person.mission_id), 'other') = 'other' END)"
)
"""SQL: whether a `person` may be named to those abroad."""


async def who_may_cross(connection: Connection, person_ids: Sequence[UUID]) -> set[UUID]:
    """Give those of these people who may be named to the other side."""
    rows = await connection.fetch(
        f"SELECT id FROM person WHERE id = ANY($1::uuid[]) AND {MAY_CROSS}",  # noqa: S608
        list(person_ids),
    )
    return {row["id"] for row in rows}


async def setting(connection: Connection, mission_id: UUID) -> dict[str, Any]:
    """Read a mission's settings of privacy."""
    row = await connection.fetchrow(
        "SELECT cross_border_basis, retention FROM privacy_setting WHERE mission_id = $1",
        mission_id,
    )
    return dict(row) if row else {"cross_border_basis": "other", "retention": {}}


async def put_setting(
    connection: Connection, mission_id: UUID, basis: str, retention: dict[str, int]
) -> None:
    """Write a mission's settings of privacy."""
    await connection.execute(
        "INSERT INTO privacy_setting (mission_id, cross_border_basis, retention) "
        "VALUES ($1, $2, $3) ON CONFLICT (mission_id) DO UPDATE "
        "SET cross_border_basis = excluded.cross_border_basis, retention = excluded.retention",
        mission_id,
        basis,
        retention,
    )
