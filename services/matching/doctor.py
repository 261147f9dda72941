"""What matching needs around it."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from services.matching.commands.supervising import START_SECONDS_MAX
from services.matching.consumer import NAME, TOPICS
from services.matching.settings import MatchingSettings
from shared.doctor import log, machine, outbox, peers, postgres
from shared.doctor.examining import Check
from shared.doctor.findings import Finding, ok, wrong
from shared.doctor.machine import Needs
from shared.doctor.peers import Peer

HERE = Path(__file__).parent
TOPIC = "matching"
SOLVER = "services.matching.commands.solving"
REASON_LENGTH_MAX = 200


def checks(settings: MatchingSettings) -> Sequence[Check]:
    """List what is to be looked at."""
    dsn = str(settings.database_url)
    registration = Peer(
        "registration",
        settings.internal_url,
        "TRADEWIND_INTERNAL_URL",
        "/internal/contacts?ids=",
    )
    return [
        # The sequencer, the publisher, the solver and who waits for one, and days that are kept.
        postgres.check(postgres.Place(dsn, "matching", HERE / "migrations", connections=5)),
        outbox.check(dsn, publishes=True, to_kafka=settings.has_kafka),
        *log.checks(settings, [TOPIC], {NAME: TOPICS}),
        *peers.checks(
            settings, "matching", HERE / "pages" / "static" / "matching.css", [registration]
        ),
        Check("solver", solver, "The machine is too slow to load it.", START_SECONDS_MAX),
        machine.check(Needs(memory_mib=640, cores=2)),
    ]


async def solver(module: str = SOLVER) -> list[Finding]:
    """Load what the solver's process loads, in a process: a library may end the one it is in."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", f"import {module}"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == 0:
        return [ok("solver", "its libraries load")]
    last = complaints.decode(errors="replace").strip().rpartition("\n")[2][:REASON_LENGTH_MAX]
    return [
        wrong(
            "solver",
            last or f"ended with {process.returncode}",
            "No schedule can be made: install requirements.txt anew, for this processor.",
        )
    ]
