"""PostgreSQL: reachable, ours, safe to commit to, and of this version of the service."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg

from shared.doctor import migrations
from shared.doctor.examining import CONNECT_SECONDS_MAX, Check, in_turn, said
from shared.doctor.findings import Finding, address, ok, warning, wrong
from shared.postgres import POOL_SIZE_MAX, Connection, own_connection

MAJOR_MIN, MAJOR_MAX = 15, 18
"""What the deployment is tried with: the stand-ins of `make compose-smoke`, and its own image."""
SKEW_SECONDS = (1.0, 30.0)
"""From here on a warning, and wrong."""
STANDING = timedelta(minutes=5)
NAMES_MAX = 3

UNREACHABLE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
"""What connecting raises."""

TROUBLE = "Look into PostgreSQL's own log, and at TRADEWIND_DATABASE_URL."

DURABLE = {
    "synchronous_commit": "What was confirmed may be lost when the server stops hard. Set "
    "synchronous_commit = on, and take back what was set for the role or the database "
    "(ALTER ROLE … RESET synchronous_commit).",
    "fsync": "When its machine stops hard, the whole database may be broken. Set fsync = on for "
    "the server, and reload it.",
    "full_page_writes": "When its machine stops hard, pages of the database may be broken. Set "
    "full_page_writes = on for the server, and reload it.",
}
"""Settings that may not be off, and what it means when they are."""


@dataclass(frozen=True, slots=True)
class Place:
    """A service's database, and what the service wants of it."""

    dsn: str
    service: str
    migrations: Path
    connections: int = 0
    """How many a process holds beside its pool."""
    standing: timedelta = STANDING
    clock: Callable[[], float] = time.time
    """Seconds since 1970."""

    @property
    def shown(self) -> str:
        """Give its address as it may be shown."""
        return address(self.dsn)


def check(place: Place) -> Check:
    """Make the check of a service's database."""
    return Check("PostgreSQL", partial(_look, place), TROUBLE)


async def _look(place: Place) -> list[Finding]:
    try:
        async with connected(place.dsn) as connection:
            return await in_turn(_questions(connection, place), TROUBLE)
    except UNREACHABLE as error:
        return [refused("PostgreSQL", place.shown, error, "TRADEWIND_DATABASE_URL")]


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    """Open a connection that waits for nothing for long."""
    async with asyncio.timeout(CONNECT_SECONDS_MAX):
        connection = await own_connection(dsn, statement_seconds_max=CONNECT_SECONDS_MAX)
    try:
        yield connection
    finally:
        connection.terminate()


def refused(about: str, shown: str, error: Exception, variable: str) -> Finding:
    """Say why there is no connection."""
    match error:
        case asyncpg.InvalidAuthorizationSpecificationError():
            seen, advice = "refuses the user or its password", f"Both stand in {variable}."
        case asyncpg.InvalidCatalogNameError():
            seen = "has no such database"
            advice = f"Make it as scripts/make-databases does, or set {variable} right."
        case asyncpg.TooManyConnectionsError():
            seen = "takes no more connections"
            advice = "Raise max_connections, or end what else is connected."
        case asyncpg.CannotConnectNowError():
            seen, advice = "is starting or stopping", "Wait, or look into its log."
        case socket.gaierror():
            seen = "its name leads nowhere"
            advice = f"Set {variable} right, or mend the name service."
        case OSError():
            seen = "does not answer"
            advice = f"Start it, let this machine through its firewall, or set {variable} right."
        case _:
            seen, advice = said(error), TROUBLE
    return wrong(about, f"{shown} {seen}", advice)


def _questions(connection: Connection, place: Place) -> Sequence[tuple[str, Any]]:
    return [
        ("PostgreSQL", _version(connection, place)),
        ("PostgreSQL: writing", _writing(connection)),
        ("PostgreSQL: rights", _rights(connection)),
        ("PostgreSQL: migrations", migrations.applied(connection, place.service, place.migrations)),
        *(
            (f"PostgreSQL: {name}", _durable(connection, name, advice))
            for name, advice in DURABLE.items()
        ),
        ("PostgreSQL: connections", _connections(connection, place)),
        ("PostgreSQL: clock", _clock(connection, place)),
        ("PostgreSQL: transactions", _transactions(connection, place)),
    ]


async def _version(connection: Connection, place: Place) -> Finding:
    version = await connection.fetchval("SHOW server_version")
    seen = f"{version.split()[0]} at {place.shown}"
    major = connection.get_server_version().major
    if major < MAJOR_MIN:
        advice = f"It is too old: use {MAJOR_MIN} to {MAJOR_MAX}."
        return wrong("PostgreSQL", seen, advice)
    if major > MAJOR_MAX:
        advice = f"Nobody tried this version: {MAJOR_MIN} to {MAJOR_MAX} were."
        return warning("PostgreSQL", seen, advice)
    return ok("PostgreSQL", seen)


async def _writing(connection: Connection) -> Finding:
    about = "PostgreSQL: writing"
    if await connection.fetchval("SELECT pg_is_in_recovery()"):
        return wrong(
            about,
            "this is a replica",
            "Nothing can be written here: set TRADEWIND_DATABASE_URL to the primary.",
        )
    if await connection.fetchval("SHOW transaction_read_only") == "on":
        return wrong(
            about,
            "read only",
            "Nothing can be written: take back default_transaction_read_only of the server, the "
            "database and the role.",
        )
    return ok(about, "a primary")


async def _rights(connection: Connection) -> Finding:
    about = "PostgreSQL: rights"
    row = await connection.fetchrow(
        "SELECT has_schema_privilege('public', 'CREATE') AS may_make, "
        "has_database_privilege(current_database(), 'CREATE') "
        "OR to_regclass('public.migration') IS NOT NULL AS may_begin, ARRAY("
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace "
        "AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE') ORDER BY relname"
        ") AS others"
    )
    assert row is not None
    if row["may_make"] and row["may_begin"] and not row["others"]:
        return ok(about, "may make and change its tables")
    names = ", ".join(row["others"][:NAMES_MAX])
    return wrong(
        about,
        f"tables of another role: {names}" if names else "may make no tables",
        "The service, or its next version, does not start. Make its role the owner of its database "
        "and of what is in there, as scripts/make-databases does.",
    )


async def _durable(connection: Connection, name: str, advice: str) -> Finding:
    about, value = f"PostgreSQL: {name}", await connection.fetchval(f"SHOW {name}")
    return wrong(about, value, advice) if value == "off" else ok(about, value)


async def _connections(connection: Connection, place: Place) -> Finding:
    about = "PostgreSQL: connections"
    row = await connection.fetchrow(
        "SELECT current_setting('max_connections')::int "
        "- current_setting('superuser_reserved_connections')::int "
        "- coalesce(current_setting('reserved_connections', true)::int, 0) AS most, "
        "(SELECT sum(numbackends) FROM pg_stat_database)::int AS used, "
        "datconnlimit AS here_most, pg_stat_get_db_numbackends(oid) AS here, "
        "(SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_most, "
        "(SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) AS of_role "
        "FROM pg_database WHERE datname = current_database()"
    )
    assert row is not None
    # -1 is no limit; one of those in use is this one.
    free = 1 + min(
        most - used
        for most, used in (
            (row["most"], row["used"]),
            (row["here_most"], row["here"]),
            (row["role_most"], row["of_role"]),
        )
        if most >= 0
    )
    wanted = POOL_SIZE_MAX + place.connections
    still = max(0, wanted - (row["here"] - 1))
    seen = f"{free} free"
    if free < still:
        return warning(
            about,
            seen,
            f"A process of this service takes up to {wanted}, so {still} more than now: in a rush "
            "it waits for them, or fails. Raise max_connections, or the limit of the role or the "
            "database.",
        )
    return ok(about, f"{seen}, {wanted} wanted at most by each process")


async def _clock(connection: Connection, place: Place) -> Finding:
    about, before = "PostgreSQL: clock", place.clock()
    there = await connection.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
    after = place.clock()
    skew = max(before - there, there - after, 0.0)
    if skew <= SKEW_SECONDS[0]:
        return ok(about, "the same as here")
    seen = f"{skew:.0f} seconds off from here"
    advice = (
        "Deadlines, the opening of registration and sign-ins are judged by clocks that differ. "
        "Let both machines keep time by NTP."
    )
    return (warning if skew <= SKEW_SECONDS[1] else wrong)(about, seen, advice)


async def _transactions(connection: Connection, place: Place) -> Finding:
    about = "PostgreSQL: transactions"
    # Only what has written, or locked rows, has a number. Other roles' ones may be hidden from us.
    rows = await connection.fetch(
        "SELECT pid::text AS name FROM pg_stat_activity WHERE datname = current_database() "
        "AND backend_xid IS NOT NULL AND pid <> pg_backend_pid() "
        "AND xact_start < now() - $1::interval "
        "UNION ALL SELECT 'prepared ' || gid FROM pg_prepared_xacts "
        "WHERE database = current_database() AND prepared < now() - $1::interval",
        place.standing,
    )
    if not rows:
        return ok(about, "none stands still")
    names = ", ".join(row["name"] for row in rows[:NAMES_MAX])
    return warning(
        about,
        f"{len(rows)} open for minutes: {names}",
        "Others wait for the rows that they hold. See pg_stat_activity, and end a forgotten one by "
        "pg_terminate_backend(pid), or ROLLBACK PREPARED.",
    )
