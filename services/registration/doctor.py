"""What registration needs around it."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from services.registration.settings import RegistrationSettings
from shared.doctor import log, machine, outbox, peers, postgres
from shared.doctor.examining import Check
from shared.doctor.machine import Needs
from shared.doctor.peers import Peer

HERE = Path(__file__).parent
NOBODY = UUID(int=0)
TOPIC = "registration"


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
        postgres.check(postgres.Place(dsn, "registration", HERE / "migrations", connections=2)),
        outbox.check(dsn, publishes=True, to_kafka=log.is_kafka(settings)),
        *log.checks(settings, [TOPIC], {}),
        *peers.checks(
            settings, "registration", HERE / "pages" / "static" / "registration.css", around
        ),
        machine.check(Needs(memory_mib=384), prints=True),
    ]
