"""Events that wait, records set aside, and consumers that are behind, on both logs."""

import secrets
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer

from services.embedded.servers.child import free_port
from shared.doctor import kafka, outbox, reading
from shared.doctor.findings import Finding
from shared.log.kafka import KafkaLog
from shared.postgres import Database, migrate
from tests.shared.doctor.conftest import PASSWORD, found

if TYPE_CHECKING:
    from tests.shared.doctor.conftest import House

TOPIC = "registration"
READS = {"matching": [TOPIC]}
LONG = timedelta(minutes=3)


async def waits(house: "House", since: datetime, position: int | None = None) -> None:
    """Put an event into the outbox that was told at a time."""
    await house.connection.execute(
        "INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id, "
        "payload, position) VALUES ($1, $2, $1, 1, 'testing.thing.done.v1', $3, '', '', $4)",
        uuid4(),
        TOPIC,
        since,
        position,
    )


async def of_outbox(house: "House", *, to_kafka: bool = True) -> dict[str, Finding]:
    return await found(outbox.check(house.place.dsn, publishes=True, to_kafka=to_kafka))


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    """Give what is not ok."""
    return {about: one.level for about, one in findings.items() if one.level != "ok"}


async def test_an_event_without_a_number_is_wrong_after_a_minute(house: "House") -> None:
    await waits(house, datetime.now(UTC))
    assert levels(await of_outbox(house)) == {}

    await waits(house, datetime.now(UTC) - LONG)
    late = await of_outbox(house)
    assert levels(late) == {"events: numbered": "wrong"}
    assert "2 events waiting, the oldest for 3 minutes" in late["events: numbered"].seen


async def test_an_event_that_was_not_sent_is_wrong_where_there_is_kafka(house: "House") -> None:
    await waits(house, datetime.now(UTC) - LONG, position=1)

    assert levels(await of_outbox(house, to_kafka=False)) == {}
    assert levels(await of_outbox(house)) == {"events: sent to Kafka": "wrong"}
    await house.command("INSERT INTO log_cursor VALUES ('kafka', '', 1)")
    assert levels(await of_outbox(house)) == {}


async def test_records_that_were_set_aside_are_counted_until_they_are_released(
    house: "House",
) -> None:
    for _ in range(2):
        await house.command(
            "INSERT INTO dead_letter (consumer, topic, headers, payload, reason) "
            "VALUES ('notify.mail', 'registration', '{}', '', 'unreadable')"
        )
    parked = await of_outbox(house)
    assert levels(parked) == {"events: set aside": "warning"}
    assert parked["events: set aside"].seen == "2 records of notify.mail"

    await house.command("UPDATE dead_letter SET released_at = now()")
    assert levels(await of_outbox(house)) == {}


async def test_a_database_without_tables_or_without_an_answer_is_told_of_once(
    house: "House",
) -> None:
    await house.command("DROP TABLE outbox")
    assert await of_outbox(house) == {}

    nowhere = f"postgresql://127.0.0.1:{free_port()}/x"
    assert await found(outbox.check(nowhere, publishes=True, to_kafka=True)) == {}


async def test_what_is_read_from_an_outbox_is_told_of(house: "House") -> None:
    async def levels_of(databases: dict[str, str]) -> dict[str, str]:
        return levels(await found(reading.check(house.place.dsn, databases, READS)))

    reader = f"reader_{secrets.token_hex(4)}"
    await house.command(f"CREATE ROLE {reader} LOGIN PASSWORD '{PASSWORD}'")
    databases = {TOPIC: house.as_role(reader)}
    assert await levels_of({}) == {"log of registration": "wrong"}
    assert await levels_of(databases) == {"log of registration": "wrong"}

    await house.command(f"GRANT SELECT ON outbox TO {reader}")
    assert await levels_of(databases) == {}
    await waits(house, datetime.now(UTC) - LONG, position=1)
    assert await levels_of(databases) == {"events: read by matching": "warning"}
    await house.command("INSERT INTO log_cursor VALUES ('matching', 'registration', 1)")
    assert await levels_of(databases) == {}
    await house.command(f"DROP OWNED BY {reader}", f"DROP ROLE {reader}")


@pytest.fixture
def log(kafka_servers: str) -> KafkaLog:
    """A Kafka with no topic of ours yet."""
    return KafkaLog(kafka_servers, prefix=f"doctor-{secrets.token_hex(4)}", partitions=3)


async def test_a_cluster_without_the_topic_is_wrong_and_none_is_made(log: KafkaLog) -> None:
    for _ in range(2):
        findings = await found(kafka.check(log, [TOPIC], {}))
        assert levels(findings) == {f"Kafka: topic {log.name_of(TOPIC)}": "wrong"}

    await log.prepare([TOPIC])
    assert levels(await found(kafka.check(log, [TOPIC], {}))) == {}


@pytest.mark.parametrize(
    ("age", "level"),
    [(timedelta(0), "ok"), (timedelta(minutes=3), "warning")],
)
async def test_a_consumer_is_behind_when_the_oldest_it_has_not_read_is_old(
    log: KafkaLog, fresh_database: str, age: timedelta, level: str
) -> None:
    about = "events: read by matching"
    await log.prepare([TOPIC])
    await migrate(fresh_database, [])
    nobody = await found(kafka.check(log, [TOPIC], READS))
    assert levels(nobody) == {about: "wrong"}
    assert "nobody reads" in nobody[about].seen

    async with (
        Database.connect(fresh_database) as database,
        log.reader("matching", [TOPIC], database) as reader,
    ):
        await joined(log, reader.poll)
        assert levels(await found(kafka.check(log, [TOPIC], READS))) == {}
        async with AIOKafkaProducer(**log.cluster) as producer:
            at = int((time.time() - age.total_seconds()) * 1_000)
            await producer.send_and_wait(log.name_of(TOPIC), b"one", timestamp_ms=at)
        behind = (await found(kafka.check(log, [TOPIC], READS)))[about]
        assert behind.level == level
        assert behind.seen.startswith("1 record behind")

        while not await reader.poll():
            pass
        await reader.commit()
        done = (await found(kafka.check(log, [TOPIC], READS)))[about]
        assert (done.level, done.seen) == ("ok", "up to date")


async def joined(log: KafkaLog, poll: Callable[[], Awaitable[object]]) -> None:
    """Poll until the group has taken the member in."""
    about = "events: read by matching"
    while (await found(kafka.check(log, [TOPIC], READS)))[about].level == "wrong":
        await poll()
