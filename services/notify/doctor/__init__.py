"""What notify needs around it."""

from collections.abc import Sequence
from pathlib import Path

from services.notify.consumer import READS
from services.notify.doctor import live_state, mail, others
from services.notify.settings import NotifySettings
from shared.doctor import log, machine, outbox, peers, postgres
from shared.doctor.examining import Check
from shared.doctor.machine import Needs
from shared.doctor.peers import Peer

HERE = Path(__file__).parents[1]


def checks(settings: NotifySettings) -> Sequence[Check]:
    """List what is to be looked at."""
    dsn = str(settings.database_url)
    # Over the outboxes each consumer holds its cursor; the publishers are read elsewhere.
    own = 0 if settings.has_kafka else len(READS)
    registration = Peer(
        "registration",
        settings.internal_url,
        "TRADEWIND_INTERNAL_URL",
        "/internal/contacts?ids=",
    )
    return [
        postgres.check(postgres.Place(dsn, "notify", HERE / "migrations", connections=own)),
        outbox.check(dsn, publishes=False, to_kafka=False),
        *log.checks(settings, [], READS),
        live_state.check(settings.redis_url),
        mail.check(settings),
        others.check(settings),
        *peers.checks(settings, "notify", HERE / "pages" / "static" / "notify.css", [registration]),
        machine.check(Needs(memory_mib=384), prints=True),
    ]
