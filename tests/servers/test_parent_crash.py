import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.embedded.servers.folder import is_alive
from services.embedded.servers.postgres import postgres

ROOT = Path(__file__).parents[2]
PARENT = """
import asyncio, sys
from pathlib import Path
from services.embedded.servers.{module} import {module}

async def main():
    async with {call} as server:
        print(server.pid, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""
CALLS = {
    "postgres": "postgres(Path(sys.argv[1]), durable=False)",
    "valkey": "valkey(Path(sys.argv[1]))",
    "kafka": "kafka(Path(sys.argv[1]), jars=Path('.cache/kafka'))",
}


async def crash(module: str, folder: Path) -> int:
    """Start a parent with one server, kill the parent, and give the server's process id."""
    script = PARENT.format(module=module, call=CALLS[module])
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, folder, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await asyncio.wait_for(parent.stdout.readline(), 180))
    assert is_alive(pid)
    os.kill(parent.pid, 9)
    await parent.wait()
    return pid


@pytest.mark.parametrize("module", CALLS)
async def test_no_server_outlives_its_parent(
    module: str, folder: Path, gone: Callable[[Path], Awaitable[None]]
) -> None:
    pid = await crash(module, folder)

    await gone(folder)

    async with asyncio.timeout(60):
        while is_alive(pid):  # Until whoever adopted it has taken note of its end.
            await asyncio.sleep(0.02)


async def test_the_next_run_waits_for_a_server_that_is_still_stopping(folder: Path) -> None:
    await crash("postgres", folder)

    async with postgres(folder, durable=False) as server:
        assert is_alive(server.pid)
