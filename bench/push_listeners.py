"""The process of `bench.push` that holds the streams and publishes, and what a server used."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from bench.push_servers import SERVER_CORE, Runner

LISTENER_CORE = 1


class Listeners:
    """Holds all streams of one server open."""

    def __init__(self, process: asyncio.subprocess.Process, runner: Runner) -> None:
        self._process = process
        self.pid = runner.pid
        """The server's."""
        self.count = len(runner.heads)
        self.lost = 0
        """Events that never came."""
        self.refused = 0
        """How many who asked for their stream were turned away; each asked again."""

    async def do(self, command: str) -> dict[str, Any]:
        """Have a command done; gives what it measured, and the server's CPU seconds meanwhile."""
        before = cpu_seconds(self.pid) + put_off_seconds()
        found = await self.ask(command)
        return found | {"server_cpu_seconds": cpu_seconds(self.pid) + put_off_seconds() - before}

    async def ask(self, command: str) -> dict[str, Any]:
        """Have a command done, also when the server ends with it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n".encode())
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The listeners stopped at: {command}")
        found: dict[str, Any] = json.loads(line)
        assert found["in_order"], f"{command}: something came out of order"
        self.lost += int(found["lost"])
        self.refused += int(found["refused"])
        return found


@asynccontextmanager
async def listeners(folder: Path, runner: Runner) -> AsyncIterator[Listeners]:
    """Start the listeners of a server on their core."""
    heads, names = folder / f"heads-{runner.pid}", folder / f"names-{runner.pid}"
    heads.write_bytes(b"".join(f"{head}\0".encode() for head in runner.heads))
    names.write_text("".join(f"{name}\n" for name in runner.names))
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(LISTENER_CORE), str(folder / "listeners"), str(runner.port)),
        *(str(heads), str(names), *runner.feed),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 22,
    )
    try:
        yield Listeners(process, runner)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """Give what a process has used, all threads, user and kernel."""
    used = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in used) / 1e9


def put_off_seconds() -> float:
    """Give what the kernel's own thread on the servers' core has used.

    Where others wait for the core, it goes on with what a server's sends began.
    """
    thread = _put_off_to()
    return cpu_seconds(thread) if thread else 0.0


@cache
def _put_off_to() -> int | None:
    wanted = f"ksoftirqd/{SERVER_CORE}\n"
    found = (one.parent for one in Path("/proc").glob("[0-9]*/comm") if _content(one) == wanted)
    return next((int(one.name) for one in found), None)


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # gone meanwhile


def memory_kib(pid: int) -> int:
    """Give what a process holds in memory of its own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("The kernel tells no RssAnon.")
