"""The solver as a process: a job on standard input, reports on standard output, a line for each.

A process of its own: the search takes a whole core, and none of it from those who wait for answers.
For the same reason it is nice: where cores are few, everything else goes first. It is a group of
its own, which a terminal's Ctrl-C does not reach, in the session of its parent: Linux weighs
sessions against one another, and a nice process in one of its own would be nice to nobody.
"""

import asyncio
import os
import sys

NICENESS = 10


def main() -> None:
    """Do one job."""
    os.setpgid(0, 0)
    os.nice(NICENESS)
    # Not before: to load all this takes a core for a second or two.
    from services.matching.commands.solving import read, search
    from services.matching.domain.reports import Job, Report

    def write(report: Report) -> None:
        sys.stdout.write(report.model_dump_json() + "\n")
        sys.stdout.flush()

    job = Job.model_validate_json(sys.stdin.buffer.read())
    search(asyncio.run(read(job)), write)


if __name__ == "__main__":
    main()
