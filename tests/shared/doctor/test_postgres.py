"""What is wrong with a database is really made wrong, and found by its name."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest

from services.embedded.servers.child import free_port
from shared.doctor import postgres
from shared.doctor.findings import Finding
from shared.doctor.postgres import DURABLE
from shared.postgres import POOL_SIZE_MAX
from tests.shared.doctor.conftest import PASSWORD, found

if TYPE_CHECKING:
    from tests.shared.doctor.conftest import House


async def findings(house: "House") -> dict[str, Finding]:
    return await found(postgres.check(house.place))


def levels(findings: dict[str, Finding]) -> dict[str, str]:
    """Give what is not ok."""
    return {about: one.level for about, one in findings.items() if one.level != "ok"}


async def test_a_database_as_it_is_deployed_is_well(house: "House") -> None:
    assert levels(await findings(house)) == {}


@pytest.mark.parametrize(
    ("statements", "about"),
    [
        (
            ["ALTER ROLE {role} SET synchronous_commit = off"],
            "PostgreSQL: synchronous_commit",
        ),
        (
            ["ALTER ROLE {role} SET default_transaction_read_only = on"],
            "PostgreSQL: writing",
        ),
        (["ALTER TABLE outbox OWNER TO postgres"], "PostgreSQL: rights"),
        (["ALTER DATABASE {role} OWNER TO postgres"], "PostgreSQL: rights"),
        (["DELETE FROM migration WHERE name = '0001_testing.sql'"], "PostgreSQL: migrations"),
        (
            ["INSERT INTO migration VALUES ('testing', '0002_later.sql', '')"],
            "PostgreSQL: migrations",
        ),
        (
            ["INSERT INTO migration VALUES ('another', '0001_another.sql', '')"],
            "PostgreSQL: migrations",
        ),
        (["UPDATE migration SET digest = ''"], "PostgreSQL: migrations"),
        (["DROP TABLE migration"], "PostgreSQL: migrations"),
    ],
)
async def test_what_is_spoilt_is_found(house: "House", statements: list[str], about: str) -> None:
    await house.command(*(statement.format(role=house.role) for statement in statements))

    assert levels(await findings(house)) == {about: "wrong"}


@pytest.mark.parametrize("name", ["fsync", "full_page_writes"])
async def test_a_server_that_gives_up_safety_for_speed_is_found(house: "House", name: str) -> None:
    async with changed(house, name, "off"):
        spoilt = await findings(house)

    assert levels(spoilt) == {f"PostgreSQL: {name}": "wrong"}
    assert spoilt[f"PostgreSQL: {name}"].advice == DURABLE[name]


@asynccontextmanager
async def changed(house: "House", name: str, value: str) -> AsyncIterator[None]:
    """Change a setting of the server that it takes over while it runs."""

    async def is_taken_over(wanted: str) -> None:
        async with asyncio.timeout(60):
            while await house.connection.fetchval(f"SHOW {name}") != wanted:
                await asyncio.sleep(0.02)

    await house.command(f"ALTER SYSTEM SET {name} = {value}", "SELECT pg_reload_conf()")
    await is_taken_over(value)
    yield
    await house.command(f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
    await is_taken_over("on")


async def test_a_role_that_may_hardly_connect_is_found(house: "House") -> None:
    await house.command(f"ALTER ROLE {house.role} CONNECTION LIMIT 3")
    assert levels(await findings(house)) == {"PostgreSQL: connections": "warning"}

    await house.command(f"ALTER ROLE {house.role} CONNECTION LIMIT 0")
    full = await findings(house)
    assert levels(full) == {"PostgreSQL": "wrong"}
    assert "no more connections" in full["PostgreSQL"].seen


async def test_connections_that_are_held_already_are_not_wanted_again(house: "House") -> None:
    wanted = POOL_SIZE_MAX
    held = [await asyncpg.connect(house.place.dsn) for _ in range(wanted)]
    # One more is the doctor's own.
    await house.command(f"ALTER ROLE {house.role} CONNECTION LIMIT {wanted + 1}")

    assert levels(await findings(house)) == {}
    for connection in held:
        await connection.close()


@pytest.mark.parametrize(
    ("seconds", "level"), [(5.0, "warning"), (-5.0, "warning"), (-99, "wrong")]
)
async def test_a_clock_that_is_off_is_found(house: "House", seconds: float, level: str) -> None:
    house.place = replace(house.place, clock=lambda: time.time() + seconds)

    assert levels(await findings(house)) == {"PostgreSQL: clock": level}


async def test_a_transaction_that_stands_still_is_found_unless_it_reads_alone(
    house: "House",
) -> None:
    house.place = replace(house.place, standing=timedelta(0))
    other = await asyncpg.connect(house.place.dsn)
    async with other.transaction():
        await other.fetch("SELECT FROM thing")
        reading = levels(await findings(house))
        await other.execute("LOCK TABLE thing IN SHARE MODE")
        await other.execute("INSERT INTO erased_person SELECT gen_random_uuid(), now()")
        writing = await findings(house)
    await other.close()

    assert reading == {}
    assert levels(writing) == {"PostgreSQL: transactions": "warning"}
    assert str(other.get_server_pid()) in writing["PostgreSQL: transactions"].seen


async def test_why_there_is_no_connection_is_told_without_the_password(house: "House") -> None:
    closed = house.place.dsn.replace(str(port_of(house.server)), str(free_port()))
    tries = {
        "refuses the user": house.as_role(password="not that password"),
        "has no such database": house.as_role(database="nowhere"),
        "does not answer": closed,
        "leads nowhere": "postgresql://me:secretly@nowhere.invalid/mine",
    }
    for words, dsn in tries.items():
        house.place = replace(house.place, dsn=dsn)
        (finding,) = (await findings(house)).values()
        assert finding.level == "wrong"
        assert words in finding.seen
        for secret in (PASSWORD, PASSWORD.replace(" ", "%20"), "not that", "secretly"):
            assert secret not in f"{finding}"


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2].partition("/")[0])
