"""A connection to the broker that is lost, in the loop that services run in."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.log.connection import Connection

RESET_AT_CLOSE = struct.pack("ii", 1, 0)


async def test_a_request_just_after_the_loss_is_told_of_it(kafka_servers: str) -> None:
    """Anything else ends aiokafka's task for metadata, and whoever waits for it waits for ever."""

    async def ask() -> None:
        async with resettable(kafka_servers) as (port, reset):
            connection = await create_conn("127.0.0.1", port)
            assert isinstance(connection, Connection)
            transport = connection._writer.transport
            reset.set()
            while not transport.is_closing():
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert connection.connected()
            with pytest.raises(KafkaConnectionError):
                await connection.send(MetadataRequest([]))
            assert not connection.connected()

    await asyncio.to_thread(uvloop.run, ask())


@asynccontextmanager
async def resettable(address: str) -> AsyncIterator[tuple[int, asyncio.Event]]:
    """Listen for a broker; a connection is reset, as by a broker that is killed, at the event."""
    reset = asyncio.Event()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = address.partition(":")
        from_broker, to_broker = await asyncio.open_connection(host, int(port))
        ways = [
            asyncio.create_task(_copy(reader, to_broker)),
            asyncio.create_task(_copy(from_broker, writer)),
        ]
        await reset.wait()
        for way in ways:
            way.cancel()
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE
        )
        writer.transport.abort()
        to_broker.close()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], reset


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
