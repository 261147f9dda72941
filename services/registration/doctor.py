"""What registration needs around it."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from uuid import UUID

from services.registration.commands.committing import AT_WORK_MAX
from services.registration.settings import RegistrationSettings
from shared.doctor import log, machine, outbox, peers, postgres
from shared.doctor.examining import Check
from shared.doctor.findings import Finding, ok, warning
from shared.doctor.machine import Needs
from shared.doctor.peers import Peer

HERE = Path(__file__).parent
NOBODY = UUID(int=0)
TOPIC = "registration"
DECODER = HERE / "pages" / "static" / "zxing" / "dist" / "reader" / "zxing_reader.wasm"


def checks(settings: RegistrationSettings) -> Sequence[Check]:
    """List what is to be looked at."""
    dsn = str(settings.database_url)
    around = [
        Peer(
            "matching",
            settings.matching_url,
            "TRADEWIND_MATCHING_URL",
            f"/internal/matching/people/{NOBODY}",
        ),
        Peer(
            "notify",
            settings.notify_url,
            "TRADEWIND_NOTIFY_URL",
            f"/internal/notify/people/{NOBODY}",
        ),
    ]
    return [
        postgres.check(
            postgres.Place(dsn, "registration", HERE / "migrations", connections=2 + AT_WORK_MAX)
        ),
        outbox.check(dsn, publishes=True, to_kafka=settings.has_kafka),
        *log.checks(settings, [TOPIC], {}),
        *peers.checks(
            settings, "registration", HERE / "pages" / "static" / "registration.css", around
        ),
        Check(
            "scanner", partial(scanner, DECODER), "See whether the service's files are all there."
        ),
        machine.check(Needs(memory_mib=384), prints=True),
    ]


async def scanner(decoder: Path) -> Sequence[Finding]:
    """Say whether every phone can read badges."""
    about = "scanner"
    if await asyncio.to_thread(decoder.exists):
        return [ok(about, "phones without a decoder get ours")]
    return [
        warning(
            about,
            "the decoder for phones without one is not there",
            "At the door, iPhones cannot scan badges: their users type codes. Run scripts/setup "
            "run with npm, and build the image again.",
        )
    ]
