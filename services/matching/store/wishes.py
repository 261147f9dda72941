"""Preferences, for people and for companies, and all that counts for a schedule."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.requests import Author
from services.matching.domain.wishes import CompanyWish, Wish, Wishes
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]


async def put_preference(
    connection: Connection, preference: Facts, by: Author, now: datetime
) -> bool:
    """Write what is stated, unless a no was stated before; say whether it is written."""
    is_written = await connection.fetchval(
        "INSERT INTO preference (stop_id, participant_id, counterpart_id, kind, again, stated_at, "
        "stated_by, stated_role) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
        "ON CONFLICT (stop_id, participant_id, counterpart_id) "
        "DO UPDATE SET kind = excluded.kind, again = excluded.again, "
        "stated_at = excluded.stated_at, stated_by = excluded.stated_by, "
        "stated_role = excluded.stated_role "
        # One statement: a twin that says no in the same moment has the last word.
        "WHERE preference.kind <> 'no_thanks' OR excluded.kind = 'no_thanks' RETURNING true",
        preference["stop_id"],
        preference["participant_id"],
        preference["counterpart_id"],
        preference["kind"],
        preference["again"],
        now,
        by.id,
        by.role,
    )
    return bool(is_written)


async def put_company_preference(
    connection: Connection, preference: Facts, by: Author, now: datetime
) -> bool:
    """Write what is stated about a company, as for a person."""
    is_written = await connection.fetchval(
        "INSERT INTO company_preference (stop_id, participant_id, organization_id, kind, "
        "stated_at, stated_by, stated_role) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "ON CONFLICT (stop_id, participant_id, organization_id) DO UPDATE "
        "SET kind = excluded.kind, stated_at = excluded.stated_at, "
        "stated_by = excluded.stated_by, stated_role = excluded.stated_role "
        "WHERE company_preference.kind <> 'no_thanks' OR excluded.kind = 'no_thanks' "
        "RETURNING true",
        preference["stop_id"],
        preference["participant_id"],
        preference["organization_id"],
        preference["kind"],
        now,
        by.id,
        by.role,
    )
    return bool(is_written)


async def preferences_of(
    connection: Connection, stop_id: UUID, participant_id: UUID
) -> Sequence[Row]:
    """List what somebody stated at a stop."""
    return await connection.fetch(
        "SELECT stop_id, participant_id, counterpart_id, kind, again, stated_by, stated_role "
        "FROM preference WHERE stop_id = $1 AND participant_id = $2 "
        "ORDER BY stated_at, counterpart_id",
        stop_id,
        participant_id,
    )


async def company_preferences_of(
    connection: Connection, stop_id: UUID, participant_id: UUID
) -> Sequence[Row]:
    """List what somebody stated about companies at a stop."""
    return await connection.fetch(
        "SELECT stop_id, participant_id, organization_id, kind, stated_by, stated_role "
        "FROM company_preference WHERE stop_id = $1 AND participant_id = $2 "
        "ORDER BY stated_at, organization_id",
        stop_id,
        participant_id,
    )


async def refuses(
    connection: Connection, stop_id: UUID, participant_id: UUID, counterpart_id: UUID
) -> bool:
    """Say whether the first said no to the other, or to the other's company."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM preference WHERE stop_id = $1 AND participant_id = $2 "
        "AND counterpart_id = $3 AND kind = 'no_thanks') OR EXISTS "
        "(SELECT FROM company_preference AS about JOIN participant AS p "
        "ON p.organization_id = about.organization_id WHERE about.stop_id = $1 "
        "AND about.participant_id = $2 AND p.id = $3 AND about.kind = 'no_thanks')",
        stop_id,
        participant_id,
        counterpart_id,
    )
    return found


async def company_at(connection: Connection, stop_id: UUID, organization_id: UUID) -> Sequence[str]:
    """List the sides on which a company has people with a place among the stop's meetings."""
    rows = await connection.fetch(
        "SELECT DISTINCT p.side FROM participant AS p JOIN participation AS place "
        "ON place.participant_id = p.id WHERE p.organization_id = $2 AND place.stop_id = $1 "
        "AND place.is_confirmed",
        stop_id,
        organization_id,
    )
    return [row["side"] for row in rows]


async def of_stop(connection: Connection, stop_id: UUID) -> Wishes:
    """Read all that counts for a stop's schedule."""
    rows = await connection.fetch(
        "SELECT participant_id, counterpart_id, kind, again FROM preference WHERE stop_id = $1 "
        "UNION ALL SELECT participant_id, counterpart_id, 'request', false FROM meeting_request "
        "WHERE stop_id = $1 AND status = 'accepted'",
        stop_id,
    )
    expired = await connection.fetch(
        "SELECT DISTINCT participant_id, counterpart_id, 'request' AS kind FROM meeting_request "
        "WHERE stop_id = $1 AND status = 'expired' ORDER BY participant_id, counterpart_id",
        stop_id,
    )
    companies = await connection.fetch(
        "SELECT participant_id, organization_id, kind FROM company_preference WHERE stop_id = $1",
        stop_id,
    )
    return Wishes(
        (Wish(**row) for row in rows),
        (CompanyWish(**row) for row in companies),
        await _company_of(connection, stop_id) if companies else {},
        (Wish(**row) for row in expired),
    )


async def of_person(connection: Connection, stop_id: UUID, participant_id: UUID) -> Wishes:
    """Read what one person states at a stop, of people and of companies."""
    rows = await preferences_of(connection, stop_id, participant_id)
    about = await company_preferences_of(connection, stop_id, participant_id)
    companies = [row["organization_id"] for row in about]
    return Wishes(
        (Wish(participant_id, row["counterpart_id"], row["kind"], row["again"]) for row in rows),
        (CompanyWish(participant_id, row["organization_id"], row["kind"]) for row in about),
        await _company_of(connection, stop_id, companies) if companies else {},
    )


async def _company_of(
    connection: Connection, stop_id: UUID, only: Sequence[UUID] | None = None
) -> dict[UUID, UUID]:
    rows = await connection.fetch(
        "SELECT DISTINCT p.id, p.organization_id FROM participant AS p JOIN participation AS place "
        "ON place.participant_id = p.id WHERE place.stop_id = $1 AND place.is_confirmed "
        "AND ($2::uuid[] IS NULL OR p.organization_id = ANY($2))",
        stop_id,
        only,
    )
    return {row["id"]: row["organization_id"] for row in rows}
