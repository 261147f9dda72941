"""What the tests of the servers share: data folders, and whether a server is really gone."""

import asyncio
import fcntl
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

Gone = Callable[[Path], Awaitable[None]]


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder that every user could reach, where pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def gone() -> Gone:
    """A function that waits until no process of the server on a folder is left."""

    async def wait(folder: Path) -> None:
        # Each process of a server, and each child of it, holds the folder's lock by inheritance.
        with (folder / "lock").open() as lock:
            async with asyncio.timeout(60):
                while not is_free(lock.fileno()):
                    await asyncio.sleep(0.02)

    return wait


def is_free(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
