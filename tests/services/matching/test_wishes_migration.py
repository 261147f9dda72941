"""What stood before requests expired is kept, and waits a week more."""

import secrets
import shutil
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg

from shared.postgres import migrate
from tests.emptying import run
from tests.services.matching.conftest import MIGRATIONS

STOP, DORA, LIN, ASKED = (UUID(int=n) for n in range(1, 5))


async def test_requests_and_preferences_of_before_are_kept(
    postgres_url: str, tmp_path: Path
) -> None:
    name = f"matching_{secrets.token_hex(6)}"
    url = urlsplit(postgres_url)._replace(path=f"/{name}").geturl()
    await run(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        for file in MIGRATIONS.glob("000[12]_*.sql"):
            shutil.copy(file, tmp_path)
        await migrate(url, [tmp_path])
        await before(url)
        shutil.copy(next(MIGRATIONS.glob("0003_*.sql")), tmp_path)
        await migrate(url, [tmp_path])
        await after(url)
    finally:
        await run(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


async def before(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "INSERT INTO preference (stop_id, participant_id, counterpart_id, kind, stated_at) "
        "VALUES ($1, $2, $3, 'no_thanks', now())",
        *(STOP, DORA, LIN),
    )
    await connection.execute(
        "INSERT INTO meeting_request (id, stop_id, participant_id, counterpart_id, message, "
        "status, requested_at) VALUES ($1, $2, $3, $4, 'Sample', 'pending', now() - interval '1y')",
        *(ASKED, STOP, LIN, DORA),
    )
    await connection.close()


async def after(url: str) -> None:
    connection = await asyncpg.connect(url)
    request = await connection.fetchrow(
        "SELECT status, message, revision, asked_by, expires_at - now() AS left "
        "FROM meeting_request"
    )
    preference = await connection.fetchrow("SELECT kind, again, stated_by FROM preference")
    await connection.close()
    assert request is not None
    assert preference is not None
    assert tuple(request)[:4] == ("pending", "Sample", 1, None)
    assert timedelta(days=6, hours=23) < request["left"] <= timedelta(days=7)
    assert tuple(preference) == ("no_thanks", False, None)
