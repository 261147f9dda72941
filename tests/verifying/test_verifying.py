import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from services.verifying import report
from services.verifying.asking import verify
from services.verifying.sources import DATABASES_VARIABLE, NoSources, Sources, named, noted
from shared.redis import command_client

STOP = UUID(int=1)
MEETING = UUID(int=2)

BREAKS = {
    "a place too many": (
        "registration",
        "ALTER TABLE programme_item DROP CONSTRAINT never_oversold; "
        "UPDATE programme_item SET capacity = 2",
        "UPDATE programme_item SET capacity = 3; ALTER TABLE programme_item "
        "ADD CONSTRAINT never_oversold CHECK (taken + reserved <= capacity)",
        {
            "registration: Nobody has a place that is not there",
            "registration: What the database itself refuses",
        },
    ),
    "a wrong count of who waits": (
        "registration",
        "UPDATE programme_item SET waiting = 0",
        "UPDATE programme_item SET waiting = 1",
        {"registration: Nobody has a place that is not there"},
    ),
    "a seat that is counted for nobody": (
        "registration",
        "UPDATE allotment SET taken = 2",
        "UPDATE allotment SET taken = 1",
        {
            "registration: As many of a partner's seats",
            "registration: Nobody has a place that is not there",
        },
    ),
    "an answer without a registration": (
        "registration",
        "UPDATE idempotency SET answer = answer || jsonb_build_object('id', gen_random_uuid()) "
        "WHERE key = md5('r1')::uuid::text",
        "UPDATE idempotency SET answer = answer || jsonb_build_object('id', key)",
        {"registration: What somebody was answered is there"},
    ),
    "a change that was not announced": (
        "registration",
        "UPDATE person SET version = 2 WHERE id = md5('1')::uuid",
        "UPDATE person SET version = 1",
        {"registration: Everything that became of a person was announced"},
    ),
    "a lost event": (
        "registration",
        "UPDATE outbox SET position = 7 WHERE position = 2",
        "UPDATE outbox SET position = 2 WHERE position = 7",
        {"registration: Events are numbered without a gap"},
    ),
    "an event that waits": (
        "registration",
        "UPDATE outbox SET position = NULL, occurred_at = now() - interval '2 minutes' "
        "WHERE position = 3; UPDATE outbox_head SET position = 2",
        "UPDATE outbox SET position = 3 WHERE position IS NULL; "
        "UPDATE outbox_head SET position = 3",
        {"registration: No event waits"},
    ),
    "an index that was not made": (
        "registration",
        "ALTER INDEX outbox_position RENAME TO elsewhere",
        "ALTER INDEX elsewhere RENAME TO outbox_position",
        {"registration: What the database itself refuses"},
    ),
    "a wall that is off": (
        "matching",
        "ALTER TABLE booking DISABLE TRIGGER time_for_the_way",
        "ALTER TABLE booking ENABLE TRIGGER time_for_the_way",
        {"matching: What the database itself refuses"},
    ),
    "a table that two have": (
        "matching",
        "UPDATE meeting SET starts_at = starts_at - interval '5 minutes' "
        "WHERE local_id = '00000000-0000-0000-0000-000000000016'",
        "UPDATE meeting SET starts_at = starts_at + interval '5 minutes' "
        "WHERE local_id = '00000000-0000-0000-0000-000000000016'",
        {
            "matching: No person, table or interpreter is in two places",
            "matching: What a meeting needs is held for it",
        },
    ),
    "a table that is held for nobody": (
        "matching",
        "UPDATE booking SET resource_id = md5(resource_id::text)::uuid "
        "WHERE resource_id = '00000000-0000-0000-0000-000000000015'",
        "UPDATE booking SET resource_id = '00000000-0000-0000-0000-000000000015' "
        "WHERE resource_id = md5('00000000-0000-0000-0000-000000000015')::uuid",
        {"matching: What a meeting needs is held for it"},
    ),
    "an event that was set aside": (
        "matching",
        "INSERT INTO dead_letter (consumer, topic, key, headers, payload, reason) "
        "VALUES ('matching', 'registration', 'k', '{}', '', 'unreadable')",
        "DELETE FROM dead_letter",
        {"matching: No event was set aside"},
    ),
    "somebody whom matching does not know": (
        "matching",
        "UPDATE participation SET is_confirmed = false WHERE participant_id = md5('1')::uuid",
        "UPDATE participation SET is_confirmed = true WHERE participant_id = md5('1')::uuid",
        {"registration -> matching: Matching knows who has a place"},
    ),
    "somebody of whom matching does not know that he came": (
        "matching",
        "UPDATE participation SET checked_in_at = NULL",
        "UPDATE participation SET checked_in_at = now() WHERE participant_id = md5('2')::uuid",
        {"registration -> matching: Matching knows who has a place"},
    ),
    "a meeting that is told as it was": (
        "matching",
        "UPDATE meeting SET revision = 2, state = 'called' "
        "WHERE local_id = '00000000-0000-0000-0000-000000000015'",
        "UPDATE meeting SET revision = 1, state = 'scheduled'",
        {"matching -> notify: Everybody is told of meetings as they are"},
    ),
}


async def run(url: str, statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def broken(sources: Sources, patience: float = 0) -> set[str]:
    """Give the broken promises, as `where: promise`."""
    findings = await verify(sources, patience=patience)
    return {f"{one.where}: {one.promise}" for one in findings if not one.is_kept}


async def test_what_is_as_it_should_be_is_found_so(sources: Sources) -> None:
    findings = await verify(sources, patience=0)

    assert report.broken(findings) == []
    assert {one.promise: one.counted for one in findings}[
        "Live pages show meetings as they are"
    ] == 2
    assert report.text(findings).endswith("19 promises verified in the databases, none broken.")


@pytest.mark.parametrize("name", BREAKS)
async def test_what_is_wrong_is_found_and_nothing_else(sources: Sources, name: str) -> None:
    service, breaking, mending, wanted = BREAKS[name]
    await run(sources.databases[service], breaking)
    try:
        found = await broken(sources)
    finally:
        await run(sources.databases[service], mending)

    assert len(found) == len(wanted)
    for promise in wanted:
        assert any(one.startswith(promise) for one in found), found
    assert await broken(sources) == set()


async def test_a_live_page_that_is_behind_is_found(sources: Sources) -> None:
    async with command_client(sources.redis) as redis:
        await redis.hset(f"live:{{{STOP}}}:meetings", str(MEETING), "0 \n{}")
        assert await broken(sources) == {"notify -> Redis: Live pages show meetings as they are"}

        # A stop that is empty is filled when somebody looks at it.
        await redis.flushall()
        assert await broken(sources) == set()


async def test_what_is_on_its_way_is_waited_for(sources: Sources) -> None:
    service, breaking, mending, _ = BREAKS["a meeting that is told as it was"]
    await run(sources.databases[service], breaking)

    async def arrive() -> None:
        await asyncio.sleep(0.5)
        await run(sources.databases[service], mending)

    _, found = await asyncio.gather(arrive(), broken(sources, patience=30))
    assert found == set()


async def test_the_command_prints_each_promise_and_what_breaks_it(sources: Sources) -> None:
    service, breaking, mending, _ = BREAKS["a table that two have"]
    await run(sources.databases[service], breaking)
    try:
        code, out, _ = await command(dict(sources.databases), "--patience", "0")
    finally:
        await run(sources.databases[service], mending)

    assert code == 1
    assert "BROKEN  matching " in out
    assert f"meeting {UUID(int=3)}: begins 2023-11-07" in out
    assert out.endswith("18 promises verified in the databases, 2 broken.\n")

    code, out, _ = await command(dict(sources.databases), "--json")
    assert code == 0
    assert all(one["is_kept"] for one in json.loads(out))


async def test_the_command_says_what_it_could_not_ask(databases: dict[str, str]) -> None:
    nobody = databases | {"notify": "postgresql://postgres@127.0.0.1:1/notify"}
    code, out, error = await command(nobody)

    assert (code, out) == (2, "")
    assert "Traceback" not in error
    assert "127.0.0.1" in error


async def command(databases: dict[str, str], *words: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.verifying", *words),
        env={DATABASES_VARIABLE: json.dumps(databases)},
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode, out.decode(), error.decode()


def test_addresses_are_noted_while_something_runs(tmp_path: Path) -> None:
    sources = Sources({"registration": "postgresql://one"}, "redis://two")

    with noted(tmp_path, sources):
        assert named(tmp_path) == sources
        (file,) = tmp_path.iterdir()
        assert file.stat().st_mode & 0o077 == 0

    with pytest.raises(NoSources, match="make run"):
        named(tmp_path)
