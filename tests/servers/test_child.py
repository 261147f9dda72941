import asyncio
import signal
from pathlib import Path

import pytest

from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, ServerKeepsFailing, supervised
from services.embedded.servers.folder import claim, is_alive


def shell(script: str, answers: asyncio.Event | None = None, stop_seconds: float = 5) -> Program:
    """A server that is a line of shell, and answers at once unless `answers` says otherwise."""

    async def ask() -> None:
        if answers is not None and not answers.is_set():
            raise ConnectionError

    return Program(
        name="Shell",
        command=["sh", "-c", script],
        url="",
        ask=ask,
        stop_signal=signal.SIGTERM,
        stop_seconds=stop_seconds,
        backoff_seconds=0.01,
    )


async def test_one_that_never_comes_up_raises_with_the_end_of_its_log(folder: Path) -> None:
    program = shell("echo no such disk; exit 1", answers=asyncio.Event())
    async with claim(folder, OURS) as held:
        with pytest.raises(ServerKeepsFailing, match=r"Shell failed 5 times.*\n.*no such disk"):
            await supervised(program, held).__aenter__()


async def test_one_that_keeps_dying_interrupts_the_body(folder: Path) -> None:
    async with claim(folder, OURS) as held:
        with pytest.raises(ServerKeepsFailing):
            async with supervised(shell("sleep 0.1"), held):
                await asyncio.sleep(60)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_an_exception_of_the_body_passes_unchanged(folder: Path) -> None:
    pids = []

    async def body() -> None:
        async with claim(folder, OURS) as held, supervised(shell("sleep 60"), held) as server:
            pids.append(server.pid)
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await body()

    assert len(pids) == 1
    assert not is_alive(pids[0])


async def test_a_cancelled_body_stays_cancelled(folder: Path) -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def body() -> None:
        async with claim(folder, OURS) as held, supervised(shell("sleep 60"), held) as server:
            started.set_result(server.pid)
            await asyncio.sleep(60)

    task = asyncio.create_task(body())
    pid = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not is_alive(pid)


async def test_one_that_ignores_its_stop_signal_is_killed(folder: Path) -> None:
    program = shell("trap '' TERM; echo deaf; while true; do sleep 0.1; done", stop_seconds=0.3)
    async with claim(folder, OURS) as held, supervised(program, held) as server:
        pid = server.pid
        while b"deaf" not in held.log.read_bytes():
            await asyncio.sleep(0.02)

    assert not is_alive(pid)
