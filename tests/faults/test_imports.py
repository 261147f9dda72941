"""The service is killed while it applies a partner's list: each row happens once, and is told."""

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg

from services.registration.commands.imports.applying import CHUNK
from tests.services.registration.imports.sending import row, table

if TYPE_CHECKING:
    from tests.faults.conftest import Pair

ROWS = 3 * CHUNK
PLACES = 500
"""As many as the item has: who comes later in the list waits, in its order."""
# The last that a chunk writes is what the next list is compared with.
WAITS = """EXISTS (
    SELECT FROM pg_locks WHERE relation = 'hosted_row'::regclass AND mode = '%s' AND NOT granted)"""
ENDS_A_CHUNK = WAITS % "RowExclusiveLock"
STANDS_BEHIND = WAITS % "ShareLock"
LOCK = "LOCK TABLE hosted_row IN SHARE MODE"
SECONDS_MAX = 120
NAMES = {"en": "Sample Bureau", "zh": "示例商务局"}


async def sent(pair: "Pair") -> None:
    """Send a list that is applied as soon as it is checked."""
    (mission,) = await pair.rows("SELECT id FROM mission")
    path = f"/missions/{mission['id']}/partners"
    partner = await pair.staff("POST", path, {"name": NAMES, "kind": "government"})
    people = (row(f"p{number:04d}", company=number // 4, sectors="示例") for number in range(ROWS))
    answer = await pair.client.post(
        f"{pair.service.url}/api/v1/imports",
        content=table(*people),
        params={
            "programme_item_id": pair.item,
            "partner_id": partner["id"],
            "consent": "true",
        },
        headers=pair.headers() | {"Idempotency-Key": uuid4().hex},
    )
    assert answer.status_code == 202, answer.text


async def until(pair: "Pair", condition: str) -> None:
    """Wait until a query says so."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (await pair.rows(f"SELECT {condition} AS is_so"))[0]["is_so"]:
            await asyncio.sleep(0.01)


async def killed_in_the_second_chunk(pair: "Pair") -> None:
    """Send a list, and kill the service when the first of it is registered and told, and more of
    it is, of which nothing is committed.
    """
    one, other = [await asyncpg.connect(pair.database_url) for _ in range(2)]
    try:
        async with one.transaction():
            await one.execute(LOCK)
            await sent(pair)
            await until(pair, ENDS_A_CHUNK)
            # Who stands behind the first chunk comes before the second.
            behind = asyncio.create_task(other.execute(f"BEGIN; {LOCK}"))
            await until(pair, STANDS_BEHIND)
        await behind
        await until(pair, ENDS_A_CHUNK)
        pair.service.kill()
        await asyncio.sleep(0.1)
    finally:
        await one.close()
        await other.close()
    await pair.service.ready()


async def apart(pair: "Pair") -> int:
    """Count the rows that are told otherwise than they happened, and what happened untold."""
    (found,) = await pair.rows(
        "SELECT count(*) FILTER (WHERE r.status IS DISTINCT FROM registration.status) AS apart "
        "FROM import_row AS r FULL JOIN registration ON registration.id = r.registration_id"
    )
    number: int = found["apart"]
    return number


async def test_a_service_that_is_killed_while_it_applies_a_list_doubles_and_loses_no_row(
    pair: "Pair",
) -> None:
    await killed_in_the_second_chunk(pair)

    (found,) = await pair.rows(
        "SELECT state, (SELECT count(*) FROM import_row WHERE status IS NULL) AS open "
        "FROM import_list"
    )
    assert (found["state"], found["open"]) == ("applying", ROWS - CHUNK)
    assert await apart(pair) == 0

    # The time passes after which another one takes the list over.
    await pair.rows("UPDATE import_list SET claimed_until = now() - interval '1 second'")
    await until(pair, "(SELECT state FROM import_list) = 'finished'")
    assert await apart(pair) == 0
    (found,) = await pair.rows(
        "SELECT (SELECT count(*) FROM registration) AS registrations, "
        "(SELECT count(*) FROM person) AS people, "
        "(SELECT count(*) FROM hosted_row) AS hosted, "
        "(SELECT taken FROM programme_item) AS taken, "
        "(SELECT waiting FROM programme_item) AS waiting"
    )
    assert dict(found) == {
        **{"registrations": ROWS, "people": ROWS, "hosted": ROWS},
        **{"taken": PLACES, "waiting": ROWS - PLACES},
    }
    told = await pair.rows(
        "SELECT type, count(*) AS number, count(DISTINCT key) AS people FROM outbox "
        "WHERE type LIKE 'registration.participant.%' GROUP BY type ORDER BY type"
    )
    assert [tuple(one) for one in told] == [
        ("registration.participant.confirmed.v1", PLACES, PLACES),
        ("registration.participant.waitlisted.v1", ROWS - PLACES, ROWS - PLACES),
    ]
    order = await pair.rows(
        "SELECT r.row FROM import_row AS r "
        "JOIN registration ON registration.id = r.registration_id ORDER BY registration.rank"
    )
    assert [one["row"] for one in order] == list(range(2, ROWS + 2))
