"""A real nginx with the gateway's configuration, before three services that say who they are."""

import asyncio
import json
import os
import shutil
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2
import pytest

from services.embedded.servers.child import free_port

RENDER = Path(__file__).parents[2] / "gateway" / "render.py"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
START_SECONDS_MAX = 60


@dataclass
class Gateway:
    client: httpx2.AsyncClient
    upstreams: dict[str, asyncio.Server] = field(default_factory=dict)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    """A live stream sends its second event when this is set."""

    async def service(self, path: str) -> str:
        """Say which service a path leads to."""
        answer = await self.client.get(path)
        return str(answer.json()["service"])


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    if NGINX is None:
        pytest.skip("nginx is not installed")
    async with AsyncExitStack() as stack:
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=address, timeout=60))
        found = Gateway(client)
        environment = {"GATEWAY_FOLDER": str(tmp_path), "GATEWAY_LISTEN": f"127.0.0.1:{port}"}
        for name in ("registration", "matching", "notify"):
            answer = partial(_answer, name, found.more)
            upstream = await asyncio.start_server(answer, "127.0.0.1", 0)
            stack.callback(upstream.close)
            found.upstreams[name] = upstream
            number = upstream.sockets[0].getsockname()[1]
            environment[f"GATEWAY_{name.upper()}"] = f"127.0.0.1:{number}"
        await _start(stack, tmp_path / "nginx.conf", environment)
        await _listening(port)
        yield found


async def _start(stack: AsyncExitStack, file: Path, environment: dict[str, str]) -> None:
    render = await asyncio.create_subprocess_exec(sys.executable, RENDER, file, env=environment)
    assert await render.wait() == 0
    assert NGINX
    # One process: where a test run is killed, workers would outlive their master.
    options = "daemon off; master_process off;"
    command = [NGINX, "-e", "stderr", "-c", str(file), "-g", options]
    with (file.parent / "said").open("wb") as said:
        nginx = await asyncio.create_subprocess_exec(*command, stdout=said, stderr=said)

    async def stop() -> None:
        nginx.terminate()
        await asyncio.wait_for(nginx.wait(), START_SECONDS_MAX)

    stack.push_async_callback(stop)


async def _listening(port: int) -> None:
    async with asyncio.timeout(START_SECONDS_MAX):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def _answer(
    name: str, more: asyncio.Event, reader: StreamReader, writer: StreamWriter
) -> None:
    """Be a service: say what was asked, or for a live stream, send two events."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    if "/live/" in head[0]:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        writer.write(f"data: first of {name}\n\n".encode())
        await writer.drain()
        await more.wait()
        writer.write(b"data: second\n\n")
    else:
        body = json.dumps({"service": name, "request": head[0], "headers": headers})
        start = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(f"{start}{body}".encode())
    await writer.drain()
    writer.close()
