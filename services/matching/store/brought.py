"""Whom a partner brought, and what became of their meetings."""

from collections.abc import Collection, Sequence
from uuid import UUID

import asyncpg

from services.matching.domain.meetings import Meeting
from services.matching.store.meetings import MEETING, read
from shared.postgres import Connection

Row = asyncpg.Record

# By index twice: with OR every meeting would be looked at.
_MET = (
    "(SELECT one.id FROM participant AS own JOIN meeting AS one ON one.delegate_id = own.id "
    "WHERE own.partner_id = $1 UNION SELECT one.id FROM participant AS own "
    "JOIN meeting AS one ON one.local_id = own.id WHERE own.partner_id = $1)"
)


async def mission_of(connection: Connection, partner_id: UUID) -> UUID | None:
    """Give the mission of a partner that brought somebody or hosts a stop."""
    found: UUID | None = await connection.fetchval(
        "SELECT mission_id FROM participant WHERE partner_id = $1 "
        "UNION ALL SELECT mission_id FROM stop WHERE hosts @> ARRAY[$1::uuid] LIMIT 1",
        partner_id,
    )
    return found


async def numbers(connection: Connection, partner_id: UUID) -> Sequence[Row]:
    """List the stops where a partner brought people, by day, each with its numbers.

    `people` are those with a place or a meeting, `people_meeting` those of them with a meeting;
    a meeting of two of them counts once.
    """
    return await connection.fetch(
        """
        WITH own AS (
            SELECT id FROM participant WHERE partner_id = $1
        ), met AS (
            SELECT one.id, stop_id, state, own.id AS person_id
            FROM own JOIN meeting AS one ON one.delegate_id = own.id
            UNION ALL SELECT one.id, stop_id, state, own.id
            FROM own JOIN meeting AS one ON one.local_id = own.id
        ), there AS (
            SELECT place.stop_id, own.id AS person_id, true AS is_there, false AS meets
            FROM own JOIN participation AS place ON place.participant_id = own.id
            JOIN programme_item AS item ON item.id = place.programme_item_id
            WHERE place.is_confirmed AND item.kind = 'matchmaking'
            UNION ALL SELECT stop_id, person_id, state <> 'cancelled', state <> 'cancelled' FROM met
        ), people AS (
            SELECT stop_id, count(DISTINCT person_id) FILTER (WHERE is_there) AS people,
                   count(DISTINCT person_id) FILTER (WHERE meets) AS people_meeting
            FROM there GROUP BY stop_id
        ), counted AS (
            SELECT stop_id,
                   count(*) FILTER (WHERE state IN ('scheduled', 'called', 'in_progress'))
                       AS planned,
                   count(*) FILTER (WHERE state = 'completed') AS held,
                   count(*) FILTER (WHERE state = 'no_show') AS no_show,
                   count(*) FILTER (WHERE state = 'cancelled') AS cancelled
            FROM (SELECT DISTINCT id, stop_id, state FROM met) AS one GROUP BY stop_id
        )
        SELECT stop.id, stop.mission_id, stop.city, stop.title, stop.timezone, stop.held_on,
               people.people, people.people_meeting, coalesce(planned, 0) AS planned,
               coalesce(held, 0) AS held, coalesce(no_show, 0) AS no_show,
               coalesce(cancelled, 0) AS cancelled
        FROM people JOIN stop ON stop.id = people.stop_id
        LEFT JOIN counted ON counted.stop_id = people.stop_id
        ORDER BY stop.held_on, stop.slug, stop.id
        """,
        partner_id,
    )


async def people(connection: Connection, partner_id: UUID, stop_id: UUID) -> Sequence[Row]:
    """List whom a partner brought to a stop, by company; `has_place`: still among its meetings."""
    return await connection.fetch(
        "SELECT * FROM (SELECT id, organization_id, organization, native_organization, EXISTS "
        "(SELECT FROM participation AS place JOIN programme_item AS item "
        "ON item.id = place.programme_item_id WHERE place.participant_id = own.id "
        "AND place.stop_id = $2 AND place.is_confirmed AND item.kind = 'matchmaking') AS has_place "
        "FROM participant AS own WHERE partner_id = $1) AS own WHERE has_place "
        "OR EXISTS (SELECT FROM meeting WHERE delegate_id = own.id AND stop_id = $2) "
        "OR EXISTS (SELECT FROM meeting WHERE local_id = own.id AND stop_id = $2) "
        'ORDER BY organization COLLATE "C", organization_id, id',
        partner_id,
        stop_id,
    )


async def meetings_of(
    connection: Connection, stop_id: UUID, people: Collection[UUID]
) -> list[Meeting]:
    """List the meetings that some people have or had at a stop, in order of time."""
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting WHERE stop_id = $1 "  # noqa: S608
        "AND (delegate_id = ANY($2::uuid[]) OR local_id = ANY($2::uuid[])) ORDER BY starts_at, id",
        stop_id,
        list(people),
    )
    return [read(row) for row in rows]


async def meetings(
    connection: Connection,
    partner_id: UUID,
    stops: Collection[UUID],
    after: UUID | None,
    limit: int,
) -> list[Meeting]:
    """List the meetings of a partner's people at some stops, by id, after one of them."""
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting WHERE id IN {_MET} "  # noqa: S608
        "AND stop_id = ANY($2::uuid[]) AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4",
        partner_id,
        list(stops),
        after,
        limit,
    )
    return [read(row) for row in rows]


async def own(connection: Connection, partner_id: UUID, people: Collection[UUID]) -> set[UUID]:
    """Give those of some people whom a partner brought."""
    rows = await connection.fetch(
        "SELECT id FROM participant WHERE partner_id = $1 AND id = ANY($2::uuid[])",
        partner_id,
        list(people),
    )
    return {row["id"] for row in rows}
