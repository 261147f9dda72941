"""The service and its database die under load: what was answered stays, and happens once."""

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

if TYPE_CHECKING:
    from tests.faults.conftest import Pair

CLIENTS = 64
PEOPLE = int(os.environ.get("FAULT_PEOPLE", "1000"))
CRASHES = 3


@dataclass
class History:
    """What clients sent, and what they were answered; a request without an answer is sent again."""

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0

    @property
    def created(self) -> dict[str, str]:
        return {name: self.answers[name]["id"] for name in self.answers}


def body(name: str) -> dict[str, Any]:
    return {
        "side": "local",
        "consent": True,
        "organization": {"name": f"Sample {name} Co.", "country": "CN", "sectors": ["batteries"]},
        "person": {
            "full_name": f"Sample {name}",
            "email": f"{name}@example.com",
            "language": "zh",
            "languages": ["zh"],
        },
    }


async def register(pair: "Pair", history: History, name: str) -> None:
    """Send one registration, with its one key, until it is answered."""
    url = f"{pair.service.url}/api/v1/programme-items/{pair.item}/registrations"
    while True:
        try:
            answer = await pair.client.post(
                url, json=body(name), headers={"Idempotency-Key": f"key-{name}"}
            )
        except httpx2.TransportError:
            history.unanswered += 1
        else:
            if answer.status_code == 201:
                history.answers[name] = answer.json()
                return
            # A twin under way is what a cut connection leaves behind.
            assert answer.status_code in (409, 503), answer.text
        await asyncio.sleep(0.1)


async def load(pair: "Pair", history: History, crash: Callable[[], Any]) -> None:
    """Let many register while something crashes again and again."""
    names = iter([f"p{number}" for number in range(PEOPLE)])

    async def client() -> None:
        for name in names:
            await register(pair, history, name)

    async def crashing() -> None:
        chance = random.Random(7)  # noqa: S311  # a seed, to be run again
        for number in range(1, CRASHES + 1):
            async with asyncio.timeout(180):
                while len(history.answers) < number * PEOPLE // (CRASHES + 2):
                    await asyncio.sleep(0.01)
            await asyncio.sleep(chance.random() / 20)
            await crash()

    async with asyncio.timeout(600), asyncio.TaskGroup() as group:
        group.create_task(crashing())
        for _ in range(CLIENTS):
            group.create_task(client())


async def lost(pair: "Pair", history: History) -> int:
    """Count the registrations that were answered and are not in the database."""
    rows = await pair.rows("SELECT id FROM registration")
    return len(set(history.created.values()) - {str(row["id"]) for row in rows})


async def doubled(pair: "Pair") -> int:
    """Count effects beyond the first: registrations, people, events, and places counted."""
    (row,) = await pair.rows(
        "SELECT (SELECT count(*) FROM registration) - $1 AS registrations, "
        "(SELECT count(*) FROM person) - $1 AS people, "
        "(SELECT count(*) FROM outbox WHERE type LIKE 'registration.participant.%') - $1 AS told, "
        "(SELECT sum(taken + waiting) FROM programme_item) - $1 AS counted, "
        "(SELECT count(*) FROM idempotency) - $1 AS answered",
        PEOPLE,
    )
    return sum(abs(number) for number in row.values())


async def answered_otherwise(pair: "Pair", history: History) -> int:
    """Send every twentieth request again, and count those that are answered something else."""
    url = f"{pair.service.url}/api/v1/programme-items/{pair.item}/registrations"
    different = 0
    for name in list(history.answers)[::20]:
        again = await pair.client.post(
            url, json=body(name), headers={"Idempotency-Key": f"key-{name}"}
        )
        without = {"sign_in_path"}
        first = {k: v for k, v in history.answers[name].items() if k not in without}
        second = {k: v for k, v in again.json().items() if k not in without}
        is_same = again.status_code == 201 and first == second
        different += not (is_same and again.headers["idempotent-replayed"] == "true")
    return different


async def test_the_service_is_killed_and_nothing_is_lost_or_doubled(pair: "Pair") -> None:
    history = History()

    async def crash() -> None:
        pair.service.kill()

    await load(pair, history, crash)

    assert len(history.answers) == PEOPLE
    assert history.unanswered > 0, "the crashes cut nothing off"
    assert await lost(pair, history) == 0
    assert await doubled(pair) == 0
    assert await answered_otherwise(pair, history) == 0


async def test_the_database_is_stopped_at_once_and_nothing_is_lost_or_doubled(
    pair: "Pair",
) -> None:
    history = History()
    await load(pair, history, pair.crash_the_database)

    assert len(history.answers) == PEOPLE
    assert await lost(pair, history) == 0
    assert await doubled(pair) == 0
    assert await answered_otherwise(pair, history) == 0


async def test_the_check_finds_what_a_database_forgets_that_commits_later(pair: "Pair") -> None:
    """`synchronous_commit=off` answers before the log is written: the crash must be seen."""
    await pair.rows("ALTER DATABASE registration SET synchronous_commit = off")
    await pair.rows("ALTER SYSTEM SET wal_writer_delay = '10s'")
    await pair.rows("ALTER SYSTEM SET wal_writer_flush_after = '8GB'")
    await pair.rows("SELECT pg_reload_conf()")
    pair.service.kill()
    await pair.service.ready()
    history = History()
    # The first of them wakes the writer of the log; the later ones it leaves for ten seconds.
    for number in range(40):
        await register(pair, history, f"p{number}")

    await pair.crash_the_database()

    assert await lost(pair, history) > 0
