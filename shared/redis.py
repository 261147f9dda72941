"""Redis clients: one for short commands, one for readers that block."""

from collections.abc import Iterable

import redis.asyncio
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

COMMAND_SECONDS_MAX = 2
BLOCK_MILLISECONDS = 5_000

OUTAGE = (OSError, RedisConnectionError, RedisTimeoutError)
"""What a Redis that is away or loading raises."""

__all__ = ["BLOCK_MILLISECONDS", "OUTAGE", "RedisError", "blocking_client", "command_client"]


def command_client(url: str) -> "redis.asyncio.Redis":
    """Open a client whose commands fail within seconds.

    Only idempotent scripts may go through its one retry.
    """
    client = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=COMMAND_SECONDS_MAX,
        socket_connect_timeout=COMMAND_SECONDS_MAX,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 1),
        decode_responses=True,
    )
    return _told_of_losses(client)


def blocking_client(url: str) -> "redis.asyncio.Redis":
    """Open a client for XREAD BLOCK.

    Redis-py's default time-out is shorter than a block, and its retries hide it.
    """
    client = redis.asyncio.Redis.from_url(
        url,
        socket_timeout=BLOCK_MILLISECONDS / 1_000 + 2,
        socket_connect_timeout=COMMAND_SECONDS_MAX,
        retry=Retry(ExponentialBackoff(), 0),
        decode_responses=True,
    )
    return _told_of_losses(client)


class _Connection(AbstractConnection):
    """Takes uvloop's RuntimeError for the loss of the connection that it is.

    Not expected by redis-py, it was neither tried again nor an outage: it ended the process.
    """

    async def send_packed_command(
        self, command: bytes | str | Iterable[bytes], check_health: bool = True
    ) -> None:
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError(f"Lost: {error}") from error


def _told_of_losses(client: "redis.asyncio.Redis") -> "redis.asyncio.Redis":
    # Each kind of address has a class of its own, of which the URL decides.
    pool = client.connection_pool
    pool.connection_class = type("Connection", (_Connection, pool.connection_class), {})
    return client
