import asyncio
import os
import signal
import socket

import asyncpg
import pytest
from fastapi import APIRouter

from shared.access import Tokens
from shared.http import create_app
from shared.process import cancel, cancelling, persist, serve
from shared.service import Service


async def loses_one_cancellation() -> None:
    for _ in range(2):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            continue
    await asyncio.sleep(60)


async def test_a_loop_that_loses_its_cancellation_ends_all_the_same() -> None:
    task = asyncio.create_task(loses_one_cancellation())
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        await cancel([task])
    assert task.done()


async def test_what_ran_beside_a_block_has_ended_after_it() -> None:
    ended = False

    async def loop() -> None:
        nonlocal ended
        try:
            await asyncio.sleep(60)
        finally:
            ended = True

    async with cancelling(loop()):
        await asyncio.sleep(0)
    assert ended


class Meets:
    """A loop of two tasks that both fail, once."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.runs = 0

    async def run(self) -> None:
        self.runs += 1
        async with asyncio.TaskGroup() as group:
            for error in self.errors if self.runs == 1 else []:
                group.create_task(self._fail(error))
            group.create_task(asyncio.sleep(60))

    async def _fail(self, error: Exception) -> None:
        raise error


async def test_a_loop_of_several_tasks_goes_on_after_an_outage_that_met_two_of_them() -> None:
    loop = Meets(ConnectionRefusedError(), asyncpg.CannotConnectNowError("starting up"))
    async with asyncio.timeout(60), cancelling(persist("any", loop.run)):
        while loop.runs < 2:
            await asyncio.sleep(0.02)
    assert loop.runs == 2


async def test_a_mistake_beside_an_outage_ends_the_loop() -> None:
    loop = Meets(ConnectionRefusedError(), ValueError("a mistake"))
    async with asyncio.timeout(60):
        with pytest.raises(ExceptionGroup) as raised:
            await persist("any", loop.run)
    assert raised.value.subgroup(ValueError) is not None
    assert loop.runs == 1


async def test_routes_are_understood_before_any_loop_waits_for_something() -> None:
    happened: list[str] = []

    async def loop() -> None:
        happened.append("loop")
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    inner, outer = APIRouter(), APIRouter()

    @inner.get("/{anything:path}")
    async def asked() -> None:
        happened.append("asked")

    outer.include_router(inner)
    service = Service("any", [outer], loops={"loop": loop})
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_app([service], Tokens("s" * 64))
    async with asyncio.timeout(60):
        await serve(app, [service], "127.0.0.1", port, quiet=True)
    assert happened == ["asked", "loop"]
