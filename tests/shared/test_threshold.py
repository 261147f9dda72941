"""Who comes to a gate, over real connections."""

import asyncio
import contextlib
import os
import resource
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from shared import threshold
from shared.access import Tokens
from shared.protocol import Protocol
from shared.service import Service
from shared.threshold import Knock
from tests.serving import serving

ANSWER = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nlet in"
KNOCKS: list[Knock] = []

router = APIRouter()


@router.api_route("/door", methods=["GET", "POST"])
async def door(request: Request) -> Response:
    return PlainTextResponse(f"route {request.query_params}")


def gate(knock: Knock) -> None:
    """Let in who asks for it, at once; leave who asks for that to the test."""
    KNOCKS.append(knock)
    asked = knock.scope["query_string"]
    if asked == b"later":
        return
    if asked != b"in":
        knock.go_on()
        return
    fd = knock.take_over()
    os.write(fd, ANSWER)
    os.close(fd)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server with a gate."""
    KNOCKS.clear()
    service = Service(name="sample", routers=[router], loops={}, gates={"/door": gate})
    async with serving(service, Tokens("only for this test, and long enough")) as port:
        yield port


@pytest.fixture
def links() -> Iterator[list[socket.socket]]:
    """A list of connections that are closed after the server, when it is asked for before it."""
    found: list[socket.socket] = []
    yield found
    for one in found:
        one.close()


def is_listening(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


async def answers(port: int, *parts: bytes, until: bytes) -> bytes:
    """Send parts one after the other; gives all that came up to some bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)
    async with asyncio.timeout(60):
        found = await reader.readuntil(until)
    writer.close()
    return found


def asking(query: str, *, method: str = "GET", more: str = "") -> bytes:
    return f"{method} /door?{query} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


async def test_who_comes_to_a_gate_is_let_in_without_the_server(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Protocol, "_start_asgi_task")
    assert await answers(port, asking("in", more="X-A: 1\r\n"), until=b"let in") == ANSWER
    (knock,) = KNOCKS
    assert knock.scope["headers"] == [(b"host", b"x"), (b"x-a", b"1")]


async def test_whom_the_gate_does_not_take_the_route_answers(port: int) -> None:
    assert b"200 OK" in await answers(port, asking("no"), until=b"route no")
    assert len(KNOCKS) == 1


@pytest.mark.parametrize(
    "parts",
    [
        (asking("in")[:9], asking("in")[9:]),
        (asking("in", method="POST", more="Content-Length: 0\r\n"),),
        (asking("in") * 2,),
        (asking("in").replace(b"GET /door", b"GET http://x/door"),),
        (asking("in", more="Connection: upgrade\r\nUpgrade: other\r\n"),),
    ],
    ids=["in parts", "another method", "two at once", "an absolute address", "an upgrade"],
)
async def test_what_is_no_single_whole_request_is_the_servers(
    port: int, parts: tuple[bytes, ...]
) -> None:
    assert b"200 OK" in await answers(port, *parts, until=b"route in=")
    assert not KNOCKS


async def test_what_is_no_http_is_refused_by_the_server(port: int) -> None:
    wrong = asking("in", more="no header\r\n")
    assert (await answers(port, wrong, until=b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
    assert not KNOCKS


async def test_who_waits_and_asks_for_more_meanwhile_keeps_the_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asking("later"))
    async with asyncio.timeout(60):
        while not KNOCKS:
            await asyncio.sleep(0.01)
        writer.write(asking("second") * 2)
        await asyncio.sleep(0.05)
        KNOCKS[0].go_on()
        for wanted in (b"route later=", b"route second=", b"route second="):
            await reader.readuntil(wanted)
        writer.write(asking("third"))
        await reader.readuntil(b"route third=")
    writer.close()


async def test_who_left_while_waiting_hinders_nobody(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asking("later"))
    async with asyncio.timeout(60):
        while not KNOCKS:
            await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    KNOCKS[0].go_on()
    assert b"200 OK" in await answers(port, asking("no"), until=b"route no")


async def test_who_comes_while_there_is_no_room_is_heard_a_moment_later(
    port: int, links: list[socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold, "PAUSE_SECONDS", 0.05)
    links.append(link := socket.socket())
    link.settimeout(60)
    few, many = resource.getrlimit(resource.RLIMIT_NOFILE)
    with link.dup() as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno() + 1, many))
        try:
            link.connect(("127.0.0.1", port))
            link.sendall(asking("in"))
            await asyncio.sleep(0.2)
            assert not KNOCKS
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (few, many))
    assert await asyncio.to_thread(link.recv, 1_024) == ANSWER


async def test_who_waits_when_the_server_stops_is_not_passed_on(
    links: list[socket.socket], port: int
) -> None:
    links.append(link := socket.create_connection(("127.0.0.1", port), timeout=60))
    link.sendall(asking("later"))
    async with asyncio.timeout(60):
        while not KNOCKS:
            await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGTERM)
        while is_listening(port):
            await asyncio.sleep(0.01)
    KNOCKS[0].go_on()
    with pytest.raises(ConnectionResetError):
        await asyncio.to_thread(link.recv, 1)


async def test_the_server_stops_at_once_with_connections_on_which_nothing_came(
    links: list[socket.socket], port: int
) -> None:
    # The fixture stops the server, which waits for all that it knows of.
    links += [socket.create_connection(("127.0.0.1", port)) for _ in range(5)]
    await answers(port, asking("in"), until=b"let in")
