"""What somebody who chooses whom to meet is shown: stops, counterparts, and meetings planned."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.scoring import Profile
from services.matching.store.facts import PROFILE, STOP, profile
from shared.events.base import Side
from shared.postgres import Connection

Row = asyncpg.Record


async def stops_of(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List the stops where somebody has a place among the meetings, in order of their days."""
    return await connection.fetch(
        f"SELECT {STOP} FROM stop WHERE id IN "  # noqa: S608
        "(SELECT place.stop_id FROM participation AS place JOIN programme_item AS item "
        "ON item.id = place.programme_item_id WHERE place.participant_id = $1 "
        "AND place.is_confirmed AND item.kind = 'matchmaking') ORDER BY held_on, id",
        person_id,
    )


async def profiles_of(connection: Connection, people: Iterable[UUID]) -> dict[UUID, Profile]:
    """Read some people by id, whether they still have a place or not."""
    rows = await connection.fetch(
        f"SELECT {PROFILE} FROM participant AS p WHERE p.id = ANY($1::uuid[])",  # noqa: S608
        list(people),
    )
    return {row["id"]: profile(row) for row in rows}


async def versions(connection: Connection) -> dict[UUID, int]:
    """Give the version of each profile that is needed for a stop of these days, or to come."""
    rows = await connection.fetch(
        "SELECT p.id, p.version FROM participant AS p WHERE p.id IN "
        "(SELECT place.participant_id FROM participation AS place JOIN stop "
        "ON stop.id = place.stop_id WHERE place.is_confirmed "
        "AND stop.held_on >= current_date - 1)"
    )
    return {row["id"]: row["version"] for row in rows}


async def planned(
    connection: Connection, stop_id: UUID, participant_id: UUID
) -> dict[UUID, dict[str, Any]]:
    """Give the meetings that somebody has at a stop, by counterpart."""
    rows = await connection.fetch(
        "SELECT CASE WHEN delegate_id = $2 THEN local_id ELSE delegate_id END AS counterpart_id, "
        "starts_at, ends_at, state FROM meeting WHERE stop_id = $1 "
        "AND $2 IN (delegate_id, local_id) AND state <> 'cancelled' ORDER BY starts_at",
        stop_id,
        participant_id,
    )
    return {row["counterpart_id"]: dict(row) for row in rows}


async def companies(connection: Connection, organizations: Iterable[UUID]) -> dict[UUID, Row]:
    """Give the names of companies, as the last heard of their people has them."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (organization_id) organization_id, organization, native_organization "
        "FROM participant WHERE organization_id = ANY($1::uuid[]) "
        "ORDER BY organization_id, version DESC",
        list(organizations),
    )
    return {row["organization_id"]: row for row in rows}


async def companies_of(
    connection: Connection, stop_id: UUID, people: Iterable[UUID]
) -> dict[UUID, tuple[UUID, int]]:
    """Give the company of each of these people, and how many represent it at the stop."""
    rows = await connection.fetch(
        "SELECT p.id, p.organization_id, count(DISTINCT place.participant_id) AS people "
        "FROM participant AS p JOIN participant AS other USING (organization_id) "
        "JOIN participation AS place ON place.participant_id = other.id "
        "AND place.stop_id = $1 AND place.is_confirmed "
        "WHERE p.id = ANY($2::uuid[]) GROUP BY p.id",
        stop_id,
        list(people),
    )
    return {row["id"]: (row["organization_id"], row["people"]) for row in rows}


async def people_at(
    connection: Connection, stop_id: UUID, side: Side, words: str = "", limit: int = 1_000
) -> Sequence[Row]:
    """List a side's people with a place among the meetings whose company has all the words."""
    return await connection.fetch(
        "SELECT p.id, p.organization, p.native_organization, p.partner_id FROM participant AS p "
        "WHERE p.side = $2 AND p.id IN (SELECT place.participant_id FROM participation AS place "
        "JOIN programme_item AS item ON item.id = place.programme_item_id "
        "WHERE place.stop_id = $1 AND place.is_confirmed AND item.kind = 'matchmaking') "
        "AND NOT EXISTS (SELECT FROM unnest($3::text[]) AS word WHERE position(word IN "
        "lower(concat_ws(' ', p.organization, p.native_organization))) = 0) "
        'ORDER BY p.organization COLLATE "C", p.id LIMIT $4',
        stop_id,
        side,
        words.lower().split(),
        limit,
    )
