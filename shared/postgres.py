"""PostgreSQL: one pool a service, transactions that wake the sequencer, and migrations."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import asyncpg
from pydantic_core import from_json, to_json

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

# A pool lends proxies; both have the same methods. Quoted: asyncpg is generic in its stubs alone.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A connection cut between a request and its answer can leave the client confused.
    asyncpg.InternalClientError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    # A lost deadlock, and the former primary after a failover.
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)

POOL_SIZE_MAX = 8
QUERIES_MAX = 10**9
"""After so many a connection is replaced. A new one knows no table and no statement: whoever has it
first waits a tenth of a second, which in a rush is everybody, every two minutes by default."""
STATEMENT_SECONDS_MAX = 30
CLOSE_SECONDS_MAX = 5
MIGRATION_LOCK = 7_411_001
_FORMERLY = re.compile(r"^-- Formerly: ([0-9a-f]{64})$", re.MULTILINE)
SHARED_MIGRATIONS = Path(__file__).parent / "migrations"


def is_outage(error: BaseException) -> bool:
    """Say whether a restart, a failover, a lost race or a full server raised this.

    Worth waiting for and trying again.
    """
    if isinstance(error, asyncpg.InterfaceError):
        # One class for a lost connection and for wrong calls, which no waiting cures.
        return "clos" in str(error)
    return isinstance(error, OUTAGE)


class ChangedMigration(RuntimeError):
    """A file of this installation is not what its database was made with."""


class Database:
    """One service's database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", dsn: str) -> None:
        self._pool = pool
        self.dsn = dsn
        self.committed = asyncio.Event()
        """Set after each transaction: the sequencer of this process need not wait."""

    @classmethod
    @asynccontextmanager
    async def connect(cls, dsn: str, *, size: int = POOL_SIZE_MAX) -> AsyncIterator[Self]:
        """Open a pool of at most `size` connections and close it at the end."""
        pool = await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            max_queries=QUERIES_MAX,
            init=_set_codecs,
            # By default a query at each release, for what no connection of the pool ever keeps:
            # advisory locks of the session, listeners and settings have connections of their own.
            reset=_keep_as_is,
            command_timeout=STATEMENT_SECONDS_MAX,
        )
        try:
            yield cls(pool, dsn)
        finally:
            # close() waits for borrowed connections; a stream cut at shutdown may hold one for
            # ever.
            try:
                async with asyncio.timeout(CLOSE_SECONDS_MAX):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Everything inside commits together, or not at all."""
        async with self.reading() as connection:
            async with connection.transaction():
                yield connection
            self.committed.set()

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """Lend a connection for one statement, which commits by itself: two round trips less."""
        async with self.reading() as connection:
            yield connection
        self.committed.set()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Lend a connection for single statements that change nothing."""
        async with self._pool.acquire() as connection:
            try:
                yield connection
            except (asyncpg.InternalClientError, asyncpg.InterfaceError) as error:
                # The end of a transaction complains of what came before.
                first = (
                    error if isinstance(error, asyncpg.InternalClientError) else error.__context__
                )
                if not isinstance(first, asyncpg.InternalClientError):
                    raise
                # Cut in the middle of something, it may never be of use again.
                connection.terminate()
                raise first from None


async def commit_lazily(connection: Connection) -> None:
    """Let this transaction end before it is on the disk: a crash may take it back, whole.

    For what is done anew then, and what nobody was told of.
    """
    await connection.execute("SET LOCAL synchronous_commit = off")


def columns(rows: Sequence[Sequence[object]], count: int) -> list[list[object]]:
    """Turn rows into `count` columns, as `unnest` takes many rows in one statement."""
    return [[row[place] for row in rows] for place in range(count)]


async def own_connection(
    dsn: str, *, statement_seconds_max: float | None = STATEMENT_SECONDS_MAX
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open a connection beside the pool, for advisory locks and LISTEN."""
    connection = await asyncpg.connect(dsn, command_timeout=statement_seconds_max)
    try:
        await _set_codecs(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def stand_by(connection: "asyncpg.Connection[asyncpg.Record]", lock: int) -> None:
    """Wait until this session holds the advisory lock; it is released when the session ends."""
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock):  # noqa: ASYNC110
        # A blocking call would run into the time-out of statements.
        await asyncio.sleep(1)


async def _keep_as_is(connection: Connection) -> None:
    del connection


async def _set_codecs(connection: Connection) -> None:
    # In the binary form, which COPY needs: a version, and the text.
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + to_json(value),
        decoder=lambda content: from_json(content[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def migrate(dsn: str, folders: Sequence[Path]) -> None:
    """Apply the numbered SQL files that this database has not seen, each in one transaction.

    The shared files come first, then `folders` in their order. A file that was changed after it
    was applied is refused with `RuntimeError`, unless it names the digest it had (`-- Formerly:`),
    as one does that could not be applied everywhere and does the same now.
    """
    # A change of a big table, or of another process that migrates, may take its time.
    connection = await own_connection(dsn, statement_seconds_max=None)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration "
            "(room text, name text, digest text NOT NULL, applied_at timestamptz DEFAULT now(), "
            "PRIMARY KEY (room, name))"
        )
        rows = await connection.fetch("SELECT room, name, digest FROM migration")
        applied = {(row["room"], row["name"]): row["digest"] for row in rows}
        for room, name, statements in await asyncio.to_thread(migrations, folders):
            if (room, name) not in applied:
                await _apply(connection, room, name, statements)
            elif not is_of(applied[room, name], statements):
                raise ChangedMigration(
                    f"The migration {room}/{name} was changed after this database applied it; "
                    "add a new file instead."
                )
    finally:
        await connection.close()


def migrations(folders: Sequence[Path]) -> list[tuple[str, str, str]]:
    """Read this version's migrations in the order they are applied: room, name, statements."""
    return [
        (folder.parent.name, file.name, file.read_text())
        for folder in (SHARED_MIGRATIONS, *folders)
        for file in sorted(folder.glob("*.sql"))
    ]


def digest_of(statements: str) -> str:
    """Give what a database remembers of a migration that it applied."""
    return hashlib.sha256(statements.encode()).hexdigest()


def is_of(applied: str, statements: str) -> bool:
    """Say whether what a database remembers is of a file, as it is or as it formerly was."""
    return applied == digest_of(statements) or applied in _FORMERLY.findall(statements)


async def _apply(
    connection: "asyncpg.Connection[Any]", room: str, name: str, statements: str
) -> None:
    async with connection.transaction():
        await connection.execute(statements)
        await connection.execute(
            "INSERT INTO migration (room, name, digest) VALUES ($1, $2, $3)",
            room,
            name,
            digest_of(statements),
        )
