"""Servers of their own, that can be killed: what was committed takes effect once they are back."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from services.embedded.servers.child import Server
from services.embedded.servers.kafka import kafka
from services.embedded.servers.postgres import postgres
from shared.postgres import is_outage

if TYPE_CHECKING:
    from tests.shared.conftest import Raise, Stage

JARS = Path(__file__).parents[2] / ".cache" / "kafka"
CLOSING_SECONDS_MAX = 25


@dataclass
class House:
    """A stage on three servers, of which each can be killed by itself."""

    stage: "Stage"
    servers: dict[str, Server]


@pytest.fixture
async def house(
    kind: str,
    raised: "Raise",
    prepared: Callable[[str], Awaitable[None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        servers = {}
        for name in ("publisher", "reader"):
            folder = tmp_path_factory.mktemp(name)
            servers[name] = await stack.enter_async_context(postgres(folder, durable=False))
            await prepared(servers[name].url)
        address = None
        if kind == "kafka":
            folder = tmp_path_factory.mktemp("kafka")
            servers["kafka"] = await stack.enter_async_context(kafka(folder, jars=JARS))
            address = servers["kafka"].url
        stage = await raised(servers["publisher"].url, servers["reader"].url, address)
        yield House(stage, servers)


async def speak_through_outages(stage: "Stage", keys: list[UUID], times: int) -> None:
    """Say something about each key; what fails was not promised, and is said again."""
    for _ in range(times):
        for key in keys:
            while True:
                try:
                    await stage.say(key)
                    break
                except Exception as error:
                    if not is_outage(error):
                        raise
                    await asyncio.sleep(0.05)
        await asyncio.sleep(0.02)


async def test_a_crash_of_any_server_is_waited_out(house: House) -> None:
    stage, keys = house.stage, [uuid4() for _ in range(6)]
    async with stage.at_work("a"):
        for name in (*house.servers, "publisher"):
            async with asyncio.TaskGroup() as group:
                group.create_task(speak_through_outages(stage, keys, 10))
                await asyncio.sleep(0.1)
                house.servers[name].kill()
                await house.servers[name].ready()
            await reload_what_was_said(stage)
            await stage.everything_took_effect()


async def reload_what_was_said(stage: "Stage") -> None:
    """Ask the truth: a commit whose answer the crash cut off may have been made."""

    async def ask() -> bool:
        async with stage.publisher.reading() as connection:
            rows = await connection.fetch("SELECT key, version FROM aggregate")
        stage.said.update({row["key"]: row["version"] for row in rows})
        return True

    await stage.until(ask)


async def test_a_reader_whose_connections_are_cut_opens_new_ones(house: House) -> None:
    stage, keys = house.stage, [uuid4() for _ in range(6)]
    async with stage.at_work("a"):
        await stage.say(*keys)
        await stage.everything_took_effect()
        for database in (stage.publisher, stage.reader):
            async with database.transaction() as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            await speak_through_outages(stage, keys, 3)
            await stage.everything_took_effect()


@pytest.mark.parametrize("kind", ["kafka"], indirect=True)
async def test_a_broker_that_is_away_longer_than_a_send_may_take_is_waited_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Half a minute, shortened: what comes after it is the same.
    monkeypatch.setattr("shared.log.kafka.SEND_SECONDS_MAX", 0.5)
    monkeypatch.setattr("shared.log.kafka.STOP_SECONDS_MAX", 0.5)
    stage, broker = house.stage, house.servers["kafka"]
    async with stage.at_work("a"):
        await stage.say(*[uuid4() for _ in range(6)])
        await stage.everything_took_effect()
        tasks = len(asyncio.all_tasks())
        os.kill(broker.pid, signal.SIGSTOP)
        await stage.say(*stage.said)
        await asyncio.sleep(6)
        os.kill(broker.pid, signal.SIGCONT)
        await stage.everything_took_effect()

        async def nobody_is_left() -> bool:
            return len(asyncio.all_tasks()) < tasks + 3

        # No producer of before is left that would send its batch once more at some later time.
        await stage.until(nobody_is_left)


@pytest.mark.parametrize("kind", ["kafka"], indirect=True)
async def test_a_frozen_broker_does_not_hold_up_the_end_of_a_process(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.log.kafka.STOP_SECONDS_MAX", 2)
    stage, broker = house.stage, house.servers["kafka"]
    async with stage.at_work("a"):
        await stage.say(*[uuid4() for _ in range(6)])
        await stage.everything_took_effect()
        os.kill(broker.pid, signal.SIGSTOP)
        await stage.say(*stage.said)
        await asyncio.sleep(0.5)
        began = time.monotonic()
    took = time.monotonic() - began
    os.kill(broker.pid, signal.SIGCONT)

    assert took < CLOSING_SECONDS_MAX
