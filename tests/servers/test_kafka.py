import asyncio
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.embedded.servers.folder import is_alive
from services.embedded.servers.kafka import kafka

JARS = Path(__file__).parents[2] / ".cache" / "kafka"


async def produce(servers: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    await admin.close()
    async with AIOKafkaProducer(bootstrap_servers=servers, enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, value)


async def consume(servers: str, topic: str) -> bytes | None:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id="readers", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return (await asyncio.wait_for(consumer.getone(), 60)).value
    finally:
        await consumer.stop()


async def test_records_survive_a_crash(folder: Path) -> None:
    async with kafka(folder, jars=JARS) as server:
        first = server.pid
        await produce(server.url, "notes", b"kept")
        server.kill()
        await server.ready()
        assert await consume(server.url, "notes") == b"kept"
        second = server.pid

    assert first != second
    assert not is_alive(second)


async def test_it_says_what_to_do_when_the_jars_are_missing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run scripts/setup dev"):
        await kafka(folder, jars=tmp_path).__aenter__()
