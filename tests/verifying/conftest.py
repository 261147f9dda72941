"""Three databases with a little in each, and a Redis that shows it."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from anyio.from_thread import BlockingPortal

from services.verifying.asking import QUESTIONS
from services.verifying.sources import Sources
from shared.postgres import migrate
from shared.redis import command_client

SERVICES = Path(__file__).parents[2] / "services"
STOP = UUID(int=1)
MEETING = UUID(int=2)


def _id(number: int) -> str:
    return f"'{UUID(int=number)}'::uuid"


# What is not asked about is left out: references are not looked at while this is written.
FILLED = {
    "registration": f"""
        INSERT INTO programme_item (id, stop_id, slug, kind, title, starts_at, ends_at, capacity,
            requires_approval, taken, reserved, waiting)
        VALUES ({_id(10)}, {_id(1)}, 'talks', 'matchmaking', '{{}}', '2023-11-07T02:00Z',
            '2023-11-07T04:00Z', 3, false, 2, 1, 1);
        INSERT INTO allotment (id, programme_item_id, seats, taken)
        VALUES ({_id(11)}, {_id(10)}, 2, 1);
        INSERT INTO person (id, mission_id, role, email, full_name, language, languages, version)
        SELECT md5(n::text)::uuid, {_id(9)}, 'delegate', n || '@sample.example', 'Sample', 'en',
            '{{en}}', 1 FROM generate_series(1, 3) AS n;
        INSERT INTO registration (id, programme_item_id, person_id, status, source, registered_at,
            allotment_id, checked_in_at)
        SELECT md5('r' || n)::uuid, {_id(10)}, md5(n::text)::uuid,
            CASE n WHEN 3 THEN 'waitlisted' ELSE 'confirmed' END, 'self', now(),
            CASE n WHEN 1 THEN {_id(11)} END, CASE n WHEN 2 THEN now() END
        FROM generate_series(1, 3) AS n;
        INSERT INTO idempotency (scope, key, digest, status, answer)
        SELECT 'public', id::text, '', 201, jsonb_build_object('id', id, 'participant_id',
            person_id, 'programme_item_id', programme_item_id) FROM registration;
        INSERT INTO outbox (event_id, topic, key, sequence, type, occurred_at, correlation_id,
            payload, position)
        SELECT gen_random_uuid(), 'registration', md5(n::text)::uuid, 1, 'sample', now(), '', '', n
        FROM generate_series(1, 3) AS n;
        UPDATE outbox_head SET position = 3;
    """,  # noqa: S608
    "matching": f"""
        INSERT INTO participation (participant_id, programme_item_id, stop_id, is_confirmed,
            checked_in_at, version)
        SELECT md5(n::text)::uuid, {_id(10)}, {_id(1)}, n < 3, CASE n WHEN 2 THEN now() END, 1
        FROM generate_series(1, 3) AS n;
        INSERT INTO meeting (id, stop_id, mission_id, session_id, delegate_id, local_id, point_id,
            interpreter_needed, starts_at, ends_at, state, revision, schedule_number)
        SELECT id, {_id(1)}, {_id(9)}, {_id(8)}, {_id(20)}, local_id, {_id(23)}, false,
            starts_at, starts_at + interval '20 minutes', 'scheduled', 1, 1
        FROM (VALUES ({_id(2)}, {_id(21)}, '2023-11-07T02:00Z'::timestamptz),
            ({_id(3)}, {_id(22)}, '2023-11-07T02:20Z'::timestamptz))
            AS given (id, local_id, starts_at);
        INSERT INTO booking (meeting_id, resource_id, during)
        SELECT id, unnest(ARRAY[delegate_id, local_id, point_id]), tstzrange(starts_at, ends_at)
        FROM meeting;
    """,  # noqa: S608
    "notify": f"""
        INSERT INTO live_meeting (meeting_id, stop_id, revision, state, starts_at, people, live)
        SELECT id, {_id(1)}, 1, 'scheduled', '2023-11-07T02:00Z', '{{}}', '{{}}'
        FROM (VALUES ({_id(2)}), ({_id(3)})) AS given (id);
    """,  # noqa: S608
}


@pytest.fixture(scope="module")
def databases(postgres_url: str, portal: BlockingPortal) -> Iterator[dict[str, str]]:
    """The addresses of the three databases."""
    found = {
        name: urlsplit(postgres_url)._replace(path=f"/verified_{name}").geturl()
        for name in QUESTIONS
    }
    portal.call(_make, postgres_url, found)
    yield found
    portal.call(_drop, postgres_url)


async def _make(postgres_url: str, databases: dict[str, str]) -> None:
    server = await asyncpg.connect(postgres_url)
    for name, url in databases.items():
        await server.execute(f"CREATE DATABASE verified_{name}")
        await migrate(url, [SERVICES / name / "migrations"])
        connection = await asyncpg.connect(url)
        await connection.execute(f"SET session_replication_role = replica; {FILLED[name]}")
        await connection.close()
    await server.close()


async def _drop(postgres_url: str) -> None:
    server = await asyncpg.connect(postgres_url)
    for name in QUESTIONS:
        await server.execute(f"DROP DATABASE verified_{name} WITH (FORCE)")
    await server.close()


@pytest.fixture
async def sources(databases: dict[str, str], redis_db: str) -> Sources:
    """All of it, as it should be."""
    async with command_client(redis_db) as redis:
        await redis.set(f"live:{{{STOP}}}:epoch", "first")
        for meeting in (MEETING, UUID(int=3)):
            await redis.hset(f"live:{{{STOP}}}:meetings", str(meeting), "1 \n{}")
    return Sources(databases, redis_db)
