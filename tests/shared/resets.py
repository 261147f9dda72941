"""Connections to a server that are reset."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


@asynccontextmanager
async def resettable(address: str) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Listen for a server; a connection is reset, as by a server that is killed, at the event."""
    reset = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = address.partition(":")
        from_server, to_server = await asyncio.open_connection(host, int(port))
        ways = [
            asyncio.create_task(_copy(reader, to_server)),
            asyncio.create_task(_copy(from_server, writer)),
        ]
        await reset.wait()
        for way in ways:
            way.cancel()
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE
        )
        writer.transport.abort()
        to_server.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        try:
            yield server.sockets[0].getsockname()[1], reset
        finally:
            reset.set()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
