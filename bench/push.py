"""Live streams beside centrifuge and beside an epoll loop in C, each one process on one core.

Run: `python -m bench.push [--streams N] [--rounds N]`. Ours gets its events as in production, from
Redis, and has access checks and resume on; the peers get them on a socket, as lines. Each round
measures all servers, one after the other, over the same listeners (`bench/peers/push`), which run
on another core. Needs a C compiler and Go; ends with one JSON line, whose ratios are of medians.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID, uuid4

import uvloop

from bench.house import SECRET, database, running
from services import notify
from services.embedded.servers.child import free_port
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.notify.domain.live import stream_key
from services.notify.store import facts
from services.notify.store.live import Live
from shared.access import Principal, Tokens
from shared.events.base import Bilingual
from shared.events.registration import MissionAnnounced, StopPlanned
from shared.postgres import Database, migrate
from shared.redis import command_client

PEERS = Path(__file__).parent / "peers" / "push"
NOTIFY = [sys.executable, "-m", "services.notify"]
SERVER_CORE, LISTENER_CORE = 0, 1
EPOCH = "0123abcd"
NAMES = Bilingual(en="Benchmark", zh="基准测试")
MISSED = 20
BURST = 10
PERSONAL_A_SECOND = 5_000
AMID_A_SECOND = 2_000
SECONDS = 5
BATCHING = "100ms"
"""The delay with which centrifuge gathers bursts best (docs of its client protocol)."""
IDLE_SECONDS = 5

Figures = dict[str, float]


@dataclass
class Runner:
    """One server that runs, and what its listeners need to know."""

    pid: int
    port: int
    feed: list[str]
    heads: list[str]
    names: list[str]


@dataclass
class Measured:
    """The figures of one server, a list with an entry for each round."""

    figures: dict[str, list[float]] = field(default_factory=dict)

    def add(self, found: Figures) -> None:
        """Add a round."""
        for name, value in found.items():
            self.figures.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> float:
        return statistics.median(self.figures[name])


def compiled(folder: Path) -> None:
    """Build the peers and the listeners; raises `CalledProcessError`."""
    for name in ("listeners", "limit"):
        command = ["cc", "-O2", "-o", str(folder / name), str(PEERS / f"{name}.c")]
        subprocess.run(command, check=True)
    command = ["go", "build", "-o", str(folder / "centrifuge"), "."]
    subprocess.run(command, check=True, cwd=PEERS / "centrifuge")


def started(
    command: list[str], port: int, environment: dict[str, str] | None = None
) -> AbstractAsyncContextManager[int]:
    """Run a server on its core until the end of the block; gives its process id."""
    return running(["taskset", "-c", str(SERVER_CORE), *command], port, environment)


@asynccontextmanager
async def c_loop(folder: Path, count: int) -> AsyncIterator[Runner]:
    """Run the limit: the epoll loop."""
    port, feed = free_port(), free_port()
    async with started([str(folder / "limit"), str(port), str(feed)], port) as pid:
        heads = [f"GET /events/{place} HTTP/1.1\r\nHost: x\r\n" for place in range(count)]
        yield Runner(pid, port, [str(feed), "lines"], heads, [*map(str, range(count))])


@asynccontextmanager
async def centrifuge(folder: Path, count: int, *delay: str) -> AsyncIterator[Runner]:
    """Run centrifuge, on one core as the others."""
    port, feed = free_port(), free_port()
    command = [str(folder / "centrifuge"), "-address", f"127.0.0.1:{port}"]
    command += ["-feed", f"127.0.0.1:{feed}", *delay]
    environment = {"PATH": os.defpath, "GOMAXPROCS": "1"}
    async with started(command, port, environment) as pid:
        names = [f"u{place}" for place in range(count)]
        asked = (quote(json.dumps({"id": 1, "connect": {"data": name}})) for name in names)
        heads = [f"GET /connection/sse?cf_connect={text} HTTP/1.1\r\nHost: x\r\n" for text in asked]
        yield Runner(pid, port, [str(feed), "lines"], heads, names)


@asynccontextmanager
async def ours(home: "Home", count: int) -> AsyncIterator[Runner]:
    """Run notify."""
    port = free_port()
    async with started(
        [sys.executable, "-m", "services.notify"], port, home.environment(port)
    ) as pid:
        tokens, now = Tokens(SECRET), datetime.now(UTC)
        people = [uuid4() for _ in range(count)]
        heads = [
            f"GET /api/v1/live/me?stop_id={home.stop} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
            f"{tokens.sign(Principal('delegate', person, home.mission), 'session', now)}\r\n"
            for person in people
        ]
        feed = [str(home.redis_port), "redis", stream_key(home.stop), EPOCH]
        yield Runner(pid, port, feed, heads, [*map(str, people)])


@dataclass(frozen=True)
class Home:
    """What notify needs around it."""

    database_url: str
    log_url: str
    """Where the other services' events would come from."""
    redis_url: str
    mission: UUID
    stop: UUID

    @property
    def redis_port(self) -> int:
        """Where Redis listens."""
        return int(self.redis_url.rpartition(":")[2].partition("/")[0])

    def environment(self, port: int) -> dict[str, str]:
        """Give the settings of notify."""
        return {
            "PATH": os.defpath,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "TRADEWIND_MODE": "development",
            "TRADEWIND_PORT": str(port),
            "TRADEWIND_DATABASE_URL": self.database_url,
            "TRADEWIND_LOG_URL": "postgresql:",
            "TRADEWIND_LOG_DATABASES": json.dumps(
                {"registration": self.log_url, "matching": self.log_url}
            ),
            "TRADEWIND_SECRET_KEY": SECRET,
            "TRADEWIND_LOG_LEVEL": "warning",
            "TRADEWIND_REDIS_URL": self.redis_url,
        }


@asynccontextmanager
async def home(folder: Path, stack: AsyncExitStack) -> AsyncIterator[Home]:
    """Start PostgreSQL and Redis, and put a stop there."""
    server = await stack.enter_async_context(postgres(folder / "postgres"))
    redis = await stack.enter_async_context(valkey(folder / "valkey"))
    own, elsewhere = [await database(server.url, name) for name in ("notify", "log")]
    found = Home(own, elsewhere, redis.url, uuid4(), uuid4())
    await migrate(found.database_url, [Path(notify.__file__).parent / "migrations"])
    await migrate(found.log_url, [])
    async with Database.connect(found.database_url) as held, held.transaction() as connection:
        await facts.put_mission(connection, _mission(found), 1)
        await facts.put_stop(connection, _stop(found), 1)
    async with command_client(redis.url) as client:
        await Live(client).rebuild(found.stop, [], epoch=EPOCH)
    yield found


def _mission(found: Home) -> MissionAnnounced:
    return MissionAnnounced(
        mission_id=found.mission,
        slug="bench",
        title=NAMES,
        starts_on=date(2030, 11, 6),
        ends_on=date(2030, 11, 11),
        is_rehearsal=False,
    )


def _stop(found: Home) -> StopPlanned:
    return StopPlanned(
        stop_id=found.stop,
        mission_id=found.mission,
        slug="stop",
        city=NAMES,
        title=NAMES,
        venue=NAMES,
        timezone="Asia/Shanghai",
        on=date(2030, 11, 7),
    )


class Listeners:
    """The process that holds the streams and publishes."""

    def __init__(self, process: asyncio.subprocess.Process, pid: int) -> None:
        self._process = process
        self._pid = pid
        self.lost = 0
        """Events that never came."""

    async def do(self, command: str) -> Figures:
        """Have a command done; gives what it measured, and the server's CPU seconds meanwhile."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before = cpu_seconds(self._pid)
        self._process.stdin.write(f"{command}\n".encode())
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The listeners stopped at: {command}")
        found: Figures = json.loads(line)
        assert found["in_order"], f"{command}: something came out of order"
        self.lost += int(found["lost"])
        return found | {"server_cpu_seconds": cpu_seconds(self._pid) - before}


@asynccontextmanager
async def listeners(folder: Path, runner: Runner) -> AsyncIterator[Listeners]:
    """Start the listeners of a server on their core."""
    heads, names = folder / "heads", folder / "names"
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
        yield Listeners(process, runner.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def measured(folder: Path, runner: Runner, *, storms: bool) -> Figures:
    """Measure one server once."""
    before = memory_kib(runner.pid)
    async with listeners(folder, runner) as listening_:
        count = len(runner.heads)
        found = await listening_.do("open")
        figures = {
            "connect_cpu_us": found["server_cpu_seconds"] / count * 1e6,
            "memory_kib": (memory_kib(runner.pid) - before) / count,
        }
        for name, burst in (("broadcast", 1), ("burst", BURST)):
            await listening_.do("broadcast 2 1")
            rounds: Any = await listening_.do(f"broadcast 5 {burst}")
            figures[f"{name}_last_ms"] = statistics.median(rounds["last_ms"])
            figures[f"{name}_us"] = rounds["server_cpu_seconds"] / rounds["events"] * 1e6
        for name, rate, amid in (
            ("personal", PERSONAL_A_SECOND, 0),
            ("amid", AMID_A_SECOND, 1),
        ):
            timed = await listening_.do(f"personal {rate} {SECONDS} {amid}")
            figures |= {f"{name}_p50_ms": timed["p50_ms"], f"{name}_p99_ms": timed["p99_ms"]}
            figures[f"{name}_us"] = timed["server_cpu_seconds"] / timed["events"] * 1e6
        idle = cpu_seconds(runner.pid)
        await asyncio.sleep(IDLE_SECONDS)
        figures["idle_core_share"] = (cpu_seconds(runner.pid) - idle) / IDLE_SECONDS
        if storms:
            storm = await listening_.do(f"storm {MISSED}")
            assert storm["exact"] == count, f"{storm['exact']} of {count} got what they missed"
            figures["storm_seconds"] = storm["seconds"]
            figures["storm_cpu_us"] = storm["server_cpu_seconds"] / count * 1e6
            assert not listening_.lost, f"{listening_.lost} events were lost"
        figures["lost"] = listening_.lost
    return figures


def cpu_seconds(pid: int) -> float:
    """Give what a process has used, all threads, user and kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_kib(pid: int) -> int:
    """Give what a process holds in memory of its own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    raise AssertionError("The kernel tells no RssAnon.")


async def main(streams: int, rounds: int) -> dict[str, object]:
    """Measure all, and give the ratios and figures."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-push-"))
    folder.chmod(0o711)
    found = {name: Measured() for name in ("ours", "c", "centrifuge", "batching")}
    try:
        compiled(folder)
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(home(folder, stack))
            for _ in range(rounds):
                servers = {
                    "ours": ours(held, streams),
                    "c": c_loop(folder, streams),
                    "centrifuge": centrifuge(folder, streams),
                    "batching": centrifuge(folder, streams, "-write-delay", BATCHING),
                }
                for name, server in servers.items():
                    async with server as runner:
                        figures = await measured(folder, runner, storms=name == "ours")
                        found[name].add(figures)
                        print(name, json.dumps({k: round(v, 3) for k, v in figures.items()}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told(found, streams)


def told(found: dict[str, Measured], streams: int) -> dict[str, object]:
    """Give ratios, in which more is better for us, and all figures."""
    mine, c, peer, batching = (found[n] for n in ("ours", "c", "centrifuge", "batching"))
    ratios = {
        "broadcast_vs_centrifuge": peer["broadcast_us"] / mine["broadcast_us"],
        "broadcast_vs_c": c["broadcast_us"] / mine["broadcast_us"],
        "burst_vs_centrifuge": peer["burst_last_ms"] / mine["burst_last_ms"],
        "burst_vs_centrifuge_batching": batching["burst_last_ms"] / mine["burst_last_ms"],
        "memory_vs_centrifuge": peer["memory_kib"] / mine["memory_kib"],
        "personal_p99_amid_vs_centrifuge": peer["amid_p99_ms"] / mine["amid_p99_ms"],
    }
    return {
        "bench": "push",
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
        "figures": {"streams": streams} | _flat(found.items()),
    }


def _flat(found: Iterable[tuple[str, Measured]]) -> dict[str, float]:
    return {
        f"{server}_{name}": round(one[name], 3) for server, one in found for name in one.figures
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(json.dumps(uvloop.run(main(chosen.streams, chosen.rounds))))
