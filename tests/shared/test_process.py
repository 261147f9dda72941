import asyncio
import os
import signal
import socket

from fastapi import APIRouter

from shared.access import Tokens
from shared.http import create_app
from shared.process import cancel, cancelling, serve
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
    async with asyncio.timeout(5):
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
    async with asyncio.timeout(20):
        await serve(app, [service], "127.0.0.1", port, quiet=True)
    assert happened == ["asked", "loop"]
