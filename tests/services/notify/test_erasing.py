"""What is left of a person in notify once registration has forgotten him or her."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from redis.asyncio import Redis

from services.notify.commands import erasing, planning, telling
from services.notify.commands.erasing import MAILS_KEPT, TRAIL_KEPT, sweep
from services.notify.store import mailbox, people, staff
from services.notify.store.live import Live
from services.notify.store.messages import News
from services.registration.domain.retention import BY_CODE
from shared.access import Principal
from shared.auditing import note
from shared.contacts import Contacts
from shared.events.registration import PersonErased, StaffEngaged
from shared.http import now
from shared.log.consumer import Outage
from shared.postgres import Database

if TYPE_CHECKING:
    from tests.services.notify.conftest import Browser, Registration, World

Keep = Callable[..., Awaitable[None]]
Erase = Callable[[UUID], Awaitable[None]]


@pytest.fixture
def erase(database: Database, live: Live, contacts: Contacts, world: "World") -> Erase:
    async def erase(person_id: UUID) -> None:
        event = PersonErased(person_id=person_id, mission_id=world.mission, erased_at=now())
        async with database.transaction() as connection:
            await erasing.erase(connection, live, contacts, event)

    return erase


async def held(database: Database, person_id: UUID) -> dict[str, Any]:
    async with database.reading() as connection:
        return await people.everything(connection, person_id)


async def in_redis(redis: Redis) -> str:
    found: list[str] = []
    for key in await redis.keys("*"):
        kind = await redis.type(key)
        found.append(str(key))
        if kind == "hash":
            found.append(str(await redis.hgetall(key)))
        elif kind == "stream":
            found.append(str(await redis.xrange(key)))
        else:
            found.append(str(await redis.get(key)))
    return "\n".join(found)


async def test_the_live_state_has_nobody_in_the_place_of_who_was_erased(
    planned: "World", keep: Keep, erase: Erase, database: Database, redis: Redis, live: Live
) -> None:
    meeting = planned.meeting()
    await keep(meeting)
    assert str(planned.local) in await in_redis(redis)

    await erase(planned.local)
    assert str(planned.local) not in await in_redis(redis)

    later = planned.then(meeting, "cancelled")
    await keep(later)
    caught = await live.catch_up(planned.stop, planned.delegate)
    assert caught is not None
    assert '"state":"cancelled"' in caught.meetings[0]
    assert str(people.NOBODY) in caught.meetings[0]
    assert str(planned.local) not in await in_redis(redis)
    assert set(await held(database, planned.local)) == {"erased_person"}


async def test_mails_and_what_was_to_become_one_are_gone(
    planned: "World", erase: Erase, database: Database
) -> None:
    async with database.transaction() as connection:
        for person in (planned.local, planned.delegate):
            await planning.tell(connection, [News.of("confirmed", person, planned.mission)], now())
        await telling.tell_change(connection, planned.meeting(), now())
        ids = await connection.fetch("SELECT person_id, message_id FROM message")
        for row in ids:
            mail = mailbox.Received(
                ("canary@example.com",), "Canary", f"<{row['message_id']}@localhost>", b"Canary"
            )
            await mailbox.put(connection, mail)

    await erase(planned.local)

    assert set(await held(database, planned.local)) == {"erased_person"}
    assert set(await held(database, planned.delegate)) >= {"message", "notice", "told"}
    async with database.reading() as connection:
        (left,) = await connection.fetch("SELECT message_id FROM mailbox_message")
    others = next(str(r["message_id"]) for r in ids if r["person_id"] == planned.delegate)
    assert others in left["message_id"]


async def test_who_works_for_a_partner_is_forgotten_and_not_learned_again(
    planned: "World", erase: Erase, database: Database
) -> None:
    partner = uuid4()
    event = StaffEngaged(
        staff_id=planned.local,
        mission_id=planned.mission,
        role="partner_staff",
        stop_ids=(planned.stop,),
        partner_id=partner,
    )
    async with database.transaction() as connection:
        await staff.put(connection, event, 1)
        assert await staff.of_partner(connection, partner, [planned.stop]) == {planned.local}
    assert set(await held(database, planned.local)) == {"partner_staff"}

    await erase(planned.local)
    async with database.transaction() as connection:
        await staff.put(connection, event, 2)

    assert set(await held(database, planned.local)) == {"erased_person"}


async def test_nobody_is_told_who_was_erased(
    planned: "World", erase: Erase, database: Database
) -> None:
    await erase(planned.local)

    async with database.transaction() as connection:
        await telling.tell_change(connection, planned.meeting(), now())

    assert set(await held(database, planned.local)) == {"erased_person"}
    async with database.reading() as connection:
        told = await connection.fetch("SELECT person_id FROM notice")
    assert {row["person_id"] for row in told} == {planned.delegate}


async def test_the_name_that_was_remembered_is_forgotten(
    world: "World", erase: Erase, contacts: Contacts, registration: "Registration"
) -> None:
    registration.know(world.local, "canary@example.com", name="Canary")
    assert world.local in await contacts.of([world.local])
    registration.people.clear()

    await erase(world.local)

    assert await contacts.of([world.local]) == {}


async def test_erasing_waits_for_redis_and_happens_once_it_is_back(
    planned: "World",
    keep: Keep,
    erase: Erase,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await keep(planned.meeting())

    async def away(stop_id: UUID) -> None:
        raise ConnectionError(stop_id)

    with monkeypatch.context() as patch:
        patch.setattr(Live, "wipe", lambda _, stop_id: away(stop_id))
        with pytest.raises(Outage):
            await erase(planned.local)
    assert "live_meeting" in await held(database, planned.local)

    await erase(planned.local)
    assert set(await held(database, planned.local)) == {"erased_person"}


async def test_registration_is_given_all_that_is_held_and_nobody_else_is(
    planned: "World", keep: Keep, browser: "Browser", person: Callable[..., Principal]
) -> None:
    await keep(planned.meeting())
    path = f"/internal/notify/people/{planned.local}"

    answer = await browser.get(path, Principal("service", UUID(int=0)))
    assert set(answer.json()) == {"live_meeting"}
    assert (await browser.get(path, person("mission_staff"))).status_code == 403


async def test_every_table_that_names_a_person_is_looked_at(database: Database) -> None:
    async with database.reading() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT table_name FROM information_schema.columns "
            "WHERE table_schema = 'public' AND column_name IN ('person_id', 'people')"
        )

    assert {row["table_name"] for row in rows} <= {table for table, _ in people.ABOUT}


async def test_mails_are_kept_for_as_long_as_registration_says(
    planned: "World", database: Database
) -> None:
    begun = now()
    async with database.transaction() as connection:
        for state in ("sent", "queued"):
            await planning.tell(
                connection, [News.of("confirmed", planned.local, planned.mission)], begun
            )
            await connection.execute(
                "UPDATE message SET state = $1 WHERE id = (SELECT max(id) FROM message)", state
            )

    assert await sweep(database, begun + MAILS_KEPT) == 0
    assert await sweep(database, begun + MAILS_KEPT + timedelta(seconds=1)) == 1
    assert MAILS_KEPT.days == BY_CODE["mails"].days


async def test_what_staff_did_is_kept_for_as_long_as_registration_keeps_its_own(
    planned: "World", database: Database
) -> None:
    staff, begun = Principal("mission_staff", planned.delegate), now()
    async with database.transaction() as connection:
        await note(
            connection,
            staff,
            "rules.changed",
            subject_id=planned.mission,
            mission_id=planned.mission,
            now=begun,
        )

    kept = []
    for later in (timedelta(0), timedelta(seconds=1)):
        await sweep(database, begun + TRAIL_KEPT + later)
        kept.append(len((await held(database, planned.delegate)).get("audit_entry", [])))
    assert kept == [1, 0]
    assert TRAIL_KEPT.days == BY_CODE["audit"].days
