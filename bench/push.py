"""Live streams beside centrifuge and beside an epoll loop in C, each one process on one core.

Run: `python -m bench.push [--streams N] [--rounds N]`. Ours gets its events as in production, from
Redis, and has access checks and resume on; the peers get them on a socket, as lines. In each round
all servers hold their streams open at once, and take turns at each thing that is measured, over the
same listeners (`bench/peers/push`), which run on another core: what else the machine does meanwhile
is the same for all. Figures in CPU time bear that; times and latencies are those of an otherwise
idle machine only where `load_average` says so. Needs a C compiler and Go; ends with one JSON line,
whose ratios are of medians.
"""

import argparse
import asyncio
import json
import os
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from bench.push_listeners import Listeners, cpu_seconds, listeners, memory_kib
from bench.push_servers import Home, c_loop, centrifuge, compiled, home, ours

MISSED = 20
BURST = 10
TURNS = 5
PERSONAL_A_SECOND = 5_000
AMID_A_SECOND = 2_000
SECONDS = 5
BATCHING = "100ms"
"""The delay with which centrifuge gathers bursts best (docs of its client protocol)."""
IDLE_SECONDS = 5
STALLED_PERCENT = 20
STALLED_ROUNDS, STALLED_BURST = 12, 50
"""More than a socket and a backlog hold."""
STOP_SECONDS_MAX = 60

Figures = dict[str, float]
Holding = Mapping[str, Listeners]


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


async def measured(held: Holding) -> dict[str, Figures]:
    """Measure all servers once, and ours for what it promises beyond."""
    found: dict[str, Figures] = {name: {} for name in held}
    before = await _idle(held)
    for name, listening in held.items():
        found[name] |= await _opened(listening)
    for name, share in (await _idle(held)).items():
        found[name]["idle_core_share"] = share
        found[name]["idle_core_share_of_streams"] = share - before[name]
    for label, burst in (("broadcast", 1), ("burst", BURST)):
        for name, figures in (await _broadcast(held, label, burst)).items():
            found[name] |= figures
    for name, listening in held.items():
        found[name] |= await _personal(listening, "personal", PERSONAL_A_SECOND, 0)
        found[name] |= await _personal(listening, "amid", AMID_A_SECOND, 1)
    mine = held["ours"]
    found["ours"] |= await _storm(mine) | await _stalled(mine) | await _stopped(mine)
    for name, listening in held.items():
        found[name] |= {"lost": listening.lost, "refused": listening.refused}
    return found


async def _idle(held: Holding) -> Figures:
    """Give the share of a core that each server takes while nothing is told."""
    before = {name: cpu_seconds(one.pid) for name, one in held.items()}
    await asyncio.sleep(IDLE_SECONDS)
    return {
        name: (cpu_seconds(one.pid) - before[name]) / IDLE_SECONDS for name, one in held.items()
    }


async def _opened(listening: Listeners) -> Figures:
    before = memory_kib(listening.pid)
    found = await listening.do("open")
    return {
        "connect_cpu_us": found["server_cpu_seconds"] / listening.count * 1e6,
        "memory_kib": (memory_kib(listening.pid) - before) / listening.count,
    }


async def _broadcast(held: Holding, label: str, burst: int) -> dict[str, Figures]:
    """Tell all of `burst` events that come together, one server after the other, in turns."""
    last: dict[str, list[float]] = {name: [] for name in held}
    used = dict.fromkeys(held, 0.0)
    for listening in held.values():
        await listening.do("broadcast 2 1")
    for _ in range(TURNS):
        for name, listening in held.items():
            told = await listening.do(f"broadcast 1 {burst}")
            last[name] += told["last_ms"]
            used[name] += told["server_cpu_seconds"] / told["events"] / TURNS
    return {
        name: {f"{label}_last_ms": statistics.median(last[name]), f"{label}_us": used[name] * 1e6}
        for name in held
    }


async def _personal(listening: Listeners, label: str, rate: int, amid: int) -> Figures:
    timed = await listening.do(f"personal {rate} {SECONDS} {amid}")
    return {
        f"{label}_p50_ms": timed["p50_ms"],
        f"{label}_p99_ms": timed["p99_ms"],
        f"{label}_us": timed["server_cpu_seconds"] / timed["events"] * 1e6,
    }


async def _storm(listening: Listeners) -> Figures:
    """Cut all off, who come back at once and get what they missed."""
    storm = await listening.do(f"storm {MISSED}")
    assert storm["exact"] == listening.count, f"{storm['exact']} got exactly what they missed"
    return {
        "storm_seconds": storm["seconds"],
        "storm_cpu_us": storm["server_cpu_seconds"] / listening.count * 1e6,
    }


async def _stalled(listening: Listeners) -> Figures:
    """Let a part of the phones take nothing: what the others cost, and that those resume."""
    rounds = f"{STALLED_ROUNDS} {STALLED_BURST}"
    usual = await listening.do(f"broadcast {rounds}")
    amid = await listening.do(f"stall {STALLED_PERCENT} {rounds}")
    thawed = await listening.do(f"thaw {STALLED_ROUNDS * STALLED_BURST}")
    assert thawed["exact"] == listening.count, f"{thawed['exact']} have all after a stall"
    return {
        "stalled_cost_to_others": (amid["server_cpu_seconds"] / amid["events"])
        / (usual["server_cpu_seconds"] / usual["events"]),
        "stalled_cut_share": thawed["came_again"] / thawed["stalled"],
    }


async def _stopped(listening: Listeners) -> Figures:
    """Stop the server as a deployment does, with all streams open."""
    start = time.monotonic()
    before = cpu_seconds(listening.pid)
    os.kill(listening.pid, signal.SIGTERM)
    ended = await listening.ask("ended")
    streams = time.monotonic() - start
    used = cpu_seconds(listening.pid) - before
    assert ended["ended"] == listening.count, f"{ended['ended']} streams were ended"
    async with asyncio.timeout(STOP_SECONDS_MAX):
        while Path(f"/proc/{listening.pid}").exists():  # noqa: ASYNC110  # not ours to tell
            await asyncio.sleep(0.01)
    return {
        "stop_streams_seconds": streams,
        "stop_streams_cpu_seconds": used,
        "stop_seconds": time.monotonic() - start,
    }


async def main(streams: int, rounds: int) -> dict[str, object]:
    """Measure all, and give the ratios and figures."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-push-"))
    folder.chmod(0o711)
    found = {name: Measured() for name in ("ours", "c", "centrifuge", "batching")}
    load = Measured()
    try:
        compiled(folder)
        async with AsyncExitStack() as stack:
            at_home = await stack.enter_async_context(home(folder, stack))
            for _ in range(rounds):
                load.add({"load_average": os.getloadavg()[0]})
                for name, figures in (await _round(folder, at_home, streams)).items():
                    found[name].add(figures)
                    print(name, json.dumps({k: round(v, 3) for k, v in figures.items()}))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return told(found, {"streams": streams, "load_average": load["load_average"]})


async def _round(folder: Path, at_home: Home, streams: int) -> dict[str, Figures]:
    servers = {
        "ours": ours(at_home, streams),
        "c": c_loop(folder, streams),
        "centrifuge": centrifuge(folder, streams),
        "batching": centrifuge(folder, streams, "-write-delay", BATCHING),
    }
    async with AsyncExitStack() as stack:
        held = {}
        for name, server in servers.items():
            runner = await stack.enter_async_context(server)
            held[name] = await stack.enter_async_context(listeners(folder, runner))
        return await measured(held)


def told(found: dict[str, Measured], known: Figures) -> dict[str, object]:
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
        "figures": {name: round(value, 2) for name, value in known.items()} | _flat(found.items()),
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
