"""Everything at once on one item with few places, and what must be true of it afterwards."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.registration.bodies import RegistrationBody
from services.registration.commands import seating
from services.registration.commands.calling_up import expire
from services.registration.commands.registering import Rush
from services.registration.domain.line import Claim, Line, Seat
from services.registration.store import places
from shared.errors import Refusal
from shared.idempotency import Answer, Key
from shared.postgres import Connection, Database

if TYPE_CHECKING:
    from tests.services.registration.conftest import House

CLIENTS = 64
ACTIONS = int(os.environ.get("RUSH_ACTIONS", "20"))
"""Of each client."""
HOLDS = "('confirmed', 'pending_approval', 'offered')"


@dataclass
class Crowd:
    """Clients of one item, with what they know of it."""

    house: "House"
    chance: random.Random
    registered: list[str] = field(default_factory=list)
    count: int = 0

    def name(self) -> str:
        self.count += 1
        return f"p{self.count}"

    async def one(self) -> None:
        # As staff: one address may not register as many.
        answer = await self.house.register(self.name(), who=self.house.boss, source="import")
        assert answer.status_code in (201, 503), answer.text
        if answer.status_code == 201:
            self.registered.append(answer.json()["id"])

    async def group(self) -> None:
        names = [self.name() for _ in range(self.chance.randint(2, 3))]
        body = self.house.sign_up(names[0], source="import")
        del body["person"]
        body["people"] = [self.house.sign_up(name)["person"] for name in names]
        path = f"/api/v1/programme-items/{self.house.items['talks']}/groups"
        answer = await self.house.post(path, body, self.house.boss, key=uuid4().hex)
        assert answer.status_code in (201, 503), answer.text

    async def imported(self) -> None:
        rows = [self.house.sign_up(self.name(), source="import") for _ in range(5)]
        path = f"/api/v1/programme-items/{self.house.items['talks']}/registrations/bulk"
        answer = await self.house.post(
            path, {"registrations": rows}, self.house.boss, key=uuid4().hex
        )
        assert answer.status_code in (200, 503), answer.text

    async def cancel(self) -> None:
        if self.registered:
            chosen = self.chance.choice(self.registered)
            answer = await self.house.post(
                f"/api/v1/registrations/{chosen}/cancel", None, self.house.boss
            )
            assert answer.status_code in (200, 409), answer.text

    async def accept(self) -> None:
        rows = await self.house.rows("SELECT id FROM registration WHERE status = 'offered' LIMIT 1")
        for row in rows:
            answer = await self.house.post(
                f"/api/v1/registrations/{row['id']}/accept", None, self.house.boss
            )
            assert answer.status_code in (200, 409), answer.text

    async def expire(self) -> None:
        await expire(self.house.database, datetime.now(UTC) + timedelta(seconds=30))

    async def resize(self) -> None:
        answer = await self.house.client.patch(
            f"/api/v1/programme-items/{self.house.items['talks']}",
            json={"capacity": self.chance.randint(20, 60)},
            headers=self.house.headers(self.house.boss),
        )
        assert answer.status_code in (200, 409), answer.text

    async def act(self) -> None:
        actions: Sequence[Callable[[], Awaitable[None]]] = (
            *(self.one,) * 10,
            *(self.cancel,) * 6,
            self.group,
            self.imported,
            self.accept,
            self.expire,
            self.resize,
        )
        for _ in range(ACTIONS):
            await self.chance.choice(actions)()


async def oversold(house: "House") -> int:
    """Count the places that are held beyond the capacity, and the counts that are not true."""
    (row,) = await house.rows(
        "SELECT greatest(count(*) FILTER (WHERE r.status IN "  # noqa: S608
        f"{HOLDS}) - item.capacity, 0) + abs(count(*) FILTER (WHERE r.status IN {HOLDS}) "
        "- item.taken) + abs(count(*) FILTER (WHERE r.status = 'waitlisted') - item.waiting) "
        "AS wrong FROM programme_item AS item LEFT JOIN registration AS r "
        "ON r.programme_item_id = item.id WHERE item.id = $1 GROUP BY item.id",
        house.items["talks"],
    )
    wrong: int = row["wrong"]
    return wrong


async def overtaken(house: "House") -> int:
    """Replay the events of the item and count who got a place before somebody who waited longer."""
    rows = await house.rows(
        "SELECT outbox.type, convert_from(payload, 'UTF8')::jsonb->>'registration_id' AS id, "
        "r.group_id FROM outbox JOIN registration AS r "
        "ON r.id = (convert_from(payload, 'UTF8')::jsonb->>'registration_id')::uuid "
        "WHERE outbox.type LIKE 'registration.participant.%' AND r.programme_item_id = $1 "
        "ORDER BY outbox.id",
        house.items["talks"],
    )
    line: list[tuple[str, UUID | None]] = []
    seated: set[str] = set()
    passed = 0
    for row in rows:
        state = row["type"].split(".")[2]
        known = (row["id"], row["group_id"])
        if state in ("confirmed", "pending", "offered"):
            if row["id"] not in seated:
                ahead = line[: line.index(known)] if known in line else line
                passed += any(group is None or group != known[1] for _, group in ahead)
            seated.add(row["id"])
        else:
            seated.discard(row["id"])
        line = [one for one in line if one != known]
        if state == "waitlisted":
            line.append(known)
    return passed


async def rushed(house: "House", seed: int, **terms: Any) -> Crowd:
    await house.rows(
        "UPDATE programme_item SET capacity = 40, starts_at = now() + interval '9 days', "
        "ends_at = now() + interval '10 days', offer_seconds = $2 WHERE id = $1",
        house.items["talks"],
        terms.get("offer_seconds"),
    )
    crowd = Crowd(house, random.Random(seed))  # noqa: S311  # a seed, to be run again
    async with asyncio.timeout(300):
        await asyncio.gather(*(crowd.act() for _ in range(CLIENTS)))
    return crowd


@pytest.mark.parametrize(("seed", "offer_seconds"), [(1, None), (2, 20)])
async def test_64_clients_oversell_nothing_and_overtake_nobody(
    house: "House", seed: int, offer_seconds: int | None
) -> None:
    crowd = await rushed(house, seed, offer_seconds=offer_seconds)

    assert crowd.count > CLIENTS * ACTIONS / 3
    assert await oversold(house) == 0
    assert await overtaken(house) == 0


async def test_two_processes_that_write_at_once_oversell_nothing(house: "House") -> None:
    async with AsyncExitStack() as stack:
        other = Rush(await stack.enter_async_context(Database.connect(house.database.dsn)))
        await asyncio.gather(*(both(house, other, f"n{number}") for number in range(100)))

    assert await house.places() == (2, 98)
    assert await oversold(house) == await overtaken(house) == 0


async def put(house: "House", rush: Rush, name: str, key: Key) -> Answer:
    sign_up = RegistrationBody.model_validate(house.sign_up(name)).value()
    return await rush.register(house.items["talks"], sign_up, key, datetime.now(UTC))


async def both(house: "House", other: Rush, name: str) -> None:
    """Send one person's registration to two processes at once, with two keys."""
    keys = [Key("test", f"{name}-{place}", b"") for place in range(2)]
    answers = await asyncio.gather(
        put(house, house.rush, name, keys[0]), put(house, other, name, keys[1])
    )
    assert sorted(answer.status for answer in answers) == [200, 201]


@pytest.mark.parametrize("is_patient", [False, True])
async def test_a_twin_in_another_process_is_refused_or_answered_the_same(
    house: "House", *, is_patient: bool
) -> None:
    key = Key("test", "twin", b"", is_patient=is_patient)
    async with AsyncExitStack() as stack:
        other = Rush(await stack.enter_async_context(Database.connect(house.database.dsn)))
        answers = await asyncio.gather(
            *(put(house, rush, "ana", key) for rush in (house.rush, other)),
            return_exceptions=True,
        )
    refused = [one.code for one in answers if isinstance(one, Refusal)]
    given = [one.content["id"] for one in answers if isinstance(one, Answer)]
    assert refused in ([], [] if is_patient else ["in_progress"])
    assert len(given) == 2 - len(refused)
    assert len(set(given)) == 1
    assert await house.places() == (1, 0)


async def test_the_check_finds_a_count_that_is_read_without_a_lock(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The classic mistake: count, then insert. Two writers must be seen to oversell by it."""
    locked = places.locked_items

    async def unlocked(connection: Connection, ids: Any) -> Sequence[asyncpg.Record]:
        rows = await locked(connection, ids)
        # Ends the transaction that holds the lock, and goes on with what was read.
        await connection.execute("COMMIT; BEGIN")
        await asyncio.sleep(0.2)
        return rows

    monkeypatch.setattr(places, "locked_items", unlocked)
    async with AsyncExitStack() as stack:
        other = Rush(await stack.enter_async_context(Database.connect(house.database.dsn)))
        await asyncio.gather(
            *(
                put(house, rush, f"{place}-{number}", Key("test", f"{place}-{number}", b""))
                for number in range(40)
                for place, rush in enumerate((house.rush, other))
            )
        )
    assert await oversold(house) > 0


async def test_the_check_finds_a_newcomer_who_passes_the_line(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    def greedy(line: Line, claims: Sequence[Claim]) -> list[Seat] | None:
        return line._take(claims, free=line.free)

    monkeypatch.setattr(Line, "admit", greedy)
    crowd = Crowd(house, random.Random(3))  # noqa: S311  # a seed, to be run again
    await crowd.one()
    await crowd.group()
    await crowd.one()

    assert await overtaken(house) == 1


async def answered_otherwise(house: "House", name: str) -> bool:
    """Send a request twice with one key, and say whether the second answer differs."""
    first, second = [await house.register(name, key=f"key-{name}") for _ in range(2)]
    contents = [dict(answer.json(), sign_in_path=None) for answer in (first, second)]
    return first.status_code != second.status_code or contents[0] != contents[1]


async def test_the_check_finds_a_key_that_commits_apart_from_its_effect(
    house: "House", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies between the two transactions leaves the effect without its key."""
    assert not await answered_otherwise(house, "ana")

    async def too_late(connection: Connection, answers: object) -> None:
        del connection, answers

    monkeypatch.setattr(seating, "keep", too_late)
    assert await answered_otherwise(house, "bo")
