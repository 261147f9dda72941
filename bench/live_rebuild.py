"""How long notify takes to fill the live state of many stops, and what streams notice of it."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from uuid import UUID, uuid4

from redis.asyncio import Redis

from bench.live_house import NOW, LiveHouse
from bench.streams import Streams, listening
from services.notify.domain.live import Entry, epoch_key, stream_key
from services.notify.store.live import Live
from shared.events.matching import MeetingDelayed, Party
from shared.postgres import Database
from shared.redis import command_client

EACH = 1_000
"""Meetings of one stop: as many as a large one has."""
RATE = 20
"""So many changes a second reach those who listen meanwhile."""
QUIET_SECONDS = 5
LOOK_SECONDS = 0.02
REBUILD_SECONDS_MAX = 120


def meeting(stop_id: UUID, mission_id: UUID) -> Entry:
    """Make a meeting that is as large as others."""
    parties = tuple(
        Party(
            participant_id=uuid4(),
            side=side,
            organization="Benchmark Renewables Co., Ltd.",
            native_organization="基准测试新能源有限公司",
        )
        for side in ("delegation", "local")
    )
    event = MeetingDelayed(
        meeting_id=uuid4(),
        stop_id=stop_id,
        mission_id=mission_id,
        revision=1,
        state="scheduled",
        starts_at=NOW,
        ends_at=NOW + timedelta(minutes=25),
        delay_minutes=5,
        point="T12",
        parties=parties,
        schedule_number=1,
        occurred_at=NOW,
    )
    return Entry.of(event)


async def put(database: Database, mission_id: UUID, stops: Sequence[UUID]) -> None:
    """Write the meetings of many stops to PostgreSQL."""
    names = ("meeting_id", "stop_id", "revision", "state", "starts_at", "people", "live")
    for stop_id in stops:
        one = meeting(stop_id, mission_id)
        rows = []
        for _ in range(EACH):
            meeting_id = uuid4()
            live = one.live.replace(str(one.meeting_id), str(meeting_id))
            rows.append((meeting_id, stop_id, 1, one.state, one.starts_at, one.people, live))
        async with database.transaction() as connection:
            await connection.copy_records_to_table("live_meeting", columns=names, records=rows)


async def bare(client: "Redis", database: Database, stops: Sequence[UUID]) -> float:
    """Read the same rows and write the same bytes by plain pipelines; gives seconds."""
    began = time.monotonic()
    async with database.reading() as connection:
        for stop_id in stops:
            rows = await connection.fetch(
                "SELECT meeting_id, people, live FROM live_meeting WHERE stop_id = $1", stop_id
            )
            async with client.pipeline(transaction=False) as pipeline:
                for row in rows:
                    people = " ".join(map(str, row["people"]))
                    value = f"1 {people}\n{row['live']}"
                    pipeline.hset(f"bare:{stop_id}", str(row["meeting_id"]), value)
                await pipeline.execute()
    return time.monotonic() - began


async def changing(
    client: "Redis", first: Entry, streams: Streams, until: asyncio.Event
) -> list[float]:
    """Have one meeting change at a steady pace; gives milliseconds from Redis to the last."""
    offset = time.time() - time.monotonic()
    live, found = Live(client), list[float]()
    revision = first.revision
    while not until.is_set():
        revision += 1
        await live.apply(first.stop_id, [replace(first, revision=revision)])
        ((place, _),) = cast(Any, await client.xrevrange(stream_key(first.stop_id), count=1))
        written = int(place.partition("-")[0]) / 1e3
        found.append(((await streams.next())["last"] + offset - written) * 1e3)
        await asyncio.sleep(1 / RATE)
    return sorted(found)


async def filled(client: "Redis", stops: Sequence[UUID]) -> float:
    """Wait until the last stop of many is filled; gives seconds since the first was begun."""
    keys = [epoch_key(stop_id) for stop_id in stops]
    began = None
    async with asyncio.timeout(REBUILD_SECONDS_MAX):
        while (count := await client.exists(*keys)) < len(keys):
            if count and began is None:
                began = time.monotonic()
            await asyncio.sleep(LOOK_SECONDS)
    took = time.monotonic() - (began or time.monotonic())
    return took * len(keys) / (len(keys) - 1)


async def rebuilt(house: LiveHouse, listeners: int, keys: int) -> dict[str, float]:
    """Measure a rebuild by notify's own reconciler, beside the same writes without any care."""
    stops = [uuid4() for _ in range(keys // EACH)]
    async with (
        Database.connect(house.notify_url) as database,
        command_client(house.redis_url) as client,
    ):
        live = Live(client)
        await put(database, house.mission, stops)
        await filled(client, stops)
        first = meeting(house.stop, house.mission)
        async with listening(house.ports["notify"], listeners, house.stream()) as streams:
            quiet = await _while(client, first, streams, asyncio.sleep(QUIET_SECONDS))
            for stop_id in stops:
                await live.wipe(stop_id)
            took: list[float] = []

            async def rebuild() -> None:
                took.append(await filled(client, stops))

            later = replace(first, revision=first.revision + 10_000)
            beside = await _while(client, later, streams, rebuild())
        bare_seconds = await bare(client, database, stops)
    return {
        "rebuild_seconds": took[0],
        "bare_seconds": bare_seconds,
        "redis_to_last_p50_ms": quiet[len(quiet) // 2],
        "redis_to_last_max_ms": quiet[-1],
        "redis_to_last_amid_rebuild_p50_ms": beside[len(beside) // 2],
        "redis_to_last_amid_rebuild_max_ms": beside[-1],
    }


async def _while(
    client: "Redis", first: Entry, streams: Streams, what: Awaitable[None]
) -> list[float]:
    ended = asyncio.Event()
    changes = asyncio.create_task(changing(client, first, streams, ended))
    await what
    ended.set()
    return await changes
