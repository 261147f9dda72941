import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from shared.postgres import (
    Connection,
    Database,
    digest_of,
    is_outage,
    migrate,
    own_connection,
    stand_by,
)


def folder_of(path: Path, **files: str) -> Path:
    folder = path / "rooms" / "migrations"
    folder.mkdir(parents=True, exist_ok=True)
    for name, statements in files.items():
        (folder / f"{name}.sql").write_text(statements)
    return folder


async def test_migrations_are_applied_once_and_in_order(
    fresh_database: str, tmp_path: Path
) -> None:
    folder = folder_of(
        tmp_path,
        _0001_seats="CREATE TABLE seat (number int); INSERT INTO seat VALUES (1);",
        _0002_more="INSERT INTO seat SELECT max(number) + 1 FROM seat;",
    )
    await migrate(fresh_database, [folder])
    await migrate(fresh_database, [folder])
    folder_of(tmp_path, _0003_last="INSERT INTO seat SELECT max(number) + 1 FROM seat;")
    await migrate(fresh_database, [folder])

    async with Database.connect(fresh_database) as database, database.reading() as connection:
        assert await connection.fetchval("SELECT array_agg(number) FROM seat") == [1, 2, 3]
        names = await connection.fetchval(
            "SELECT array_agg(name ORDER BY name) FROM migration WHERE room = 'rooms'"
        )
        assert names == ["_0001_seats.sql", "_0002_more.sql", "_0003_last.sql"]
        assert await connection.fetchval("SELECT position FROM outbox_head") == 0


async def test_a_migration_changed_after_it_was_applied_is_refused(
    fresh_database: str, tmp_path: Path
) -> None:
    await migrate(fresh_database, [folder_of(tmp_path, _0001_seats="CREATE TABLE seat ();")])
    folder = folder_of(tmp_path, _0001_seats="CREATE TABLE seats ();", _0002_b="CREATE TABLE b ();")

    with pytest.raises(RuntimeError, match=r"rooms/_0001_seats\.sql was changed"):
        await migrate(fresh_database, [folder])

    assert not await has_table(fresh_database, "b")


async def test_a_migration_that_was_mended_names_what_it_was_and_is_applied_once(
    fresh_database: str, tmp_path: Path
) -> None:
    formerly = "CREATE TABLE seat ();"
    await migrate(fresh_database, [folder_of(tmp_path, _0001_seats=formerly)])
    mended = f"-- Formerly: {digest_of(formerly)}\nCREATE TABLE public.seat ();"
    folder = folder_of(tmp_path, _0001_seats=mended, _0002_b="CREATE TABLE b ();")

    await migrate(fresh_database, [folder])

    assert await has_table(fresh_database, "b")


async def test_a_migration_that_fails_leaves_nothing_and_can_be_tried_again(
    fresh_database: str, tmp_path: Path
) -> None:
    folder = folder_of(tmp_path, _0001_a="CREATE TABLE a (); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(fresh_database, [folder])
    assert not await has_table(fresh_database, "a")

    await migrate(fresh_database, [folder_of(tmp_path, _0001_a="CREATE TABLE a ();")])
    assert await has_table(fresh_database, "a")


async def has_table(dsn: str, name: str) -> bool:
    async with Database.connect(dsn) as database, database.reading() as connection:
        return bool(await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name))


async def test_processes_that_migrate_at_once_apply_each_file_once(
    fresh_database: str, tmp_path: Path
) -> None:
    folder = folder_of(
        tmp_path,
        _0001_seats="CREATE TABLE seat (number int); SELECT pg_sleep(0.2);",
        _0002_more="INSERT INTO seat VALUES (1);",
    )
    await asyncio.gather(*(migrate(fresh_database, [folder]) for _ in range(4)))

    async with Database.connect(fresh_database) as database, database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM seat") == 1


async def test_a_migration_may_take_longer_than_a_statement(
    fresh_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The time-out itself, shortened: nothing of ours is replaced.
    monkeypatch.setattr("shared.postgres.STATEMENT_SECONDS_MAX", 0.1)
    defaults = own_connection.__kwdefaults__
    assert defaults is not None
    monkeypatch.setitem(defaults, "statement_seconds_max", 0.1)

    await migrate(fresh_database, [folder_of(tmp_path, _0001_slow="SELECT pg_sleep(0.5);")])


async def test_a_transaction_that_fails_leaves_nothing_and_wakes_nobody(
    fresh_database: str,
) -> None:
    async with Database.connect(fresh_database) as database:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await create_and_fail(database)
        assert not database.committed.is_set()
        assert not await has_table(fresh_database, "kept")

        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE kept ()")
        assert database.committed.is_set()


async def create_and_fail(database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE kept ()")
        await connection.execute("SELECT 1 / 0")


async def test_a_lock_is_held_until_its_session_ends(fresh_database: str) -> None:
    first, second = await own_connection(fresh_database), await own_connection(fresh_database)
    await stand_by(first, 7)
    waiting = asyncio.create_task(stand_by(second, 7))
    await asyncio.sleep(0.1)
    assert not waiting.done()

    first.terminate()
    await asyncio.wait_for(waiting, 60)
    await second.close()


Attempt = Callable[[Connection], Awaitable[object]]

BUGS: dict[str, Attempt] = {
    "too many arguments": lambda c: c.fetchval("SELECT $1::int", 1, 2),
    "a wrong type": lambda c: c.fetchval("SELECT $1::int", "seven"),
    "a NUL in a text": lambda c: c.fetchval("SELECT $1::text", "\0"),
    "a table that is not there": lambda c: c.fetchval("SELECT 1 FROM nowhere"),
    "a broken rule": lambda c: c.fetchval("SELECT 1 / 0"),
}
OUTAGES: dict[str, Attempt] = {
    "its session was ended": lambda c: c.fetchval("SELECT pg_terminate_backend(pg_backend_pid())"),
    "the statement was cancelled": lambda c: c.fetchval(
        "SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(5)"
    ),
    "a time-out": lambda c: c.fetchval("SELECT pg_sleep(9)", timeout=0.05),
    "a former primary": lambda c: c.execute("SET transaction_read_only = on; CREATE TABLE a ()"),
}


@pytest.mark.parametrize("bug", BUGS)
async def test_a_bug_is_no_outage(fresh_database: str, bug: str) -> None:
    async with Database.connect(fresh_database) as database, database.reading() as connection:
        with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is not the point
            await BUGS[bug](connection)

    assert not is_outage(caught.value)


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_is_known_as_one(fresh_database: str, outage: str) -> None:
    connection = await own_connection(fresh_database)
    with pytest.raises(Exception) as caught:  # noqa: PT011  # which one is not the point
        await OUTAGES[outage](connection)
    assert is_outage(caught.value)
    connection.terminate()

    with pytest.raises(asyncpg.InterfaceError) as closed:
        await connection.fetchval("SELECT 1")
    assert is_outage(closed.value)


async def test_a_lost_deadlock_is_worth_another_try(fresh_database: str) -> None:
    async with Database.connect(fresh_database) as database:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE pair (id int PRIMARY KEY)")
            await connection.execute("INSERT INTO pair VALUES (1), (2)")
        both_locked = asyncio.Barrier(2)

        async def lock(first: int, second: int) -> None:
            async with database.transaction() as connection:
                await connection.execute("SELECT FROM pair WHERE id = $1 FOR UPDATE", first)
                await both_locked.wait()
                await connection.execute("SELECT FROM pair WHERE id = $1 FOR UPDATE", second)

        ends = await asyncio.gather(lock(1, 2), lock(2, 1), return_exceptions=True)

    (lost,) = [end for end in ends if end is not None]
    assert is_outage(lost)


async def test_a_database_that_is_not_there_is_an_outage_of_nobody(postgres_url: str) -> None:
    with pytest.raises(asyncpg.InvalidCatalogNameError) as caught:
        await own_connection(f"{postgres_url.rsplit('/', 1)[0]}/none_{uuid4().hex}")
    assert not is_outage(caught.value)


async def test_json_goes_in_and_out_as_plain_values(fresh_database: str) -> None:
    value = {"en": "Tianjin", "zh": "天津", "numbers": [1, None]}
    async with Database.connect(fresh_database) as database, database.reading() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", value) == value


async def test_a_connection_that_was_left_confused_is_not_lent_again(fresh_database: str) -> None:
    seen: list[int] = []

    async def be_confused(database: Database) -> None:
        async with database.reading() as connection:
            seen.append(await connection.fetchval("SELECT pg_backend_pid()"))
            raise asyncpg.InternalClientError("cannot switch to state 15")

    async with Database.connect(fresh_database, size=1) as database:
        with pytest.raises(asyncpg.InternalClientError):
            await be_confused(database)
        async with database.reading() as connection:
            assert await connection.fetchval("SELECT pg_backend_pid()") not in seen


async def test_a_confused_client_in_a_transaction_is_told_as_what_confused_it(
    fresh_database: str,
) -> None:
    left: list[asyncio.Future[object]] = []

    async def be_confused(database: Database) -> None:
        async with database.transaction() as connection:
            left.append(asyncio.ensure_future(connection.fetchval("SELECT pg_sleep(60)")))
            await asyncio.sleep(0.05)
            raise asyncpg.InternalClientError("cut in a copy")

    async with Database.connect(fresh_database, size=1) as database:
        with pytest.raises(asyncpg.InternalClientError, match="cut in a copy"):
            await be_confused(database)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await left[0]
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1
