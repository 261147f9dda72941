"""Who is turned away in a flood, over a real connection."""

import asyncio
import gc
import json
import re
import socket
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from shared.access import Tokens
from shared.errors import Busy
from shared.express import Call, Express, Reply
from shared.protocol import TURN_SECONDS, TURNED_AWAY_A_TURN, Doorman, Protocol
from shared.service import Service
from tests.serving import serving
from tests.shared.resets import RESET_AT_CLOSE

FULL: list[Busy] = []
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def reply(call: Call) -> Reply:
    return Reply(201, {"length": len(call.body)}, {})


@pytest.fixture
async def connection() -> AsyncIterator[Connection]:
    """A connection to a server whose one express route is full while `FULL` holds something."""
    FULL.clear()
    lane = [Express("POST", re.compile("/rush"), reply, lambda: FULL[0] if FULL else None)]
    service = Service(name="sample", routers=[], loops={}, express=lane)
    tokens = Tokens("only for this test, and long enough")
    async with serving(service, tokens) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()


async def ask(
    connection: Connection, body: bytes, method: str = "POST", path: str = "/rush"
) -> tuple[int, dict[str, str], dict[str, object]]:
    """Send a request in two parts and read its answer."""
    reader, writer = connection
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:3])
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(body[3:])
    async with asyncio.timeout(60):
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        content = await reader.readexactly(int(headers["content-length"]))
    return int(lines[0].split()[1]), headers, json.loads(content)


async def test_a_full_lane_says_when_to_come_back_and_keeps_the_connection(
    connection: Connection,
) -> None:
    assert (await ask(connection, b"x" * 9))[0] == 201
    FULL.append(Busy("Too many.", retry_seconds=3))

    status, headers, problem = await ask(connection, b"x" * 9)
    FULL.clear()

    assert (status, problem["code"], problem["status"]) == (503, "busy", 503)
    assert headers["content-type"] == "application/problem+json"
    assert 3 <= int(headers["retry-after"]) <= 7
    assert headers["x-request-id"] == problem["request_id"]
    assert "content-security-policy" in headers
    assert (await ask(connection, b"y" * 7))[2] == {"length": 7}


async def test_health_is_answered_when_the_lane_is_full(connection: Connection) -> None:
    FULL.append(Busy("Too many."))
    status, _, content = await ask(connection, b"", "GET", "/livez")
    assert (status, content) == (200, {"status": "live"})


async def test_another_method_or_path_is_not_turned_away(connection: Connection) -> None:
    FULL.append(Busy("Too many."))
    assert (await ask(connection, b"", "POST", "/rush/other"))[0] == 404


async def test_who_is_turned_away_beyond_the_pace_is_told_in_turn() -> None:
    doorman, told = Doorman(), list[int]()
    for place in range(3 * TURNED_AWAY_A_TURN):
        doorman.turn_away(partial(told.append, place))
    assert told == list(range(TURNED_AWAY_A_TURN))

    async with asyncio.timeout(60):
        while len(told) < 3 * TURNED_AWAY_A_TURN:
            await asyncio.sleep(TURN_SECONDS)

    assert told == list(range(3 * TURNED_AWAY_A_TURN))


async def test_who_was_lost_a_moment_ago_holds_up_nobody_who_is_turned_away_after_him() -> None:
    told: list[str] = []

    async def turned_away() -> None:
        made = asyncio.get_running_loop().create_future()

        class Server(Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # what it is
                self.transport = transport
                made.set_result(self)

            def connection_lost(self, exc: Exception | None) -> None:
                pass

        loop = asyncio.get_running_loop()
        listening = await loop.create_server(lambda: Server.__new__(Server), "127.0.0.1", 0)
        with socket.socket() as client:
            client.connect(listening.sockets[0].getsockname())
            server = await made
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        while not server.transport.is_closing():
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        listening.close()
        cycle: Any = SimpleNamespace(disconnected=False, keep_alive=True)
        doorman = Doorman()
        doorman.turn_away(lambda: server._send(cycle, b"HTTP/1.1 503 Busy"))
        doorman.turn_away(lambda: told.append("the next"))

    await asyncio.to_thread(uvloop.run, turned_away())
    assert told == ["the next"]


async def test_each_of_a_crowd_that_is_turned_away_gets_an_answer(connection: Connection) -> None:
    port = connection[1].get_extra_info("peername")[1]
    FULL.append(Busy("Too many."))
    crowd = [
        await asyncio.open_connection("127.0.0.1", port) for _ in range(3 * TURNED_AWAY_A_TURN)
    ]

    answers = await asyncio.gather(*(ask(one, b"x" * 9) for one in crowd))
    FULL.clear()

    assert {status for status, _, _ in answers} == {503}
    assert all("retry-after" in headers for _, headers, _ in answers)
    assert {(await ask(one, b"y" * 7))[0] for one in crowd} == {201}
    for _, writer in crowd:
        writer.close()


@pytest.mark.parametrize("path", ["/rush", "/rush/other"])
async def test_an_answered_request_is_gone_without_a_search_for_garbage(
    connection: Connection, path: str
) -> None:
    await ask(connection, b"x" * 9, path=path)
    gc.disable()
    try:
        for _ in range(20):
            await ask(connection, b"x" * 9, path=path)
        left = [one for one in gc.get_objects() if isinstance(one, RequestResponseCycle)]
    finally:
        gc.enable()
    # The connection holds its latest; those of other tests are not searched for either.
    mine = [one for one in left if one.scope["path"] == path and not one.disconnected]
    assert len(mine) <= 2
