"""The command itself, beside the three services on real servers as they are deployed."""

import asyncio
import json
import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal

from services.embedded.installation import SERVICES, make_databases
from services.embedded.servers.child import free_port
from services.embedded.servers.postgres import postgres
from services.matching.__main__ import opened as matching
from services.matching.doctor import solver
from services.matching.settings import MatchingSettings
from services.notify.__main__ import opened as notify
from services.notify.doctor import checks as checks_of_notify
from services.notify.settings import NotifySettings
from services.registration.__main__ import opened as registration
from services.registration.doctor import scanner
from services.registration.settings import RegistrationSettings
from shared.access import Tokens
from shared.doctor.examining import examined
from shared.doctor.report import is_well
from shared.http import create_app
from shared.process import cancel, log_of, persist
from tests.conftest import child
from tests.services.notify.smtp import listening
from tests.serving import behind_an_address

ROOT = Path(__file__).parents[2]
START_SECONDS_MAX = 240
RUN_SECONDS_MAX = 240

Environment = Mapping[str, str]


@pytest.fixture(scope="module")
def installation(
    portal: BlockingPortal, redis_url: str, kafka_servers: str
) -> Iterator[Environment]:
    """All three services behind one address, over servers that give up nothing for speed."""
    with (
        child(portal, postgres) as server,
        portal.wrap_async_context_manager(
            running(server.url, redis_url, kafka_servers)
        ) as environment,
    ):
        yield environment


@asynccontextmanager
async def running(postgres_url: str, redis_url: str, servers: str) -> AsyncIterator[Environment]:
    """Run the services, and give the variables that all of them share."""
    databases = await owned(postgres_url)
    async with AsyncExitStack() as stack:
        smtp = await stack.enter_async_context(listening())
        given: dict[str, Any] = {
            "mode": "production",
            "log_url": f"kafka://{servers}/doctor-{secrets.token_hex(4)}",
            "secret_key": secrets.token_hex(32),
            "redis_url": redis_url,
            "smtp_port": smtp.port,
            "mail_from": "Tradewind <no-reply@mission.example.org>",
        }
        first = RegistrationSettings(**given | {"database_url": databases["registration"]})
        second = MatchingSettings(**given | {"database_url": databases["matching"]})
        third = NotifySettings(**given | {"database_url": databases["notify"]})
        opening = (
            registration(first, log_of(first)),
            matching(second, log_of(second)),
            notify(third, log_of(third)),
        )
        services = [await stack.enter_async_context(service) for service in opening]
        tasks = [
            asyncio.create_task(persist(f"{service.name}.{name}", loop))
            for service in services
            for name, loop in service.loops.items()
        ]
        stack.push_async_callback(cancel, tasks)
        app = create_app(services, Tokens(given["secret_key"]))
        url = await stack.enter_async_context(behind_an_address(app))
        places = ("internal_url", "matching_url", "notify_url")
        given |= dict.fromkeys(places, url) | {"port": url.rpartition(":")[2]}
        given["public_url"] = await stack.enter_async_context(behind_an_address(app))
        await consumers_are_there(third)
        yield {f"TRADEWIND_{name.upper()}": str(value) for name, value in given.items()} | {
            f"DATABASE_OF_{name}": dsn for name, dsn in databases.items()
        }


async def owned(postgres_url: str) -> dict[str, str]:
    """Make each service's database with a role that owns it and may do nothing else."""
    databases = await make_databases(postgres_url)
    connection = await asyncpg.connect(postgres_url)
    for name in databases:
        await connection.execute(f"CREATE ROLE {name} LOGIN")
        await connection.execute(f"ALTER DATABASE {name} OWNER TO {name}")
    await connection.close()
    return {name: url.replace("//postgres@", f"//{name}@") for name, url in databases.items()}


async def consumers_are_there(settings: NotifySettings) -> None:
    """Wait until notify's doctor has nothing to say against notify's consumers."""
    reading = [check for check in checks_of_notify(settings) if check.about == "Kafka"]
    async with asyncio.timeout(START_SECONDS_MAX):
        while not is_well(await examined(reading)):
            await asyncio.sleep(0.2)


def doctor(
    service: str, environment: Environment, *arguments: str, **changed: str
) -> "subprocess.CompletedProcess[str]":
    """Run the command as an operator does."""
    own = {name: value for name, value in os.environ.items() if "TRADEWIND" not in name}
    database = {"TRADEWIND_DATABASE_URL": environment[f"DATABASE_OF_{service}"]}
    given = {f"TRADEWIND_{name.upper()}": value for name, value in changed.items()}
    return subprocess.run(
        [sys.executable, "-m", f"services.{service}", "doctor", *arguments],
        cwd=ROOT,
        env=own | dict(environment) | database | given,
        check=False,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_doctor_finds_nothing_wrong_where_nothing_is(
    service: str, installation: Environment
) -> None:
    done = doctor(service, installation)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert [line for line in done.stdout.splitlines() if line.startswith("wrong")] == []
    assert "ok       gateway" in done.stdout
    assert installation["TRADEWIND_SECRET_KEY"] not in done.stdout


def test_a_doctor_tells_programs_what_is_wrong_and_no_secret(installation: Environment) -> None:
    service = "matching"
    closed, made_up = free_port(), f"this is no secret but a sentence {secrets.token_hex(4)}"
    done = doctor(
        service,
        installation,
        "--json",
        secret_key=made_up,
        database_url=f"postgresql://somebody:hidden-word@127.0.0.1:{closed}/{service}",
        log_url=f"kafka://127.0.0.1:{closed}",
    )

    assert done.returncode == 1
    told = json.loads(done.stdout)
    levels = {finding["about"]: finding["level"] for finding in told["findings"]}
    assert (told["service"], told["is_well"]) == (service, False)
    wrong = {about for about, level in levels.items() if level == "wrong"}
    assert {"settings: secret", "PostgreSQL", "Kafka"} <= wrong
    assert {about for about in wrong if about.endswith(": trust")}
    assert all(finding["advice"] for finding in told["findings"] if finding["level"] != "ok")
    for secret in (made_up, "hidden-word", "Traceback"):
        assert secret not in done.stdout + done.stderr


def test_a_doctor_with_wrong_settings_says_which(installation: Environment) -> None:
    done = doctor("notify", installation, secret_key="short")

    assert done.returncode == 1
    assert "TRADEWIND_SECRET_KEY needs at least 32 characters" in done.stdout
    assert done.stderr == ""


async def test_a_solver_that_does_not_load_is_found() -> None:
    (finding,) = await solver("services.matching.no_such_library")

    assert finding.level == "wrong"
    assert "no_such_library" in finding.seen


async def test_a_door_without_the_decoder_for_iphones_is_a_warning(tmp_path: Path) -> None:
    (finding,) = await scanner(tmp_path / "zxing_reader.wasm")

    assert finding.level == "warning"
