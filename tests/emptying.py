"""Databases that tests have one after the other, emptied between them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import asyncpg
from anyio.from_thread import BlockingPortal

Emptying: TypeAlias = Callable[[], None]


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
