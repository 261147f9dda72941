"""Clusters that are away, that are none, and topics of clusters with several brokers."""

import asyncio
from typing import Any

import pytest

from services.embedded.servers.child import free_port
from shared.doctor import kafka
from shared.doctor.kafka import topic_of
from shared.log.kafka import KafkaLog
from tests.shared.doctor.conftest import found


async def test_a_closed_port_is_wrong_and_one_of_several_is_a_warning(kafka_servers: str) -> None:
    closed = f"127.0.0.1:{free_port()}"

    away = (await found(kafka.check(KafkaLog(closed), [], {})))["Kafka"]
    assert (away.level, away.seen) == ("wrong", f"{closed} does not answer")
    partly = (await found(kafka.check(KafkaLog(f"{closed},{kafka_servers}"), [], {})))["Kafka"]
    assert partly.level == "warning"
    assert f"{closed} does not answer" in partly.seen


async def test_what_never_answers_is_no_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "ANSWER_MILLISECONDS_MAX", 200)
    open_ = []

    async def listen(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_.append(writer)

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    log = KafkaLog(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finding = (await found(kafka.check(log, [], {})))["Kafka"]
    for writer in open_:
        writer.close()
    server.close()

    assert finding.level == "wrong"
    assert "TRADEWIND_LOG_TLS" in finding.advice


async def test_a_broker_that_gives_an_address_where_nothing_answers_is_found() -> None:
    finding = await kafka._reached([{"host": "127.0.0.1", "port": free_port()}], {})

    assert finding.level == "wrong"
    assert "advertised.listeners" in finding.advice


@pytest.mark.parametrize(
    ("brokers", "partition", "level", "words"),
    [
        (1, {"leader": 1, "replicas": [1], "isr": [1]}, "ok", "2 partitions, 1 copy"),
        (3, {"leader": 1, "replicas": [1], "isr": [1]}, "warning", "1 copy"),
        (3, {"leader": 1, "replicas": [1, 2, 3], "isr": [1, 2, 3]}, "ok", "3 copies"),
        (3, {"leader": 1, "replicas": [1, 2, 3], "isr": [1, 3]}, "warning", "2 with a copy behind"),
        (3, {"leader": -1, "replicas": [1, 2], "isr": []}, "wrong", "2 without a leader"),
    ],
)
def test_a_topic_is_judged_by_its_copies(
    brokers: int, partition: dict[str, Any], level: str, words: str
) -> None:
    topic = {"topic": "one", "error_code": 0, "partitions": [partition] * 2}

    finding = topic_of("one", topic, brokers)

    assert finding.level == level
    assert words in finding.seen
