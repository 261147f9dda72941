from pathlib import Path

from redis.asyncio import Redis

from services.embedded.servers.folder import is_alive
from services.embedded.servers.valkey import valkey


async def test_it_comes_back_empty_at_the_same_address_after_a_crash(folder: Path) -> None:
    async with valkey(folder) as server:
        first = server.pid
        async with Redis.from_url(server.url) as redis:
            await redis.set("key", "value")
            assert await redis.get("key") == b"value"
        server.kill()
        await server.ready()
        async with Redis.from_url(server.url) as redis:
            assert await redis.get("key") is None
        second = server.pid

    assert first != second
    assert not is_alive(second)


async def test_it_writes_nothing_but_its_log(folder: Path) -> None:
    async with valkey(folder) as server, Redis.from_url(server.url) as redis:
        await redis.set("key", "value")

    assert {path.name for path in folder.iterdir()} == {"lock", "server.log"}
