"""Supervising: the solver's process is started, heard, ended when staff asks, and outlived."""

import asyncio
import contextlib
import sys
from uuid import UUID

from services.matching.domain.reports import Ended, Job, Report
from services.matching.store import schedules as store
from shared.postgres import Database
from shared.process import cancel

START_SECONDS_MAX = 60
"""Loading the solver's library and reading a stop take seconds on a busy machine."""
LOOK_SECONDS = 0.5
LINE_BYTES_MAX = 1 << 24
"""A version with thousands of meetings is one line."""
REASON_LENGTH_MAX = 500


async def supervised(database: Database, schedule_id: UUID, job: Job) -> tuple[Ended, str | None]:
    """Run a search in a process of its own, write what it says, and tell how it ended, and why so.

    Whatever becomes of the process: what it said before is written.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.matching.solver",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LINE_BYTES_MAX,
    )
    assert process.stderr is not None
    cancelled = asyncio.create_task(_cancelled(database, schedule_id, process))
    said = asyncio.create_task(process.stderr.read())
    try:
        async with asyncio.timeout(job.seconds_max + START_SECONDS_MAX):
            last = await _written(database, schedule_id, job, process)
            await process.wait()
    except TimeoutError:
        return "time", "The solver did not end in time."
    finally:
        _kill(process)
        await process.wait()
        reason = (await said).decode(errors="replace").strip()[-REASON_LENGTH_MAX:]
        await cancel([cancelled])
    if not cancelled.cancelled():
        cancelled.result()
        return "cancelled", None
    if process.returncode != 0:
        return "broken", reason or f"The solver's process ended with {process.returncode}."
    return "proved" if last and last.is_proved else "time", None


async def _written(
    database: Database, schedule_id: UUID, job: Job, process: asyncio.subprocess.Process
) -> Report | None:
    """Give the job and write each report; what was said last is given."""
    assert process.stdin is not None
    assert process.stdout is not None
    last = None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(job.model_dump_json().encode())
        process.stdin.close()
        await process.stdin.wait_closed()
    async for line in process.stdout:
        last = Report.model_validate_json(line)
        async with database.transaction() as connection:
            await store.note(connection, schedule_id, last)
    return last


async def _cancelled(
    database: Database, schedule_id: UUID, process: asyncio.subprocess.Process
) -> None:
    """Wait until staff asks for the end, in whichever process of this service, and bring it."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        async with database.reading() as connection:
            if await store.is_cancelled(connection, schedule_id):
                break
    _kill(process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
