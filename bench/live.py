"""The live state end to end: from a command's answer to the last listener, rebuilds, and the end.

Over the services as processes, Kafka and Valkey. Run: `python -m bench.live`; it ends with one JSON
line. Where time goes is read from what each part writes down: Kafka's time of a record, Redis's of
an entry of the stream, and the listeners' of their first and last.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer
from redis.asyncio import Redis

from bench.live_house import LiveHouse, live_house
from bench.live_rebuild import rebuilt
from bench.load import Connection
from bench.streams import Streams, listening
from services.notify.domain.live import stream_key

COMMANDS = 200
WARM_UP = 10
PAUSE_SECONDS = 0.05, 0.25
GOAL_MS = {"p50": 50, "p99": 250}
SHUTDOWN_GOAL_SECONDS = 2

Figures = dict[str, float]


@dataclass(frozen=True)
class Passed:
    """When one command was answered, and when its change had reached whom; wall clock, seconds."""

    answered: float
    first: float
    last: float


async def commands(house: LiveHouse, streams: Streams, count: int) -> list[Passed]:
    """Give commands one after the other, each when the one before has reached everybody."""
    connection = await Connection.open(house.ports["matching"])
    rng = random.Random(3)  # noqa: S311  # the same each time
    offset = time.time() - time.monotonic()
    found = []
    for number in range(1, count + 1):
        answer = await connection.ask(house.delay(number, 5 + number % 2))
        answered = time.time()
        assert answer.status == HTTPStatus.OK, answer.body
        told = await streams.next()
        assert told["change"] == number
        found.append(Passed(answered, told["first"] + offset, told["last"] + offset))
        # Not in step with what looks every so often.
        await asyncio.sleep(rng.uniform(*PAUSE_SECONDS))
    connection.close()
    return found


async def in_kafka(house: LiveHouse, count: int) -> list[float]:
    """Give the time at which each event was given to Kafka, in seconds."""
    consumer = AIOKafkaConsumer(
        "tradewind.matching",
        bootstrap_servers=house.kafka_url,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).timestamp / 1e3 for _ in range(count)]
    finally:
        await consumer.stop()


async def in_redis(house: LiveHouse, count: int) -> list[float]:
    """Give the time at which each change was written to Redis, in seconds."""
    async with Redis.from_url(house.redis_url, decode_responses=True) as client:
        found: Any = await client.xrevrange(stream_key(house.stop), count=count)
    return [int(place.partition("-")[0]) / 1e3 for place, _ in reversed(found)]


def hops(passed: Sequence[Passed], kafka: Sequence[float], redis: Sequence[float]) -> Figures:
    """Give what passes between one part and the next: medians, in milliseconds."""
    apart = {
        "answer_to_kafka": [k - p.answered for p, k in zip(passed, kafka, strict=True)],
        "kafka_to_redis": [r - k for k, r in zip(kafka, redis, strict=True)],
        "redis_to_first": [p.first - r for p, r in zip(passed, redis, strict=True)],
        "first_to_last": [p.last - p.first for p in passed],
    }
    return {f"hop_{name}_ms": statistics.median(times) * 1e3 for name, times in apart.items()}


async def end_to_end(house: LiveHouse, listeners: int) -> Figures:
    """Measure from answers to the last listener."""
    async with listening(house.ports["notify"], listeners, house.stream()) as streams:
        passed = await commands(house, streams, COMMANDS + WARM_UP)
    kafka = await in_kafka(house, len(passed))
    redis = await in_redis(house, len(passed))
    kept = slice(WARM_UP, None)
    took = sorted((one.last - one.answered) * 1e3 for one in passed[kept])
    percentiles = {share: took[int(len(took) * share / 100)] for share in (50, 95, 99)}
    return {f"answer_to_last_p{share}_ms": value for share, value in percentiles.items()} | hops(
        passed[kept], kafka[kept], redis[kept]
    )


async def ended(house: LiveHouse, listeners: int, how: signal.Signals) -> Figures:
    """Let notify end with streams open; gives seconds until the last is closed, and to its end."""
    async with listening(house.ports["notify"], listeners, house.stream()) as streams:
        pid = house.pids["notify"]
        began = time.monotonic()
        os.kill(pid, how)
        told = await streams.next()
        while is_there(pid):  # noqa: ASYNC110  # it is another's child
            await asyncio.sleep(0.01)
    return {"closed_seconds": told["at"] - began, "gone_seconds": time.monotonic() - began}


def is_there(pid: int) -> bool:
    """Say whether a process still runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def main(listeners: int, streams: int, keys: int) -> dict[str, object]:
    """Measure all, and give the ratios and figures."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    folder.chmod(0o711)
    try:
        figures: Figures = {"listeners": listeners, "streams": streams, "keys": keys}
        async with live_house(folder / "1") as house:
            figures |= await end_to_end(house, listeners)
            figures |= await rebuilt(house, listeners, keys)
            shutdown = await ended(house, streams, signal.SIGTERM)
        async with live_house(folder / "2") as house:
            killed = await ended(house, streams, signal.SIGKILL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures |= {f"shutdown_{name}": value for name, value in shutdown.items()}
    figures |= {f"killed_{name}": value for name, value in killed.items()}
    ratios = {
        "answer_to_last_p50_of_goal": figures["answer_to_last_p50_ms"] / GOAL_MS["p50"],
        "answer_to_last_p99_of_goal": figures["answer_to_last_p99_ms"] / GOAL_MS["p99"],
        "rebuild_vs_bare_writes": figures["rebuild_seconds"] / figures["bare_seconds"],
        "shutdown_of_goal": figures["shutdown_gone_seconds"] / SHUTDOWN_GOAL_SECONDS,
        "shutdown_vs_killed": figures["shutdown_closed_seconds"] / figures["killed_closed_seconds"],
    }
    return {
        "bench": "live",
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
        "figures": {name: round(value, 3) for name, value in figures.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, default=2_000)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--keys", type=int, default=100_000)
    chosen = parser.parse_args()
    print(json.dumps(uvloop.run(main(chosen.listeners, chosen.streams, chosen.keys))))
