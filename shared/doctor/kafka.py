"""Kafka: reachable as the settings say, with its topics, and read up to now."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import create_conn
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaConnectionError, KafkaError
from aiokafka.structs import TopicPartition

from shared.doctor.examining import CONNECT_SECONDS_MAX, Check, in_turn, said
from shared.doctor.findings import Finding, counted, ok, warning, wrong
from shared.doctor.reading import Behind, Reads, judged
from shared.log.kafka import KafkaLog, start, stop_consumer

TROUBLE = "Look into Kafka's own log, and whether this service's user may see and read all of it."
ANSWER_MILLISECONDS_MAX = CONNECT_SECONDS_MAX * 1_000
OLDEST_MILLISECONDS_MAX = 2_000


def check(log: KafkaLog, topics: Collection[str], reads: Reads) -> Check:
    """Make the check of a cluster: the topics a service uses, and what its consumers read."""
    return Check("Kafka", partial(_look, log, topics, reads), TROUBLE)


async def _look(log: KafkaLog, topics: Collection[str], reads: Reads) -> list[Finding]:
    servers = str(log.cluster["bootstrap_servers"]).split(",")
    reasons = await asyncio.gather(*(_reason(log, server) for server in servers))
    failed = {server: why for server, why in zip(servers, reasons, strict=True) if why}
    if len(failed) == len(servers):
        seen, advice = next(iter(failed.values()))
        return [wrong("Kafka", f"{', '.join(servers)} {seen}", advice)]
    async with _admin(log) as admin:
        brokers = (await admin.describe_cluster())["brokers"]
        reached = await _reached(brokers, failed)
        if reached.level == "wrong":
            return [reached]
        # All of them: to ask for one that is missing would have some clusters make it.
        listed = {topic["topic"]: topic for topic in await admin.describe_topics()}
        found = [
            topic_of(log.name_of(topic), listed.get(log.name_of(topic)), len(brokers))
            for topic in topics
        ]
        behind = [
            (f"events: read by {name}", _read(log, admin, name, read, listed))
            for name, read in reads.items()
        ]
        return [reached, *found, *await in_turn(behind, TROUBLE)]


async def _reason(log: KafkaLog, server: str) -> tuple[str, str] | None:
    """Say why there is no connection, and what to do; None where there is one."""
    host, _, port = server.rpartition(":")
    how = {name: value for name, value in log.cluster.items() if name != "bootstrap_servers"}
    try:
        connection = await create_conn(
            host, int(port), request_timeout_ms=ANSWER_MILLISECONDS_MAX, **how
        )
    except (OSError, KafkaError) as error:
        return _told(error)
    connection.close()
    return None


def _told(error: Exception) -> tuple[str, str]:
    match error:
        case ssl.SSLError():
            return (
                f"is not trusted: {said(error)}",
                "TRADEWIND_LOG_TLS says whether Kafka speaks TLS there, and "
                "TRADEWIND_LOG_TLS_AUTHORITIES who vouches for it.",
            )
        case TimeoutError() | KafkaConnectionError():
            return (
                "does not answer as Kafka does",
                "It hangs, is no Kafka, or wants other than TRADEWIND_LOG_TLS and "
                "TRADEWIND_LOG_USER say: see its own log.",
            )
        case OSError():
            return (
                "does not answer",
                "Registration goes on without it, but nobody is told anything. Start it, let this "
                "machine through its firewall, or set TRADEWIND_LOG_URL right.",
            )
        case _:
            return (
                f"refuses us: {said(error)}",
                "TRADEWIND_LOG_USER, TRADEWIND_LOG_PASSWORD and TRADEWIND_LOG_MECHANISM are not "
                "what it knows.",
            )


@asynccontextmanager
async def _admin(log: KafkaLog) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**log.cluster, request_timeout_ms=ANSWER_MILLISECONDS_MAX)
    try:
        await start(admin.start())
        yield admin
    finally:
        await admin.close()


async def _reached(
    brokers: Sequence[Mapping[str, Any]], failed: Mapping[str, tuple[str, str]]
) -> Finding:
    """Say whether every broker can be reached under the address that it gives of itself."""
    places = [(broker["host"], broker["port"]) for broker in brokers]
    silent = [
        f"{host}:{port}"
        for (host, port), answers in zip(
            places, await asyncio.gather(*(_answers(*place) for place in places)), strict=True
        )
        if not answers
    ]
    if silent:
        return wrong(
            "Kafka",
            f"sends us to {', '.join(silent)}, where nothing answers",
            "A broker is down, or gives an address that leads nowhere from here: mend its "
            "advertised.listeners.",
        )
    seen = f"{counted(len(brokers), 'broker')}: {', '.join(f'{h}:{p}' for h, p in places)}"
    if failed:
        server, (why, advice) = next(iter(failed.items()))
        return warning("Kafka", f"{seen}; but {server} {why}", advice)
    return ok("Kafka", seen)


async def _answers(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


def topic_of(name: str, topic: Mapping[str, Any] | None, brokers: int) -> Finding:
    """Judge a topic, as aiokafka describes it, of a cluster with so many brokers."""
    about = f"Kafka: topic {name}"
    if topic is None or topic["error_code"]:
        return wrong(
            about,
            "is not there, or not for us",
            "Events wait, and nobody is told. The services make it when they start, with a single "
            "copy: start them, or make it first with 12 partitions (docs/deploy.md), and let this "
            "service's user at it.",
        )
    partitions = topic["partitions"]
    copies = min(len(partition["replicas"]) for partition in partitions)
    seen = (
        f"{counted(len(partitions), 'partition')}, {copies} {'copy' if copies == 1 else 'copies'}"
    )
    if headless := sum(partition["leader"] < 0 for partition in partitions):
        return wrong(
            about,
            f"{seen}, {headless} without a leader",
            "Events of these partitions wait: start the brokers that hold them.",
        )
    if lagging := sum(len(one["isr"]) < len(one["replicas"]) for one in partitions):
        return warning(
            about,
            f"{seen}, {lagging} with a copy behind",
            "One more broker lost, and events wait: see to the broker that is down or slow.",
        )
    if copies == 1 and brokers > 1:
        return warning(
            about,
            seen,
            f"When its broker stops, events wait, though the cluster has {brokers}. Give the topic "
            "more copies: kafka-reassign-partitions.sh.",
        )
    return ok(about, seen)


async def _read(
    log: KafkaLog,
    admin: AIOKafkaAdminClient,
    consumer: str,
    topics: Collection[str],
    listed: Mapping[str, Mapping[str, Any]],
) -> Finding:
    group = log.group_of(consumer)
    try:
        members = await _members(admin, group)
        committed = await admin.list_consumer_group_offsets(group)
    except GroupCoordinatorNotAvailableError:
        # No group ever read anything in this cluster.
        members, committed = 0, {}
    partitions = [
        TopicPartition(log.name_of(topic), partition["partition"])
        for topic in topics
        if log.name_of(topic) in listed
        for partition in listed[log.name_of(topic)]["partitions"]
    ]
    behind = await _behind(log, partitions, {p: at.offset for p, at in committed.items()})
    return judged(consumer, behind, is_read=members > 0)


async def _members(admin: AIOKafkaAdminClient, group: str) -> int:
    (answer,) = await admin.describe_consumer_groups([group])
    return sum(len(one["members"]) for one in answer.to_object()["groups"])


async def _behind(
    log: KafkaLog, partitions: Sequence[TopicPartition], committed: Mapping[TopicPartition, int]
) -> Behind:
    """Count what a group has not read, and look how old the oldest of it is.

    By a reader of no group, which commits nothing.
    """
    client = AIOKafkaConsumer(
        **log.cluster, enable_auto_commit=False, request_timeout_ms=ANSWER_MILLISECONDS_MAX
    )
    try:
        await start(client.start())
        ends = await client.end_offsets(partitions)
        begins = await client.beginning_offsets(partitions)
        # What the retention took is gone, and a group that never committed begins at the first.
        at = {p: max(committed.get(p, 0), begins[p]) for p in partitions}
        unread = {p: ends[p] - at[p] for p in partitions if ends[p] > at[p]}
        if not unread:
            return Behind(0, None)
        client.assign(list(unread))
        for partition in unread:
            client.seek(partition, at[partition])
        batches = await client.getmany(timeout_ms=OLDEST_MILLISECONDS_MAX)
    finally:
        await stop_consumer(client)
    times = [message.timestamp / 1_000 for batch in batches.values() for message in batch]
    return Behind(sum(unread.values()), min(times, default=None))
