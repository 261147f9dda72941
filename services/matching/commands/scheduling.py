"""Scheduling: a job for the solver, run in a process of its own, becomes a provisional version."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import structlog

from services.matching.commands import looking
from services.matching.commands.stating import Stated, state
from services.matching.domain.fitting import as_entry
from services.matching.domain.problem import Problem, Solution
from services.matching.domain.unmet import Around, unmet
from services.matching.domain.versions import Entry
from services.matching.store import schedules as store
from services.matching.store import versions
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database, own_connection, stand_by
from shared.waiting import moment

SOLVER_LOCK = 7_411_004
LOOK_SECONDS = 1.0
START_SECONDS_MAX = 20
"""Loading the solver's library takes seconds on a busy machine."""

log = structlog.get_logger()


class SolverFailed(Exception):
    """The solver's process ended without a solution."""


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


async def solve_for_ever(database: Database, asked: asyncio.Event) -> None:
    """Work on what is asked for, one schedule after the other.

    A second process waits as a stand-by. What a crash left half done is done again.
    """
    lock = await own_connection(database.dsn)
    try:
        await stand_by(lock, SOLVER_LOCK)
        async with database.transaction() as connection:
            await store.queue_again(connection)
        while True:
            asked.clear()
            if not await solve_next(database):
                await moment(asked, LOOK_SECONDS)
    finally:
        lock.terminate()


async def solve_next(database: Database) -> bool:
    """Solve the oldest schedule asked for, and say whether there was one."""
    async with database.transaction() as connection:
        job = await store.claim(connection)
    if job is None:
        return False
    async with database.reading() as connection:
        stop = await looking.existing_stop(connection, job["stop_id"])
        stated = await state(connection, stop["id"], stop["mission_id"], job["seconds_max"])
    try:
        solution = await _in_a_process(stated.problem)
    except SolverFailed as failure:
        log.warning("schedule failed", schedule_id=str(job["id"]), reason=str(failure))
        async with database.transaction() as connection:
            await store.fail(connection, job["id"], str(failure))
        return True
    entries = entries_of(stated, solution)
    around = Around(stated.wishes, stated.met, stated.barred)
    missing = unmet(stated.problem, solution, around)
    async with database.transaction() as connection:
        await store.finish(connection, job["id"], solution, entries, missing)
        await versions.leave_out(connection, job["id"], stated.handed.left_out)
    log.info("schedule solved", schedule_id=str(job["id"]), meetings=len(entries))
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


async def _in_a_process(problem: Problem) -> Solution:
    """Run the solver beside this process; raises `SolverFailed` with the end of what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.matching.solver",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(problem.seconds_max + START_SECONDS_MAX):
            out, said = await process.communicate(problem.model_dump_json().encode())
    except TimeoutError:
        raise SolverFailed("The solver did not end in time.") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode != 0:
        raise SolverFailed(said.decode(errors="replace").strip()[-500:] or "The solver failed.")
    return Solution.model_validate_json(out)
