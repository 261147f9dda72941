"""The solver as a process: a job on standard input, reports on standard output, a line for each.

A process of its own: the search takes a whole core, and none of it from those who wait for answers.
For the same reason it is nice: where cores are few, everything else goes first.
"""

import asyncio
import os
import sys

from services.matching.commands.solving import read, search
from services.matching.domain.reports import Job, Report

NICENESS = 10


def _write(report: Report) -> None:
    sys.stdout.write(report.model_dump_json() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    os.nice(NICENESS)
    job = Job.model_validate_json(sys.stdin.buffer.read())
    search(asyncio.run(read(job)), _write)
