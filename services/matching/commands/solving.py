"""Solving: what the solver's process does. It reads a stop, searches, and says what it finds.

It may read the database and writes nothing: what it says is written by the service.
"""

from collections.abc import Callable
from time import monotonic

from services.matching.commands.scheduling import entries_of
from services.matching.commands.stating import Stated, state
from services.matching.domain.problem import Placed, Progress
from services.matching.domain.reports import Found, Job, Report
from services.matching.domain.timetable import solve
from services.matching.domain.unmet import Around, unmet
from shared.postgres import own_connection

Write = Callable[[Report], None]


async def read(job: Job) -> Stated:
    """Read what is to be scheduled, in one state of the database."""
    connection = await own_connection(job.dsn)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return await state(connection, job.stop_id, job.mission_id, job.seconds_max)
    finally:
        await connection.close()


def search(stated: Stated, write: Write) -> None:
    """Search for the best schedule, and write what is found on the way; the last is the best."""
    teller = _Teller(stated, write)
    began = monotonic()
    solution = solve(stated.problem, teller.tell)
    teller.tell(Progress(stage="tables", seconds=monotonic() - began, solution=solution))


class _Teller:
    def __init__(self, stated: Stated, write: Write) -> None:
        self._stated, self._write = stated, write
        self._told: tuple[Placed, ...] | None = None

    def tell(self, progress: Progress) -> None:
        placed = progress.solution.placed
        found = None if placed == self._told else self._version(progress)
        self._told = placed
        self._write(Report.of(progress, len(self._stated.problem.musts), found))

    def _version(self, progress: Progress) -> Found:
        stated = self._stated
        around = Around(stated.wishes, stated.met, stated.barred)
        return Found.of(
            entries_of(stated, progress.solution),
            unmet(stated.problem, progress.solution, around),
            stated.handed.left_out,
        )
