"""Pools of connections that tests have one after the other.

A connection that is new knows no table, no trigger and no statement: to look them all up again
takes PostgreSQL longer than what most tests ask of it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from shared.postgres import CLOSE_SECONDS_MAX, POOL_SIZE_MAX, Database

CONNECT = Database.connect


class Pools:
    """What tests left open; each is lent to one who connects at a time."""

    def __init__(self) -> None:
        self._kept: set[str] = set()
        self._free: dict[tuple[str, int], list[_Opened]] = {}

    def keep(self, dsn: str) -> None:
        """Keep the pools of a database from now on."""
        self._kept.add(dsn)

    def connect(
        self, dsn: str, *, size: int = POOL_SIZE_MAX
    ) -> AbstractAsyncContextManager[Database]:
        """Do as `Database.connect` does, with a pool of before where there is one."""
        return self._lent(dsn, size) if dsn in self._kept else CONNECT(dsn, size=size)

    @asynccontextmanager
    async def _lent(self, dsn: str, size: int) -> AsyncIterator[Database]:
        if dsn not in {kept for kept, _ in self._free}:
            # One database has its turn after the other.
            await self.close()
        free = self._free.setdefault((dsn, size), [])
        opened = free.pop() if free else await _Opened.of(dsn, size)
        try:
            yield Database(opened.pool, dsn)
        finally:
            if await opened.is_given_back():
                self._free.setdefault((dsn, size), []).append(opened)
            else:
                await opened.close()

    async def close(self) -> None:
        """Close those that nobody has."""
        while self._free:
            for opened in self._free.popitem()[1]:
                await opened.close()


@dataclass(frozen=True)
class _Opened:
    """A pool that the product opened, and what closes it."""

    pool: Any  # asyncpg's is generic in its stubs alone.
    close: Callable[[], Awaitable[None]]

    @classmethod
    async def of(cls, dsn: str, size: int) -> Self:
        stack = AsyncExitStack()
        database = await stack.enter_async_context(CONNECT(dsn, size=size))
        return cls(database._pool, stack.aclose)

    async def is_given_back(self) -> bool:
        """Wait until nobody has a connection any more, for as long as `Database.connect` does."""
        for _ in range(CLOSE_SECONDS_MAX * 100):
            if self.pool.get_size() == self.pool.get_idle_size():
                return True
            await asyncio.sleep(0.01)
        return False
