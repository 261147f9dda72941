"""What the gateway costs for each delivery and each open stream, with and without TLS.

nginx with our template, filled in as in a deployment, before one notify; the same streams go to
notify alone, through nginx in plain HTTP/1.1, and in TLS by HTTP/1.1 and HTTP/2. Run:
`python -m bench.edge [--streams N]`; needs nginx and openssl, and ends with one JSON line. The
certificate is made for the run.
"""

import argparse
import asyncio
import json
import re
import runpy
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import uvloop

from bench.house import SECRET, running
from bench.live_rebuild import meeting
from bench.push_listeners import cpu_seconds, memory_kib
from bench.push_servers import Home, home
from bench.streams import Streams, listening
from services.embedded.servers.child import free_port
from services.notify.domain.live import Entry
from services.notify.store.live import Live
from shared.access import Principal, Tokens
from shared.redis import command_client

ROOT = Path(__file__).parents[1]
RENDER = runpy.run_path(str(ROOT / "gateway" / "render.py"))["render"]
CHANGES = 60
WARM_UP = 3
WORKER_SECONDS_MAX = 20

TUNED = r"\n    ssl_(buffer_size|session_\w+|ecdh_curve|protocols) [^;]*;"
"""What the template sets for streams under TLS."""

Figures = dict[str, float]


@dataclass(frozen=True)
class Kind:
    """How a gateway is asked, and whether it has the template's settings for that."""

    security: str
    is_tuned: bool = True


GATEWAYS = {
    "http": Kind("plain"),
    "tls": Kind("tls"),
    "tls_untuned": Kind("tls", is_tuned=False),
    "h2": Kind("h2"),
}


@dataclass(frozen=True)
class Way:
    """Where streams are asked for, and the processes that they pass."""

    port: int
    pids: Mapping[str, int]
    security: str = "plain"

    def memory(self) -> Figures:
        """Give what each process holds, in KiB."""
        return {name: memory_kib(pid) for name, pid in self.pids.items()}

    def used(self) -> Figures:
        """Give what each process has used of processors, in seconds."""
        return {name: cpu_seconds(pid) for name, pid in self.pids.items()}

    def since(self, before: Figures, what: str, count: int) -> Figures:
        """Give what each process has used since, in microseconds for each of so many."""
        return {
            f"{name}_{what}": (after - before[name]) / count * 1e6
            for name, after in self.used().items()
        }


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate and its key, on the curve that costs least."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)]
    subprocess.run([*command, "-out", str(made)], check=True, capture_output=True)
    return made, key


def configuration(folder: Path, variables: Mapping[str, str], kind: Kind) -> str:
    """Fill in the template; what ends TLS is what an installation adds to it."""
    text: str = RENDER(variables)
    listen = f"listen {variables['GATEWAY_LISTEN']};"
    assert listen in text
    if kind.security != "plain":
        made, key = certificate(folder)
        told = f"ssl_certificate {made};\n        ssl_certificate_key {key};"
        text = text.replace(listen, f"{listen[:-1]} ssl http2;\n        {told}")
    if not kind.is_tuned:
        text, count = re.subn(TUNED, "", text)
        assert count
    text = text.replace("worker_processes auto;", "worker_processes 1;")
    return text.replace("access_log /dev/stdout facts;", "access_log off;")


async def worker_of(master: int) -> int:
    """Wait for nginx's worker, which is begun after the port is taken, and give its process id."""
    children = Path(f"/proc/{master}/task/{master}/children")
    async with asyncio.timeout(WORKER_SECONDS_MAX):
        while not (found := children.read_text().split()):  # noqa: ASYNC110  # it tells nobody
            await asyncio.sleep(0.05)
    return int(found[0])


@asynccontextmanager
async def gateway(folder: Path, notify_port: int, kind: Kind) -> AsyncIterator[tuple[int, int]]:
    """Run nginx with one worker; gives its port and the worker's process id."""
    folder.mkdir()
    port = free_port()
    variables = dict.fromkeys(("GATEWAY_REGISTRATION", "GATEWAY_MATCHING"), "127.0.0.1:9") | {
        "GATEWAY_NOTIFY": f"127.0.0.1:{notify_port}",
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "GATEWAY_FOLDER": str(folder),
    }
    file = folder / "nginx.conf"
    file.write_text(configuration(folder, variables, kind))
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin") or "nginx"
    command = [nginx, "-e", "stderr", "-c", str(file), "-g", "daemon off;"]
    async with running(command, port) as master:
        yield port, await worker_of(master)


async def delivered(first: Entry, held: Home, streams: Streams, count: int) -> None:
    """Have one meeting change, and wait each time until all have it."""
    async with command_client(held.redis_url) as client:
        live = Live(client)
        for number in range(count):
            await live.apply(held.stop, [replace(first, revision=first.revision + number)])
            await streams.next()


async def measured(held: Home, way: Way, count: int) -> Figures:
    """Measure one way: what opening, holding and each delivery cost each process."""
    first = replace(meeting(held.stop, held.mission), revision=1)
    memory, used = way.memory(), way.used()
    async with listening(way.port, count, request(held), way.security) as streams:
        figures = way.since(used, "connect_us", count)
        await delivered(first, held, streams, WARM_UP)
        figures |= {
            f"{name}_memory_kib": (after - memory[name]) / count
            for name, after in way.memory().items()
        }
        used = way.used()
        later = replace(first, revision=first.revision + WARM_UP)
        await delivered(later, held, streams, CHANGES)
        return figures | way.since(used, "delivery_us", count * CHANGES)


def request(held: Home) -> str:
    """Write the request for the stream of all that changes at the stop, as mission staff."""
    who = Principal("mission_staff", uuid4())
    token = Tokens(SECRET).sign(who, "session", datetime.now(UTC))
    path = f"/api/v1/live/stops/{held.stop}"
    return f"GET {path} HTTP/1.1\nHost: x\nAuthorization: Bearer {token}\n\n"


@asynccontextmanager
async def ways(folder: Path, held: Home) -> AsyncIterator[dict[str, Way]]:
    """Run notify and the gateways before it."""
    async with AsyncExitStack() as stack:
        port = free_port()
        command = [sys.executable, "-m", "services.notify"]
        served = running(command, port, held.environment(port))
        notify = await stack.enter_async_context(served)
        found = {"direct": Way(port, {"notify": notify})}
        for name, kind in GATEWAYS.items():
            at, worker = await stack.enter_async_context(gateway(folder / name, port, kind))
            found[name] = Way(at, {"notify": notify, "nginx": worker}, kind.security)
        yield found


async def main(count: int, rounds: int) -> dict[str, object]:
    """Measure all ways, and give the ratios and figures."""
    folder = Path(tempfile.mkdtemp(prefix="tradewind-bench-"))
    folder.chmod(0o711)
    found: dict[str, list[float]] = {}
    try:
        async with AsyncExitStack() as stack:
            held = await stack.enter_async_context(home(folder, stack))
            there = await stack.enter_async_context(ways(folder, held))
            for _ in range(rounds):
                for name, way in there.items():
                    for what, value in (await measured(held, way, count)).items():
                        found.setdefault(f"{name}_{what}", []).append(value)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    figures = {name: statistics.median(values) for name, values in found.items()}
    alone = figures["direct_notify_delivery_us"]
    ratios = {
        f"{name}_vs_notify_alone": figures[f"{name}_nginx_delivery_us"] / alone for name in GATEWAYS
    }
    for what in ("delivery_us", "memory_kib", "connect_us"):
        before, after = (figures[f"{name}_nginx_{what}"] for name in ("tls_untuned", "tls"))
        ratios[f"tls_{what}_untuned_vs_tuned"] = before / after
    return {
        "bench": "edge",
        "ratios": {name: round(value, 2) for name, value in ratios.items()},
        "figures": {"streams": count} | {name: round(value, 2) for name, value in figures.items()},
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    print(json.dumps(uvloop.run(main(chosen.streams, chosen.rounds))))
