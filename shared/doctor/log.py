"""The log that the settings name: Kafka, or the outboxes of the publishers."""

from collections.abc import Collection
from functools import partial

from shared.doctor import reading
from shared.doctor.examining import Check
from shared.doctor.findings import Finding, wrong
from shared.doctor.reading import Reads
from shared.process import log_of
from shared.settings import ServiceSettings


def checks(settings: ServiceSettings, publishes: Collection[str], reads: Reads) -> list[Check]:
    """Make the checks of the log, for the topics that a service writes and reads."""
    if not settings.has_kafka:
        own = str(settings.database_url)
        return [reading.check(own, settings.log_databases, reads)] if reads else []
    from shared.doctor import kafka  # the embedded shape never loads Kafka
    from shared.log.kafka import KafkaLog

    try:
        log = log_of(settings)
    except OSError as error:
        return [Check("Kafka", partial(_no_authorities, settings, error), "")]
    assert isinstance(log, KafkaLog)
    topics = dict.fromkeys([*publishes, *(topic for read in reads.values() for topic in read)])
    return [kafka.check(log, list(topics), reads)]


async def _no_authorities(settings: ServiceSettings, error: OSError) -> list[Finding]:
    seen = f"{settings.log_tls_authorities}: {error.strerror or 'holds no certificates'}"
    advice = "The service does not start. Set TRADEWIND_LOG_TLS_AUTHORITIES to a file in PEM."
    return [wrong("Kafka", seen, advice)]
