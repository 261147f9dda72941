import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from services.notify.__main__ import opened
from services.notify.consumer import LIVE_TOPICS, MAIL_TOPICS, live_consumer, mail_consumer
from services.notify.settings import NotifySettings
from services.notify.store import facts, meetings
from services.notify.store.live import Live
from shared.access import Tokens
from shared.events.base import Event
from shared.events.registration import (
    OrganizationFacts,
    ParticipantConfirmed,
    ParticipantLapsed,
    ParticipantOffered,
    ParticipantPending,
    ParticipantRejected,
    ParticipantWaitlisted,
    SignInRequested,
)
from shared.http import create_app, now
from shared.log import outbox
from shared.log.postgres import PostgresLog
from shared.log.sequencer import number
from shared.postgres import Database, migrate
from shared.process import cancel, cancelling, persist
from shared.redis import command_client
from shared.service import Service

WAIT_SECONDS = 60


@pytest.fixture
async def publisher(fresh_database: str) -> AsyncIterator[Database]:
    """A database whose outbox both other services share, for once."""
    await migrate(fresh_database, [])
    async with (
        Database.connect(fresh_database, size=2) as publisher,
        cancelling(number(publisher)),
    ):
        yield publisher


@pytest.fixture
def log(publisher: Database) -> PostgresLog:
    return PostgresLog({"registration": publisher.dsn, "matching": publisher.dsn})


@pytest.fixture
def announce(publisher: Database) -> Callable[..., Awaitable[None]]:
    """A function that commits events, each with a sequence."""

    async def announce(*events: tuple[Event, int]) -> None:
        async with publisher.transaction() as connection:
            for event, sequence in events:
                await outbox.append(connection, event, sequence=sequence, now=now())

    return announce


def settings_for(database_url: str, redis_url: str, free_port: int) -> NotifySettings:
    return NotifySettings.model_validate(
        {
            "database_url": database_url,
            "log_url": "postgresql:",
            "secret_key": "a secret of tests that is long enough",
            "redis_url": redis_url,
            "internal_url": f"http://127.0.0.1:{free_port}",
            "mailbox": True,
        }
    )


async def readiness(service: Service) -> tuple[int, dict[str, bool]]:
    transport = httpx2.ASGITransport(create_app([service], Tokens("")))
    async with httpx2.AsyncClient(base_url="http://notify", transport=transport) as client:
        answer = await client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


async def until(ask: Callable[[], Awaitable[Any]]) -> Any:
    """Ask until the answer is true."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not (answer := await ask()):
            await asyncio.sleep(0.02)
        return answer


def registered(world: Any, kind: type[Event], **more: Any) -> Event:
    return kind.model_validate(
        {
            "participant_id": world.delegate,
            "registration_id": world.delegate,
            "mission_id": world.mission,
            "stop_id": world.stop,
            "programme_item_id": world.item,
            "item_kind": "matchmaking",
            "side": "delegation",
            **more,
        }
    )


async def test_facts_and_mails_come_from_registrations_events(
    database: Database, log: Any, announce: Any, world: Any
) -> None:
    organization = OrganizationFacts(
        organization_id=world.item, name="Synthetic Ltd", country="AU", sectors=("solar",)
    )
    confirmed = registered(
        world, ParticipantConfirmed, organization=organization, languages=("en",), listings=()
    )
    await announce(
        (world.mission_announced(), 1),
        (world.stop_planned(), 1),
        (world.item_planned(), 1),
        (registered(world, ParticipantPending), 1),
        (registered(world, ParticipantWaitlisted), 2),
        (confirmed, 3),
        (registered(world, ParticipantRejected), 4),
        (registered(world, ParticipantOffered, offered_until=now()), 6),
        (registered(world, ParticipantLapsed), 7),
        # Another company, the same place: no news for the person.
        (confirmed.model_copy(update={"is_correction": True}), 5),
        (SignInRequested(person_id=world.local, mission_id=world.mission), 1),
    )

    async def kinds() -> list[str] | None:
        async with database.reading() as connection:
            rows = await connection.fetch("SELECT kind FROM message ORDER BY id")
        return [row["kind"] for row in rows] if len(rows) == 7 else None

    async with cancelling(mail_consumer(database).run(log, MAIL_TOPICS)):
        found = await until(kinds)
    assert found == [
        *("pending", "waitlisted", "confirmed", "rejected", "offered", "offer_expired"),
        "sign_in",
    ]
    async with database.reading() as connection:
        stop = await facts.stop(connection, world.stop)
        assert stop
        assert (stop["city"].zh, stop["timezone"]) == ("上海", "Asia/Shanghai")
        assert await facts.items(connection, [world.item])
        assert await facts.mission(connection, world.mission)


async def test_an_older_version_of_a_fact_never_replaces_a_newer_one(
    database: Database, world: Any
) -> None:
    async with database.transaction() as connection:
        await facts.put_mission(connection, world.mission_announced(is_rehearsal=True), 3)
        await facts.put_mission(connection, world.mission_announced(), 2)
        mission = await facts.mission(connection, world.mission)
    assert mission
    assert mission["is_rehearsal"]


async def test_a_days_meetings_reach_the_live_state_in_their_last_revision(
    database: Database, live: Live, log: Any, announce: Any, world: Any
) -> None:
    first, second = world.meeting(number=0), world.meeting(number=1)
    called = world.then(first, "called")
    await announce((first, 1), (second, 1), (called, 2), (world.then(called, "in_progress"), 3))

    async def revisions() -> bool:
        _, held = await live.revisions(world.stop)
        return held == {first.meeting_id: 3, second.meeting_id: 1}

    async with cancelling(live_consumer(database, live).run(log, LIVE_TOPICS)):
        await until(revisions)


async def test_mail_does_not_wait_for_redis(
    database: Database, log: Any, announce: Any, world: Any, free_port: int
) -> None:
    event = world.meeting()
    await announce((event, 1))

    async def noted() -> int:
        async with database.reading() as connection:
            count: int = await connection.fetchval("SELECT count(*) FROM notice")
        return count

    async with (
        command_client(f"redis://127.0.0.1:{free_port}") as nowhere,
        cancelling(live_consumer(database, Live(nowhere)).run(log, LIVE_TOPICS)),
        cancelling(mail_consumer(database).run(log, MAIL_TOPICS)),
    ):
        assert await until(noted) == 2
    async with database.reading() as connection:
        assert await meetings.revisions(connection, world.stop) == {event.meeting_id: 1}
        assert await connection.fetchval("SELECT count(*) FROM dead_letter") == 0


async def test_calls_on_the_day_are_no_mail(
    database: Database, log: Any, announce: Any, world: Any
) -> None:
    called = world.meeting("called")
    cancelled = world.meeting("cancelled", parties=world.parties(), number=1)
    await announce((called, 1), (cancelled, 1))

    async def told() -> list[Any] | None:
        async with database.reading() as connection:
            rows = await connection.fetch("SELECT DISTINCT meeting_id FROM told")
        return [row["meeting_id"] for row in rows] or None

    async with cancelling(mail_consumer(database).run(log, MAIL_TOPICS)):
        assert await until(told) == [cancelled.meeting_id]


async def test_the_whole_service_carries_an_event_to_a_listener_and_a_reader(
    new_database: Any, redis_db: str, log: Any, announce: Any, world: Any, free_port: int
) -> None:
    settings = settings_for(await new_database(), redis_db, free_port)
    event = world.meeting()
    async with opened(settings, log) as service:
        tasks = [asyncio.create_task(persist(name, loop)) for name, loop in service.loops.items()]
        held: Any = service.resources
        await announce((world.mission_announced(), 1), (world.stop_planned(), 1), (event, 1))

        async def revision() -> bool:
            return (await held.live.revisions(world.stop))[1] == {event.meeting_id: 1}

        await until(revision)
        fine = {"notify database": True, "redis": True, "mail": True}
        assert await readiness(service) == (200, fine)
        assert not any(task.done() for task in tasks)
        service.closing()
        async with asyncio.timeout(WAIT_SECONDS):
            await cancel(tasks)


async def test_a_service_whose_redis_is_away_says_so_and_stays_ready(
    new_database: Any, log: Any, free_port: int
) -> None:
    nowhere = f"redis://127.0.0.1:{free_port}"
    async with opened(settings_for(await new_database(), nowhere, free_port), log) as service:
        found = {"notify database": True, "redis": False, "mail": True}
        assert await readiness(service) == (200, found)
