"""Receivers as they are: nothing is undelivered and unseen, and none waits for another."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notify.commands import feeding, webhook_log, webhook_sending, webhooks
from services.notify.commands.webhook_sending import AT_ONCE, Couriers
from services.notify.commands.webhooks import Hooks, Owner
from services.notify.consumer import feed_consumer
from services.notify.domain.webhooks import REST_MAX
from services.notify.store import webhooks as webhooks_store
from shared.access import Principal
from shared.addresses import Address, Allowed
from shared.events import registration as r
from shared.http import now
from shared.log.records import Record
from shared.outward import Outward
from shared.postgres import Connection, Database
from shared.process import cancelling
from tests.lines import Line
from tests.services.notify.partners import NOW, Mission, append, envelope
from tests.services.notify.receivers import (
    Answer,
    Received,
    Receiver,
    always,
    never,
    receiving,
    status,
    until,
)

EVENTS = 120
SECONDS_MAX = 1.5
FAILS_FIRST = 40


class Moody:
    """Fails every other request, and some at first."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, received: Received) -> Answer:
        del received
        self.count += 1
        return status(500 if self.count % 2 or self.count < FAILS_FIRST else 200)


class Names:
    """Resolves names; some lead inside every other time (DNS rebinding)."""

    def __init__(self) -> None:
        self.turns = 0

    async def __call__(self, host: str, port: int) -> list[Address]:
        del port
        self.turns += 1
        is_inside = host.startswith("rebinding") and self.turns % 2 == 0
        return [ip_address("10.0.0.7" if is_inside else "127.0.0.1")]


@pytest.fixture
async def patient(hooks: Hooks) -> AsyncIterator[Hooks]:
    """What webhooks need, with the patience that they have."""
    outward = Outward(Allowed.read("127.0.0.1"), Names())
    yield replace(hooks, outward=outward)
    outward.close()


@pytest.fixture
async def faulty(hooks: Hooks) -> AsyncIterator[Hooks]:
    """What webhooks need, with little patience, and with names that lead elsewhere."""
    outward = Outward(Allowed.read("127.0.0.1"), Names(), seconds_max=SECONDS_MAX)
    yield replace(hooks, outward=outward)
    outward.close()


@pytest.fixture
async def receivers() -> AsyncIterator[dict[str, Receiver]]:
    """One of each kind."""
    kinds: dict[str, tuple[Callable[[Received], Answer], float]] = {
        "well": (always(200), 0.0),
        "slow": (always(200), 0.1),
        "moody": (Moody(), 0.0),
        "failing": (always(500), 0.0),
        "silent": (never, 0.0),
        "gone": (always(410), 0.0),
        "busy": (always(503, "Retry-After: 60"), 0.0),
        "elsewhere": (always(301, "Location: http://169.254.169.254/"), 0.0),
        "no http": (lambda _: b"SSH-2.0-x\r\n", 0.0),
    }
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(receiving(answer, seconds))
            for name, (answer, seconds) in kinds.items()
        }


async def seen(database: Database) -> dict[UUID, dict[str, int]]:
    """Count each endpoint's deliveries by state."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT webhook_id, state, count(*) AS number FROM webhook_delivery GROUP BY 1, 2"
        )
    found: dict[UUID, dict[str, int]] = {}
    for row in rows:
        found.setdefault(row["webhook_id"], {})[row["state"]] = row["number"]
    return found


async def tried(database: Database, ids: dict[str, UUID]) -> bool:
    """Say whether each endpoint was tried, and the one that leads inside was found out."""
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT webhook_id, bool_or(failure = 'not_public') AS is_inside FROM webhook_attempt "
            "JOIN webhook_delivery ON webhook_delivery.id = delivery GROUP BY webhook_id"
        )
    found = {row["webhook_id"]: row["is_inside"] for row in rows}
    return set(ids.values()) <= found.keys() and bool(found[ids["rebinding"]])


async def test_nothing_is_undelivered_and_unseen(
    database: Database, faulty: Hooks, receivers: dict[str, Receiver], world: Any
) -> None:
    mission = Mission(world)
    who = Principal("mission_staff", uuid4(), world.mission)
    owner = Owner(world.mission, None)

    async def add(url: str) -> UUID:
        facts = {"url": url, "name": "", "types": (), "scheme": "v1"}
        row, _ = await webhooks.add(database, faulty, owner, facts, (who, now()))
        return UUID(str(row["id"]))

    ids = {name: await add(receiver.url) for name, receiver in receivers.items()}
    port = receivers["well"].port
    ids["rebinding"] = await add(f"https://rebinding.example.org:{port}/")
    told = await append(
        database, [mission.somebody(r.ParticipantPending, None) for _ in range(EVENTS)]
    )
    expected = {str(one.event_id) for one in told}
    async with cancelling(Couriers(database, faulty).run()):
        await until(lambda: set(receivers["well"].ids()) == expected)
        await until(lambda: set(receivers["slow"].ids()) == expected)
        async with asyncio.timeout(60):
            while not await tried(database, ids):
                await asyncio.sleep(0.05)
    counts = await seen(database)

    # Each event is delivered, or listed as waiting, at every endpoint: none is missing.
    for name, id_ in ids.items():
        assert sum(counts[id_].values()) == EVENTS, name
    assert receivers["slow"].most_at_once <= AT_ONCE
    for name in ("failing", "silent", "gone", "busy", "elsewhere", "no http", "rebinding"):
        assert counts[ids[name]] == {"waiting": EVENTS}, name
    async with database.reading() as connection:
        states = {
            row["id"]: row["state"]
            for row in await connection.fetch("SELECT id, state FROM webhook")
        }
    assert [name for name, id_ in ids.items() if states[id_] == "disabled"] == ["gone"]
    # Rests keep the dead from being asked all the time.
    assert len(receivers["busy"].received) <= EVENTS


async def test_what_failed_at_first_arrives_when_the_receiver_is_well(
    database: Database, faulty: Hooks, world: Any
) -> None:
    mission = Mission(world)
    who = Principal("mission_staff", uuid4(), world.mission)
    moody = Moody()
    async with receiving(moody) as receiver:
        facts = {"url": receiver.url, "name": "", "types": (), "scheme": "v1"}
        owner = Owner(world.mission, None)
        row, _ = await webhooks.add(database, faulty, owner, facts, (who, now()))
        told = await append(
            database, [mission.somebody(r.ParticipantPending, None) for _ in range(EVENTS)]
        )
        couriers, at = Couriers(database, faulty), now()
        for _ in range(EVENTS):
            while await couriers.round(row["id"], at):
                pass
            # As the clock would: later, when rests and pauses are over.
            at += 12 * REST_MAX
            if (await seen(database))[row["id"]].get("delivered") == EVENTS:
                break
    assert (await seen(database))[row["id"]] == {"delivered": EVENTS}
    assert set(receiver.ids()) == {str(one.event_id) for one in told}


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Couriers and a bell that look when they are woken alone; each look of the couriers."""
    monkeypatch.setattr(webhook_sending, "LOOK_SECONDS_MAX", 3_600)
    monkeypatch.setattr(feeding, "LOOK_SECONDS", 3_600)
    found: list[object] = []
    due = webhooks_store.due

    async def counted(connection: Connection) -> dict[UUID, datetime]:
        found.append(connection)
        return await due(connection)

    monkeypatch.setattr(webhooks_store, "due", counted)
    return found


async def test_couriers_go_when_they_are_woken_and_not_because_they_look(
    database: Database, patient: Hooks, world: Any, looks: list[object]
) -> None:
    mission = Mission(world)
    who = Principal("mission_staff", uuid4(), world.mission)
    async with receiving(always(204)) as receiver:
        facts = {"url": receiver.url, "name": "", "types": (), "scheme": "v1"}
        owner = Owner(world.mission, None)
        row, _ = await webhooks.add(database, patient, owner, facts, (who, now()))

        async def told(number: int) -> None:
            async with asyncio.timeout(60):
                while len(receiver.received) < number:
                    await asyncio.sleep(0.01)
                while (await seen(database))[row["id"]] != {"delivered": 1}:
                    await asyncio.sleep(0.01)
                # The courier is back, they have looked after it, and look no more by themselves.
                count = -1
                while count != len(looks):
                    count = len(looks)
                    await asyncio.sleep(0.5)

        couriers = Couriers(database, patient)
        async with cancelling(patient.bell.run()), cancelling(couriers.run()):
            # By what the consumer takes, by hand, and when the clock says so.
            await consumed(database, patient, mission)
            await told(1)
            await webhook_log.replay(patient, who, row["id"], (NOW, now()), now())
            await told(2)
            async with database.transaction() as connection:
                await connection.execute(
                    "UPDATE webhook_delivery SET state = 'waiting', next_attempt_at = $1",
                    now() + timedelta(seconds=1),
                )
            await webhooks.edit(database, patient, who, row["id"], ({"name": "CRM"}, None))
            await told(3)


async def consumed(database: Database, hooks: Hooks, mission: Mission) -> None:
    event = mission.somebody(r.ParticipantPending, None)
    record = Record(
        topic=event.TOPIC,
        key=str(event.key).encode(),
        headers=envelope(event).headers(),
        value=event.model_dump_json().encode(),
    )
    await feed_consumer(database, hooks.bell).step(Line([record]))
