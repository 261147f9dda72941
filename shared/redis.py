"""Redis clients: one for short commands, one for readers that block."""

import redis.asyncio
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
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=COMMAND_SECONDS_MAX,
        socket_connect_timeout=COMMAND_SECONDS_MAX,
        retry=Retry(ExponentialBackoff(cap=0.2, base=0.05), 1),
        decode_responses=True,
    )


def blocking_client(url: str) -> "redis.asyncio.Redis":
    """Open a client for XREAD BLOCK.

    Redis-py's default time-out is shorter than a block, and its retries hide it.
    """
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=BLOCK_MILLISECONDS / 1_000 + 2,
        socket_connect_timeout=COMMAND_SECONDS_MAX,
        retry=Retry(ExponentialBackoff(), 0),
        decode_responses=True,
    )
