"""Repairs: what was proposed, what became of it, and which are taken by rule."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from services.matching.domain.repair.record import Happened, Record
from services.matching.domain.requests import Author
from services.matching.store import facts
from shared.postgres import Connection

Row = asyncpg.Record
State = Literal["open", "accepted", "rejected", "stale"]

REPAIR = (
    "id, stop_id, state, happened, proposal, conflict, taken, is_by_rule, "
    "proposed_at, proposed_by, decided_at, decided_by"
)
LISTED_MAX = 50


async def add(
    connection: Connection,
    about: tuple[UUID, UUID],
    what: tuple[Happened, Record],
    by: Author,
    now: datetime,
) -> None:
    """Keep a proposal; `about`: its id and its stop. Whoever it names can be found by it."""
    happened, record = what
    people = {*record.people, *record.everybody(), *happened.everybody()}
    await connection.execute(
        "INSERT INTO repair (id, stop_id, state, happened, proposal, people, proposed_at, "
        "proposed_by) VALUES ($1, $2, 'open', $3, $4, $5, $6, $7)",
        *about,
        happened.model_dump(mode="json"),
        record.model_dump(mode="json"),
        list(people),
        now,
        by.id,
    )


async def one(connection: Connection, repair_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a proposal."""
    return await connection.fetchrow(
        f"SELECT {REPAIR} FROM repair WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        repair_id,
    )


async def of_stop(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List a stop's proposals, the newest first; at most 50."""
    return await connection.fetch(
        f"SELECT {REPAIR} FROM repair WHERE stop_id = $1 "  # noqa: S608
        "ORDER BY proposed_at DESC, id LIMIT $2",
        stop_id,
        LISTED_MAX,
    )


async def decide(
    connection: Connection,
    repair_id: UUID,
    state: State,
    by: Author,
    now: datetime,
    conflict: dict[str, Any] | None = None,
) -> None:
    """Write what became of a proposal that is open."""
    await connection.execute(
        "UPDATE repair SET state = $2, decided_at = $3, decided_by = $4, conflict = $5 "
        "WHERE id = $1 AND state = 'open'",
        repair_id,
        state,
        now,
        by.id,
        conflict,
    )


async def by_rule(connection: Connection, repair_id: UUID) -> None:
    """Note that nobody but the rule accepted it."""
    await connection.execute("UPDATE repair SET is_by_rule = true WHERE id = $1", repair_id)


async def take(connection: Connection, repair_id: UUID, number: int) -> None:
    """Note that an offer is taken."""
    await connection.execute(
        "UPDATE repair SET taken = array_append(taken, $2) WHERE id = $1", repair_id, number
    )


async def rule(connection: Connection, stop_id: UUID) -> int | None:
    """Read how many meetings a repair may move at most to be taken at once; None: none is."""
    found: int | None = await connection.fetchval(
        "SELECT meetings_max FROM repair_rule WHERE stop_id = $1", stop_id
    )
    return found


async def put_rule(connection: Connection, stop_id: UUID, meetings_max: int | None) -> None:
    """Set the rule of a stop, or end it."""
    if meetings_max is None:
        await connection.execute("DELETE FROM repair_rule WHERE stop_id = $1", stop_id)
        return
    await connection.execute(
        "INSERT INTO repair_rule (stop_id, meetings_max) VALUES ($1, $2) "
        "ON CONFLICT (stop_id) DO UPDATE SET meetings_max = excluded.meetings_max",
        stop_id,
        meetings_max,
    )


async def people_at(connection: Connection, stop_id: UUID) -> Sequence[Row]:
    """List who has a place at which item of the stop, with side and languages."""
    return await connection.fetch(
        "SELECT p.id, p.side, p.languages, place.programme_item_id AS item_id "
        "FROM participation AS place JOIN participant AS p ON p.id = place.participant_id "
        "WHERE place.stop_id = $1 AND place.is_confirmed",
        stop_id,
    )


async def stops_of_days(connection: Connection, first: date, last: date) -> Sequence[Row]:
    """List the stops of these days at which somebody is to meet, in order of their days."""
    return await connection.fetch(
        f"SELECT {facts.STOP} FROM stop WHERE held_on BETWEEN $1 AND $2 AND EXISTS "  # noqa: S608
        "(SELECT FROM meeting WHERE stop_id = stop.id AND state <> 'cancelled') "
        "ORDER BY held_on, id",
        first,
        last,
    )


async def forget(connection: Connection, before: datetime, limit: int) -> int:
    """Delete one batch of the proposals made before a time, and count it."""
    done = await connection.execute(
        "DELETE FROM repair WHERE id IN (SELECT id FROM repair WHERE proposed_at < $1 LIMIT $2)",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
