"""Listeners against a server whose streams break."""

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from services.rehearsal.client import Client
from services.rehearsal.streams import StreamRefused, listening
from services.rehearsal.updates import Updates

Serve = Callable[..., AbstractAsyncContextManager[Any]]

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def event(place: str, name: str, content: object) -> bytes:
    return f"id: e:{place}\nevent: {name}\ndata: {json.dumps(content)}\n\n".encode()


def live(revision: int) -> dict[str, Any]:
    return {"meeting_id": "m1", "revision": revision, "occurred_at": "2026-01-01T00:00:00Z"}


SNAPSHOT = event("1-0", "snapshot", {"meetings": []})


async def follow(url: str, updates: Updates, missing: int = 0) -> None:
    async with Client.connect(url, "token") as client, listening({"p1": client}, "s1", updates):
        updates.expect(["p1"], "s1", "m1", 3)
        async with asyncio.timeout(60):
            while updates.missing > missing:
                await asyncio.sleep(0.01)


async def test_a_stream_that_breaks_is_resumed_where_it_was(stream_server: Serve) -> None:
    async def serve(nth: int, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        if nth == 1:
            # The connection breaks in the middle of an event.
            half = event("3-0", "change", live(3))[:20]
            writer.write(chunk(SNAPSHOT + event("2-0", "change", live(2)) + half))
            await writer.drain()
            return
        writer.write(chunk(event("3-0", "change", live(3))))
        await asyncio.sleep(10)

    updates = Updates()
    async with stream_server(serve) as here:
        await follow(here.url, updates)

    assert [head.get("last-event-id") for head in here.heads] == [None, "e:2-0"]
    assert here.heads[0]["authorization"] == "Bearer token"
    assert (updates.received, updates.by_snapshot) == (1, 0)


async def test_a_resync_brings_what_was_missed(stream_server: Serve) -> None:
    async def serve(nth: int, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD)
        if nth == 1:
            writer.write(chunk(SNAPSHOT))
            await writer.drain()
            return
        frames = event("9-0", "resync", {}) + event("9-0", "snapshot", {"meetings": [live(4)]})
        for byte in frames:
            writer.write(chunk(bytes([byte])))
        await asyncio.sleep(10)

    updates = Updates()
    async with stream_server(serve) as here:
        await follow(here.url, updates)

    assert (updates.received, updates.by_snapshot) == (1, 1)


@pytest.mark.parametrize("status", [404, 503])
async def test_a_stop_that_is_not_known_yet_is_asked_for_again(
    stream_server: Serve, status: int
) -> None:
    async def serve(nth: int, writer: asyncio.StreamWriter) -> None:
        if nth == 1:
            writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\n{{}}".encode())
            await writer.drain()
            return
        writer.write(HEAD + chunk(SNAPSHOT + event("2-0", "change", live(3))))
        await asyncio.sleep(10)

    updates = Updates()
    async with stream_server(serve) as here:
        await follow(here.url, updates)

    assert len(here.heads) == 2


async def test_a_refused_stream_ends_the_rehearsal(stream_server: Serve) -> None:
    async def serve(nth: int, writer: asyncio.StreamWriter) -> None:
        del nth
        writer.write(b"HTTP/1.1 403 X\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()

    async with stream_server(serve) as here:
        with pytest.raises(StreamRefused, match="403"):
            await follow(here.url, Updates())
