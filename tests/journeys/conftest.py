"""A whole installation as it is deployed: three processes, Kafka, and the gateway before them."""

import asyncio
import json
import runpy
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from services.embedded.installation import make_databases
from services.embedded.servers.account import OURS
from services.embedded.servers.child import Program, Server, free_port, supervised
from services.embedded.servers.folder import claim
from services.embedded.servers.kafka import kafka
from services.embedded.servers.postgres import postgres
from services.embedded.servers.valkey import valkey
from services.verifying.sources import Sources
from shared.access import Principal, Tokens

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "cleantech-china-2023"
SECRET = "only for tests, and long enough for them"
SERVICES = ("registration", "matching", "notify")
RENDER = runpy.run_path(str(ROOT / "gateway" / "render.py"))["render"]


@dataclass(frozen=True)
class House:
    """Everything that runs, by name; each may be killed, and starts again."""

    url: str
    parts: Mapping[str, Server]
    kafka_servers: str
    sources: Sources

    def staff_token(self) -> str:
        who = Principal("mission_staff", uuid4())
        return Tokens(SECRET).sign(who, "session", datetime.now(UTC))


@pytest.fixture
async def house() -> AsyncIterator[House]:
    folder = Path(tempfile.mkdtemp(prefix="tradewind-tests-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as stack:
            yield await build(folder, stack)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def build(folder: Path, stack: AsyncExitStack) -> House:
    jars = ROOT / ".cache" / "kafka"
    parts = {
        "postgres": await stack.enter_async_context(postgres(folder / "postgres", durable=False)),
        "redis": await stack.enter_async_context(valkey(folder / "redis")),
        "kafka": await stack.enter_async_context(kafka(folder / "kafka", jars=jars)),
    }
    databases = await make_databases(parts["postgres"].url)
    ports = {name: free_port() for name in (*SERVICES, "gateway")}
    for name in SERVICES:
        environment = {
            "MODE": "development",
            "PORT": ports[name],
            "DATABASE_URL": databases[name],
            "LOG_URL": f"kafka://{parts['kafka'].url}",
            "SECRET_KEY": SECRET,
            "REDIS_URL": parts["redis"].url,
            "MAILBOX": "true" if name == "notify" else "false",
            "INTERNAL_URL": f"http://127.0.0.1:{ports['registration']}",
            "MATCHING_URL": f"http://127.0.0.1:{ports['matching']}",
            "NOTIFY_URL": f"http://127.0.0.1:{ports['notify']}",
            "PUBLIC_URL": f"http://127.0.0.1:{ports['gateway']}",
            "LOG_LEVEL": "warning",
            # Everybody who registers has one address here.
            "LIMIT_REGISTRATIONS": 0,
        }
        variables = [f"TRADEWIND_{key}={value}" for key, value in environment.items()]
        command = ["env", *variables, sys.executable, "-m", f"services.{name}"]
        parts[name] = await start(folder, stack, program(name, command, ports[name]))
    command = gateway_command(folder / "gateway", ports)
    parts["gateway"] = await start(folder, stack, program("gateway", command, ports["gateway"]))
    sources = Sources(databases, parts["redis"].url)
    return House(f"http://127.0.0.1:{ports['gateway']}", parts, parts["kafka"].url, sources)


def program(name: str, command: list[str], port: int) -> Program:
    return Program(
        name=name,
        command=command,
        url=f"http://127.0.0.1:{port}",
        ask=lambda: ask(port),
        stop_signal=signal.SIGTERM,
    )


async def start(folder: Path, stack: AsyncExitStack, what: Program) -> Server:
    held = await stack.enter_async_context(claim(folder / what.name, OURS))
    return await stack.enter_async_context(supervised(what, held))


async def ask(port: int) -> None:
    """Return when somebody listens; raise OSError while nobody does."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.close()
    await writer.wait_closed()


def gateway_command(folder: Path, ports: Mapping[str, int]) -> list[str]:
    folder.mkdir(exist_ok=True)
    variables = {
        f"GATEWAY_{name.upper()}": f"127.0.0.1:{port}"
        for name, port in ports.items()
        if name != "gateway"
    }
    variables["GATEWAY_LISTEN"] = f"127.0.0.1:{ports['gateway']}"
    variables["GATEWAY_FOLDER"] = str(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(RENDER(variables))
    nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin") or "nginx"
    # One process: workers would outlive a master that was killed.
    alone = "daemon off; master_process off;"
    return [nginx, "-e", "stderr", "-c", str(configuration), "-g", alone]


@pytest.fixture
def one_stop(tmp_path: Path) -> Path:
    """The sample mission with one stop alone, and more that goes wrong there."""
    plan = yaml.safe_load((EXAMPLE / "mission.yaml").read_text())
    troubles = yaml.safe_load((EXAMPLE / "rehearsal.yaml").read_text())
    slug = "shanghai"
    plan["stops"] = [stop for stop in plan["stops"] if stop["slug"] == slug]
    plan["staff"] = [one | {"stops": [slug]} for one in plan["staff"] if slug in one["stops"]]
    lost = {"label": plan["stops"][0]["points"][0]["label"], "from_slot": 3}
    more = {"no_show_share": 0.15, "lost_table": lost}
    troubles["stops"] = {slug: troubles["stops"][slug] | more}
    lines = (EXAMPLE / "participants.jsonl").read_text().splitlines()
    (tmp_path / "mission.yaml").write_text(yaml.safe_dump(plan, allow_unicode=True))
    (tmp_path / "rehearsal.yaml").write_text(yaml.safe_dump(troubles, allow_unicode=True))
    (tmp_path / "participants.jsonl").write_text(
        "".join(
            f"{json.dumps(narrowed(one, slug), ensure_ascii=False)}\n"
            for one in map(json.loads, lines)
            if slug in one["stops"]
        )
    )
    return tmp_path


def narrowed(participant: dict[str, Any], slug: str) -> dict[str, Any]:
    return participant | {"stops": [slug], "items": {slug: participant["items"][slug]}}


@pytest.fixture
def killing(house: House) -> Callable[[str], None]:
    """A listener to a rehearsal's progress that kills one part after the other."""
    left = list(house.parts)

    def hear(message: str) -> None:
        del message
        if left:
            house.parts[left.pop()].kill()

    return hear
