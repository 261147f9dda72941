"""A connection to Redis that is lost, in the loop that services run in."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import uvloop
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shared.redis import blocking_client, command_client
from tests.shared.resets import resettable


async def after_a_reset(
    redis_url: str, client_of: Callable[[str], "Redis"], ask: Callable[["Redis"], Any]
) -> Any:
    """Ask by a connection that was reset while nobody used it."""
    server = urlsplit(redis_url)
    async with (
        resettable(f"{server.hostname}:{server.port}") as (port, reset),
        client_of(server._replace(netloc=f"127.0.0.1:{port}").geturl()) as client,
    ):
        await client.ping()
        (connection,) = client.connection_pool._available_connections
        reset.set()
        assert connection._writer is not None
        while not connection._writer.transport.is_closing():
            await asyncio.sleep(0)
        # The next one is accepted by who lets it be.
        reset.clear()
        return await ask(client)


async def piped(client: "Redis") -> Any:
    async with client.pipeline(transaction=False) as pipeline:
        for _ in range(2):
            pipeline.ping()
        return await pipeline.execute()


async def pinged(client: "Redis") -> Any:
    return await client.ping()


@pytest.mark.parametrize(("ask", "answer"), [(pinged, True), (piped, [True, True])])
async def test_a_command_after_the_loss_takes_another_connection(
    redis_url: str, ask: Callable[["Redis"], Any], answer: Any
) -> None:
    asking = after_a_reset(redis_url, command_client, ask)
    assert await asyncio.to_thread(uvloop.run, asking) == answer


async def test_a_reader_that_blocks_is_told_of_an_outage(redis_url: str) -> None:
    """Anything else ends the process."""

    async def read(client: "Redis") -> Any:
        return await client.xread({"nothing": "$"}, block=10)

    with pytest.raises(RedisConnectionError):
        await asyncio.to_thread(uvloop.run, after_a_reset(redis_url, blocking_client, read))
