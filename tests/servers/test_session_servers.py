from collections.abc import Awaitable, Callable

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from redis.asyncio import Redis


async def test_each_database_is_new_and_empty(new_database: Callable[[], Awaitable[str]]) -> None:
    first, second = await new_database(), await new_database()

    assert first != second
    for url in (first, second):
        connection = await asyncpg.connect(url)
        tables = await connection.fetchval(
            "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        )
        await connection.execute("CREATE TABLE mine ()")
        await connection.close()
        assert tables == 0


LEFT: list[str] = []


async def test_leave_something_behind(fresh_database: str, redis_db: str) -> None:
    LEFT.append(fresh_database.rpartition("/")[2])
    async with Redis.from_url(redis_db) as redis:
        await redis.set("left behind", fresh_database)
        assert await redis.exists("left behind") == 1


async def test_nothing_of_the_test_before_is_left(postgres_url: str, redis_db: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    names = await connection.fetch("SELECT datname FROM pg_database WHERE datname = ANY($1)", LEFT)
    await connection.close()
    async with Redis.from_url(redis_db) as redis:
        keys = await redis.keys()

    assert (names, keys) == ([], [])


async def test_kafka_makes_no_topic_by_itself(kafka_servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_servers)
    await admin.start()
    try:
        await admin.describe_topics(["forgotten"])
        topics = await admin.list_topics()
    finally:
        await admin.close()

    assert "forgotten" not in topics
