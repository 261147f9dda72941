"""Databases of services that tests have one after the other, emptied between them."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

import asyncpg
from anyio.from_thread import BlockingPortal

from shared.postgres import migrate
from tests.pooling import Pools

Emptying: TypeAlias = Callable[[], None]


async def run(url: str, statement: str) -> None:
    """Run a statement on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def made(portal: BlockingPortal, server: str, migrations: Path, pools: Pools) -> Iterator[str]:
    """Make a database with a service's tables, whose pools are kept, and give its address."""
    name = f"{migrations.parent.name}_{secrets.token_hex(6)}"
    url = urlsplit(server)._replace(path=f"/{name}").geturl()
    portal.call(run, server, f"CREATE DATABASE {name} TEMPLATE template0")
    portal.call(migrate, url, [migrations])
    pools.keep(url)
    yield url
    portal.call(run, server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def emptying(portal: BlockingPortal, url: str, statements: str) -> Iterator[Emptying]:
    """Give a function that runs the statements that empty a database.

    By one connection: a new one would have to read of every table, and its triggers, first, which
    takes ten times as long as to empty them.
    """
    connection = portal.call(asyncpg.connect, url)

    def empty() -> None:
        portal.call(connection.execute, statements)

    yield empty
    portal.call(connection.close)
