"""Supervising: the solver's process is started, heard, ended when staff asks, and outlived."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from typing import IO
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
REASON_BYTES_MAX = 500

Process = subprocess.Popen[bytes]


async def supervised(database: Database, schedule_id: UUID, job: Job) -> tuple[Ended, str | None]:
    """Run a search in a process of its own, write what it says, and tell how it ended, and why so.

    Whatever becomes of the process: what it said before is written.
    """
    with tempfile.TemporaryFile() as complaints:
        # In a thread: the event loop's own way copies the page tables of a large process, and
        # everybody waits meanwhile.
        process = await asyncio.to_thread(_started, job, complaints)
        cancelled = asyncio.create_task(_cancelled(database, schedule_id, process))
        try:
            async with asyncio.timeout(job.seconds_max + START_SECONDS_MAX):
                last = await _written(database, schedule_id, process)
                await asyncio.to_thread(process.wait)
        except TimeoutError:
            return "time", "The solver did not end in time."
        finally:
            process.kill()
            await asyncio.to_thread(process.wait)
            await cancel([cancelled])
        if not cancelled.cancelled():
            cancelled.result()
            return "cancelled", None
        if process.returncode != 0:
            return "broken", _end_of(complaints) or f"It ended with {process.returncode}."
        return "proved" if last and last.is_proved else "time", None


def _started(job: Job, complaints: IO[bytes]) -> Process:
    process = subprocess.Popen(
        [sys.executable, "-m", "services.matching.solver"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
    )
    assert process.stdin is not None
    # A few hundred bytes, which the pipe takes whether or not somebody reads.
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(job.model_dump_json().encode())
        process.stdin.close()
    return process


async def _written(database: Database, schedule_id: UUID, process: Process) -> Report | None:
    """Write each report; what was said last is given."""
    assert process.stdout is not None
    reader = asyncio.StreamReader(limit=LINE_BYTES_MAX)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), process.stdout
    )
    last = None
    try:
        async for line in reader:
            last = Report.model_validate_json(line)
            async with database.transaction() as connection:
                await store.note(connection, schedule_id, last)
    finally:
        transport.close()
    return last


async def _cancelled(database: Database, schedule_id: UUID, process: Process) -> None:
    """Wait until staff asks for the end, in whichever process of this service, and bring it."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        async with database.reading() as connection:
            if await store.is_cancelled(connection, schedule_id):
                break
    process.kill()


def _end_of(complaints: IO[bytes]) -> str:
    size = complaints.seek(0, 2)
    complaints.seek(max(0, size - REASON_BYTES_MAX))
    return complaints.read().decode(errors="replace").strip()
