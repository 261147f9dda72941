"""The ledger of outcomes: deals, and what was said of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.outcomes import Deal, Evidence, Speaker, Statement
from shared.postgres import Connection

Row = asyncpg.Record
Facts = Mapping[str, Any]

OUTCOME = (
    "id, mission_id, stop_id, meeting_id, delegate_id, local_id, delegate_organization_id, "
    "local_organization_id, opened_at"
)
STATEMENT = (
    "outcome_id, revision, act, kind, value, currency, evidence, is_evidenced, note, side, "
    "stated_by, stated_role, stated_at"
)
OUTCOMES_AT_ONCE = 1_000
"""How many are read at a time where all are counted."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deals of a mission are wanted: of a stop, of companies; None leaves out none."""

    mission_id: UUID
    stop_id: UUID | None = None
    organizations: Sequence[UUID] | None = None


async def lock_companies(connection: Connection, mission_id: UUID, pair: Sequence[UUID]) -> None:
    """Let nobody else open a deal of two companies until this transaction ends."""
    name = f"outcome {mission_id} {' '.join(map(str, pair))}"
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)


async def add(connection: Connection, outcome: Facts) -> None:
    """Open a deal."""
    names = OUTCOME.split(", ")
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    await connection.execute(
        f"INSERT INTO outcome ({OUTCOME}) VALUES ({values})",  # noqa: S608
        *(outcome[name] for name in names),
    )


async def say(connection: Connection, outcome_id: UUID, said: Statement) -> None:
    """Add a statement to a deal that is locked."""
    await connection.execute(
        f"INSERT INTO outcome_statement ({STATEMENT}) "  # noqa: S608
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        outcome_id,
        said.revision,
        said.act,
        said.deal.kind,
        said.deal.value,
        said.deal.currency,
        [one.model_dump() for one in said.evidence],
        said.is_evidenced,
        said.note,
        said.by.side,
        said.by.id,
        said.by.role,
        said.at,
    )


async def one(connection: Connection, outcome_id: UUID) -> Row | None:
    """Read a deal."""
    return await connection.fetchrow(
        f"SELECT {OUTCOME} FROM outcome WHERE id = $1",  # noqa: S608
        outcome_id,
    )


async def of_companies(
    connection: Connection, mission_id: UUID, pair: tuple[UUID, UUID]
) -> Sequence[Row]:
    """List the deals of two companies, the delegation's first, in the order of their opening."""
    return await connection.fetch(
        f"SELECT {OUTCOME} FROM outcome WHERE mission_id = $1 "  # noqa: S608
        "AND delegate_organization_id = $2 AND local_organization_id = $3 ORDER BY opened_at, id",
        mission_id,
        *pair,
    )


async def of_mission(
    connection: Connection, wanted: Wanted, after: UUID | None, limit: int
) -> Sequence[Row]:
    """List deals, the last opened first; with `after`, those that come after that deal."""
    return await connection.fetch(
        f"SELECT {OUTCOME} FROM outcome WHERE mission_id = $1 "  # noqa: S608
        "AND ($2::uuid IS NULL OR stop_id = $2) AND ($3::uuid[] IS NULL "
        "OR delegate_organization_id = ANY($3) OR local_organization_id = ANY($3)) "
        "AND ($4::uuid IS NULL "
        "OR (opened_at, id) < (SELECT opened_at, id FROM outcome WHERE id = $4)) "
        "ORDER BY opened_at DESC, id DESC LIMIT $5",
        wanted.mission_id,
        wanted.stop_id,
        wanted.organizations,
        after,
        limit,
    )


async def organizations_of(
    connection: Connection, mission_id: UUID, person_id: UUID, partner_id: UUID | None
) -> list[UUID]:
    """List the companies in a mission of a person, and of those whom a partner brought."""
    return (
        await connection.fetchval(
            "SELECT coalesce(array_agg(DISTINCT organization_id), '{}') FROM participant "
            "WHERE mission_id = $1 AND (id = $2 OR partner_id = $3)",
            mission_id,
            person_id,
            partner_id,
        )
        or []
    )


async def statements(
    connection: Connection, outcome_ids: Sequence[UUID]
) -> dict[UUID, list[Statement]]:
    """Read all that was said of deals, in order."""
    rows = await connection.fetch(
        f"SELECT {STATEMENT} FROM outcome_statement "  # noqa: S608
        "WHERE outcome_id = ANY($1::uuid[]) ORDER BY outcome_id, revision",
        list(outcome_ids),
    )
    found: dict[UUID, list[Statement]] = {outcome_id: [] for outcome_id in outcome_ids}
    for row in rows:
        found[row["outcome_id"]].append(_statement(row))
    return found


async def parties(connection: Connection, people: Sequence[UUID]) -> dict[UUID, Row]:
    """Read who participants are: side, company, mission and the partner who invited them."""
    rows = await connection.fetch(
        "SELECT id, mission_id, side, organization_id, organization, native_organization, "
        "partner_id FROM participant WHERE id = ANY($1::uuid[])",
        list(people),
    )
    return {row["id"]: row for row in rows}


async def representatives(
    connection: Connection, mission_id: UUID, organizations: Sequence[UUID]
) -> dict[UUID, Row]:
    """Read who represents companies in a mission.

    Anybody may register and say to be of a company. Who stands for it in the ledger was brought by
    somebody who works on the mission, or sat at a table for it, or is named in a deal.
    """
    rows = await connection.fetch(
        "SELECT id, side, organization_id, partner_id FROM participant AS p "
        "WHERE mission_id = $1 AND organization_id = ANY($2::uuid[]) "
        "AND (side = 'delegation' OR partner_id IS NOT NULL "
        "OR EXISTS (SELECT FROM meeting WHERE local_id = p.id "
        "AND state NOT IN ('cancelled', 'no_show')) "
        "OR EXISTS (SELECT FROM outcome WHERE local_id = p.id))",
        mission_id,
        list(organizations),
    )
    return {row["id"]: row for row in rows}


async def meeting_of(connection: Connection, delegate_id: UUID, local_id: UUID) -> Row | None:
    """Find the meeting of two, and its stop."""
    return await connection.fetchrow(
        "SELECT id, stop_id FROM meeting WHERE delegate_id = $1 AND local_id = $2 "
        "AND state <> 'cancelled'",
        delegate_id,
        local_id,
    )


async def stops(connection: Connection, mission_id: UUID) -> Sequence[Row]:
    """List a mission's stops, in order."""
    return await connection.fetch(
        "SELECT id, mission_id, city, title, held_on, timezone FROM stop WHERE mission_id = $1 "
        "ORDER BY held_on, slug",
        mission_id,
    )


async def missions(connection: Connection) -> Sequence[Row]:
    """List the missions, the last first; at most 50."""
    return await connection.fetch(
        "SELECT mission.id, mission.title FROM mission LEFT JOIN stop "
        "ON stop.mission_id = mission.id GROUP BY mission.id "
        "ORDER BY max(held_on) DESC NULLS LAST, mission.id LIMIT 50"
    )


async def met(connection: Connection, person_id: UUID) -> Sequence[Row]:
    """List the meetings of somebody that were not cancelled or missed, in order of time."""
    return await connection.fetch(
        "SELECT id, stop_id, delegate_id, local_id, starts_at, state FROM meeting "
        "WHERE $1 IN (delegate_id, local_id) AND state NOT IN ('cancelled', 'no_show') "
        "ORDER BY starts_at, id LIMIT 500",
        person_id,
    )


def _statement(row: Row) -> Statement:
    return Statement(
        revision=row["revision"],
        act=row["act"],
        deal=Deal(row["kind"], row["value"], row["currency"]),
        evidence=tuple(Evidence.model_validate(one) for one in row["evidence"]),
        is_evidenced=row["is_evidenced"],
        note=row["note"],
        by=Speaker(row["stated_by"], row["stated_role"], row["side"]),
        at=row["stated_at"],
    )
