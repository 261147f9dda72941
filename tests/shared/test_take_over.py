"""A connection that a route takes over from the server."""

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from shared.access import Tokens
from shared.protocol import Protocol, head_of, taken_over
from shared.service import Service
from tests.serving import serving

TAKEN: list[int] = []


class Taking(Response):
    """Takes its connection over, and leaves what comes then to the test."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fd = taken_over(scope)
        if fd is None:
            await super().__call__(scope, receive, send)
            return
        os.write(fd, head_of(scope, 200, self.raw_headers) + b"one")
        TAKEN.append(fd)


router = APIRouter()


@router.get("/taken")
async def taken(request: Request) -> Response:
    del request
    return Taking("copied", media_type="text/plain")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server."""
    TAKEN.clear()
    service = Service(name="sample", routers=[router], loops={})
    async with serving(service, Tokens("only for this test, and long enough")) as port:
        yield port


async def asked(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /taken HTTP/1.1\r\nHost: x\r\nX-Request-Id: mine\r\n\r\n")
    return reader, writer


async def test_what_was_taken_over_goes_on_without_the_server(port: int) -> None:
    reader, writer = await asked(port)
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert await reader.readexactly(3) == b"one"
    assert head.startswith("http/1.1 200 ok\r\n")
    for line in ("connection: close", "x-request-id: mine", "x-content-type-options: nosniff"):
        assert f"{line}\r\n" in head
    (fd,) = TAKEN
    assert not os.get_blocking(fd)
    os.write(fd, b"two")
    async with asyncio.timeout(60):
        assert await reader.readexactly(3) == b"two"
        os.close(fd)
        assert await reader.read() == b""
    writer.close()


async def test_nothing_of_the_server_stays_for_what_was_taken_over(port: int) -> None:
    gc.collect()
    gc.disable()
    try:
        connections = [await asked(port) for _ in range(5)]
        async with asyncio.timeout(60):
            for reader, _ in connections:
                await reader.readuntil(b"one")
            kinds = (RequestResponseCycle, Protocol)
            while any(isinstance(one, kinds) for one in gc.get_objects()):
                await asyncio.sleep(0.01)
    finally:
        gc.enable()
        for _, writer in connections:
            writer.close()
        for fd in TAKEN:
            os.close(fd)


async def test_the_server_stops_at_once_with_connections_that_were_taken_over(port: int) -> None:
    connections = [await asked(port) for _ in range(20)]
    async with asyncio.timeout(60):
        for reader, _ in connections:
            await reader.readuntil(b"one")
    # The fixture stops the server; what was taken over outlives it.
    for _, writer in connections:
        writer.close()
    for fd in TAKEN:
        socket.socket(fileno=fd).close()


async def test_what_waits_behind_on_the_connection_keeps_it_with_the_server(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /taken HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
    async with asyncio.timeout(60):
        head = (await reader.readuntil(b"copied")).decode().lower()
    assert "content-length: 6" in head
    writer.close()
    for fd in TAKEN:
        socket.socket(fileno=fd).close()
