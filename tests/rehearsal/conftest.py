"""The sample's files in a folder of the test's own, meetings, and a server that misbehaves."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.rehearsal.example import Example
from services.rehearsal.meetings import Meeting

EXAMPLE = Path(__file__).parents[2] / "examples" / "cleantech-china-2023"
MORNING = datetime(2023, 11, 6, 1, 0, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("mission.yaml", "participants.jsonl", "rehearsal.yaml"):
        shutil.copy(EXAMPLE / name, tmp_path / name)
    return tmp_path


@pytest.fixture(scope="session")
def sample() -> Example:
    return Example.read(EXAMPLE)


@pytest.fixture
def meeting() -> Callable[..., Meeting]:
    def make(name: str = "m1", **changes: Any) -> Meeting:
        """Make a meeting; `at` counts minutes from the morning, `people` are its two."""
        at = MORNING + timedelta(minutes=changes.pop("at", 0))
        delegate, local = changes.pop("people", ("d1", "l1"))
        facts = {
            "meeting_id": name,
            "stop_id": "s1",
            "revision": 1,
            "state": "scheduled",
            "starts_at": at,
            "ends_at": at + timedelta(minutes=20),
            "delay_minutes": 0,
            "point_id": "t1",
            "point": "T1",
            "parties": [
                {"participant_id": delegate, "side": "delegation", "organization": "Sample One"},
                {
                    "participant_id": local,
                    "side": "local",
                    "organization": "Sample | Two",
                    "native_organization": "示例二",
                },
            ],
            "interpreter_id": None,
        }
        return Meeting.model_validate(facts | changes)

    return make


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Server:
    """Answers by a function; None drops the connection without an answer."""

    answer: Callable[[Received], tuple[int, dict[str, Any]] | None]
    received: list[Received] = field(default_factory=list)
    url: str = ""


@dataclass
class StreamServer:
    """Serves one connection after another with what `serve` writes."""

    url: str = ""
    heads: list[dict[str, str]] = field(default_factory=list)


Serve = Callable[[int, asyncio.StreamWriter], Awaitable[None]]


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    pairs = (line.partition(": ") for line in head[1:] if line)
    return head[0], {name.lower(): value for name, _, value in pairs}


@asynccontextmanager
async def _listening(
    handle: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.wait_closed()


@pytest.fixture
def server() -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(
        answer: Callable[[Received], tuple[int, dict[str, Any]] | None],
    ) -> AsyncIterator[Server]:
        here = Server(answer)

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                line, headers = await _head(reader)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                method, path, _ = line.split(" ")
                request = Received(method, path, headers, json.loads(body) if body else None)
                here.received.append(request)
                given = here.answer(request)
                if given is None:
                    return
                status, content = given
                data = json.dumps(content, default=str).encode()
                head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(data)}\r\n\r\n"
                writer.write(head.encode() + data)

        async with _listening(handle) as url:
            here.url = url
            yield here

    return serve


@pytest.fixture
def stream_server() -> Callable[..., Any]:
    @asynccontextmanager
    async def serve(each: Serve) -> AsyncIterator[StreamServer]:
        here = StreamServer()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _, headers = await _head(reader)
            here.heads.append(headers)
            await each(len(here.heads), writer)

        async with _listening(handle) as url:
            here.url = url
            yield here

    return serve
