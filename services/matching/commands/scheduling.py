"""Scheduling: a job for the solver, run in a process of its own, becomes a provisional version."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import structlog

from services.matching.commands import looking
from services.matching.commands.stating import Stated
from services.matching.commands.supervising import supervised
from services.matching.domain.fitting import as_entry
from services.matching.domain.problem import Solution
from services.matching.domain.reports import Job
from services.matching.domain.versions import Entry
from services.matching.store import schedules as store
from shared.errors import Conflict
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database, own_connection, stand_by
from shared.waiting import moment

SOLVER_LOCK = 7_411_004
LOOK_SECONDS = 1.0

log = structlog.get_logger()


async def ask(
    database: Database, stop_id: UUID, seconds_max: int, key: Key | None, at: datetime
) -> Answer:
    """Queue a schedule; raises `NotFound`."""

    async def effect(connection: Connection) -> Answer:
        await looking.existing_stop(connection, stop_id)
        schedule_id = uuid4()
        await store.add(connection, schedule_id, stop_id, seconds_max, at)
        content = {
            "id": str(schedule_id),
            "stop_id": str(stop_id),
            "number": None,
            "state": "draft",
            "progress": "queued",
        }
        return Answer(content, status=202)

    return await once(database, key, effect)


async def cancel(database: Database, schedule_id: UUID) -> dict[str, Any]:
    """End a search; what it has found so far is kept as a provisional version.

    A repeat changes nothing. Raises `NotFound`, or `Conflict` when it is over.
    """
    async with database.transaction() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
        if not await store.cancel(connection, schedule_id) and not schedule["is_cancelled"]:
            raise Conflict("This schedule is made already.", code="illegal_state")
        schedule = await looking.existing_schedule(connection, schedule_id)
        names = ("id", "stop_id", "number", "state", "progress", "is_cancelled")
        return {name: schedule[name] for name in names}


async def solve_for_ever(database: Database, asked: asyncio.Event) -> None:
    """Work on what is asked for, one schedule after the other.

    A second process waits as a stand-by. What a crash left half done stands, or is done again.
    """
    lock = await own_connection(database.dsn)
    try:
        await stand_by(lock, SOLVER_LOCK)
        async with database.transaction() as connection:
            await store.resume(connection)
        while True:
            asked.clear()
            if not await solve_next(database):
                await moment(asked, LOOK_SECONDS)
    finally:
        lock.terminate()


async def solve_next(database: Database) -> bool:
    """Solve the oldest schedule asked for, and say whether there was one."""
    async with database.transaction() as connection:
        row = await store.claim(connection)
    if row is None:
        return False
    async with database.reading() as connection:
        stop = await looking.existing_stop(connection, row["stop_id"])
    job = Job(
        dsn=database.dsn,
        stop_id=stop["id"],
        mission_id=stop["mission_id"],
        seconds_max=row["seconds_max"],
    )
    ended, reason = await supervised(database, row["id"], job)
    async with database.transaction() as connection:
        if await store.settle(connection, row["id"], ended, reason):
            log.info("schedule solved", schedule_id=str(row["id"]), ended=ended)
        elif ended == "cancelled":
            await store.give_up(connection, row["id"])
        else:
            log.warning("schedule failed", schedule_id=str(row["id"]), reason=reason)
            await store.fail(connection, row["id"], reason or "Nothing was found in time.")
    return True


def entries_of(stated: Stated, solution: Solution) -> Sequence[Entry]:
    """Give the whole version: what stays, and what was placed around it."""
    problem = stated.problem
    needs = {(c.delegate_id, c.local_id): c.needs_interpreter for c in problem.candidates}
    now = {meeting.people: meeting.id for meeting in stated.current}
    placed = [
        Entry(
            session_id=problem.times[one.time].session_id,
            delegate_id=one.delegate_id,
            local_id=one.local_id,
            starts_at=problem.times[one.time].starts_at,
            ends_at=problem.times[one.time].ends_at,
            point_id=one.point_id,
            interpreter_id=one.interpreter_id,
            interpreter_needed=needs[one.delegate_id, one.local_id],
            meeting_id=now.get((one.delegate_id, one.local_id)),
        )
        for one in solution.placed
    ]
    by_hand = {entry.people: entry for entry in stated.handed.placed}
    kept = [by_hand.get(meeting.people) or as_entry(meeting) for meeting in stated.fixed]
    return sorted([*kept, *placed], key=lambda e: (e.starts_at, e.point_id))
