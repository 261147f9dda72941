"""A connection to the broker that is lost, in the loop that services run in."""

import asyncio

import pytest
import uvloop
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.log.connection import Connection
from tests.shared.resets import resettable


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
