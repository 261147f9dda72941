"""A stop's day that is kept: whatever changes is seen before the next repair, and read alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from services.matching.commands.keeping import Kept
from services.matching.commands.surveying import Survey, day_of, survey
from services.matching.domain.repair.chart import Chart
from services.matching.store import facts
from shared.postgres import Connection, Database
from tests.services.matching.test_repair_chart import said
from tests.services.matching.test_repairing import Tomorrow, day, wish

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

__all__ = ["day"]

OTHER_STOP, OTHER_ITEM, OTHER_SESSION, OTHER_POINT = (UUID(int=n) for n in range(1, 5))
Change = Callable[["House"], tuple[str, list[Any]]]

CHANGES: dict[str, Change] = {
    "a meeting is called": lambda house: (
        "UPDATE meeting SET state = 'called' WHERE delegate_id = $1",
        [house.people["dave"]],
    ),
    "a meeting is moved": lambda house: (
        "UPDATE meeting SET starts_at = starts_at + interval '25 minutes', "
        "ends_at = ends_at + interval '25 minutes', point_id = $2 WHERE delegate_id = $1",
        [house.people["dora"], house.points["T2"]],
    ),
    "a meeting is fixed": lambda house: (
        "UPDATE meeting SET locked = true WHERE delegate_id = $1",
        [house.people["dora"]],
    ),
    "somebody says no": lambda house: (
        "INSERT INTO preference (stop_id, participant_id, counterpart_id, kind, stated_at, "
        "stated_by, stated_role) VALUES ($1, $2, $3, 'no_thanks', now(), $2, 'local')",
        [house.stop, house.people["lin"], house.people["dora"]],
    ),
    "somebody says something else": lambda house: (
        "UPDATE preference SET kind = 'meet' WHERE participant_id = $1",
        [house.people["lin"]],
    ),
    "somebody is away": lambda house: (
        "INSERT INTO absence SELECT gen_random_uuid(), $1, $2, "
        "tstzrange(starts_at, ends_at), 'late', now() FROM meeting WHERE delegate_id = $2",
        [house.stop, house.people["dora"]],
    ),
    "who was away is back": lambda _: ("DELETE FROM absence", []),
    "somebody is there for an hour": lambda house: (
        "INSERT INTO availability (stop_id, resource_id, during) SELECT $1, $2, "
        "tstzrange(starts_at, ends_at) FROM meeting WHERE delegate_id = $2",
        [house.stop, house.people["dora"]],
    ),
    "two are kept apart": lambda house: (
        "INSERT INTO exclusion (id, mission_id, kind, one_id, other_id, reason, stated_by, "
        "stated_role, stated_at) VALUES ($1, $2, 'people', $3, $4, '', $1, 'mission_staff', now())",
        [uuid4(), house.mission, house.people["dave"], house.people["luo"]],
    ),
    "they are not any more": lambda _: ("UPDATE exclusion SET lifted_at = now()", []),
    "a side has a quota": lambda house: (
        "INSERT INTO quota VALUES ($1, 'local', 0, 1)",
        [house.stop],
    ),
    "a person has another one": lambda house: (
        "INSERT INTO personal_quota VALUES ($1, $2, NULL, 3)",
        [house.stop, house.people["luo"]],
    ),
    "a point is lost": lambda house: (
        "UPDATE meeting_point SET closed_from = now() WHERE id = $1",
        [house.points["T1"]],
    ),
    "a way is known": lambda house: (
        "INSERT INTO way (stop_id, one, other, minutes) VALUES ($1, '', 'hall', 10)",
        [house.stop],
    ),
    "somebody speaks another language": lambda house: (
        "UPDATE participant SET languages = '{fr}' WHERE id = $1",
        [house.people["dave"]],
    ),
    "an interpreter does": lambda house: (
        "UPDATE interpreter SET languages = '{fr,en}' WHERE id = $1",
        [house.helpers["ivy"]],
    ),
    "two meet at another stop": lambda house: (
        "INSERT INTO meeting (id, stop_id, mission_id, session_id, delegate_id, local_id, "
        "starts_at, ends_at, point_id, interpreter_needed, schedule_number, state, revision) "
        "VALUES ($1, $2, $3, $4, $5, $6, now(), now() + interval '1 hour', $7, false, 1, "
        "'scheduled', 1)",
        [
            *(uuid4(), OTHER_STOP, house.mission, OTHER_SESSION),
            *(house.people["dora"], house.people["luo"], OTHER_POINT),
        ],
    ),
    "somebody does not come": lambda house: (
        "UPDATE participation SET is_confirmed = false WHERE participant_id = $1",
        [house.people["luo"]],
    ),
    "somebody misses a meeting": lambda house: (
        "UPDATE meeting SET state = 'no_show', delegate_attendance = 'absent', "
        "local_attendance = 'present' WHERE delegate_id = $1",
        [house.people["dora"]],
    ),
    "a meeting is cancelled": lambda house: (
        "WITH gone AS (DELETE FROM booking USING meeting WHERE meeting_id = meeting.id "
        "AND delegate_id = $1) UPDATE meeting SET state = 'cancelled' WHERE delegate_id = $1",
        [house.people["dave"]],
    ),
    "a meeting is erased": lambda house: (
        "WITH gone AS (DELETE FROM booking USING meeting WHERE meeting_id = meeting.id "
        "AND delegate_id = $1 AND meeting.stop_id = $2) "
        "DELETE FROM meeting WHERE delegate_id = $1 AND stop_id = $2",
        [house.people["dora"], house.stop],
    ),
}


async def add_other_stop(house: "House") -> None:
    """Let the mission have another stop with a session at one point."""
    made: list[tuple[str, list[Any]]] = [
        (
            "INSERT INTO stop (id, mission_id, slug, city, title, timezone, held_on, version) "
            "SELECT $1, mission_id, 'other', city, title, timezone, held_on, 1 FROM stop",
            [OTHER_STOP],
        ),
        (
            "INSERT INTO programme_item VALUES ($1, $2, $3, 'matchmaking', now(), now(), 1)",
            [OTHER_ITEM, OTHER_STOP, house.mission],
        ),
        (
            "INSERT INTO meeting_session (id, stop_id, programme_item_id, slug, starts_at, "
            "slot_minutes, slots, breaks) VALUES ($1, $2, $3, 'day', now(), 25, 4, '[]')",
            [OTHER_SESSION, OTHER_STOP, OTHER_ITEM],
        ),
        (
            "INSERT INTO meeting_point (id, stop_id, label, kind) VALUES ($1, $2, 'X', 'table')",
            [OTHER_POINT, OTHER_STOP],
        ),
    ]
    async with house.database.transaction() as connection:
        for statement, values in made:
            await connection.execute(statement, *values)


async def renewed(database: Database, kept: Kept, stop_id: UUID) -> Survey:
    async with database.reading() as connection:
        row = await stop(connection, stop_id)
    return await kept.renew(database, row)


async def anew(database: Database, stop_id: UUID) -> Survey:
    async with database.reading() as connection:
        return await survey(connection, await stop(connection, stop_id))


async def stop(connection: Connection, stop_id: UUID) -> facts.Row:
    found = await facts.stop(connection, stop_id)
    assert found is not None
    return found


def known_of(found: Survey) -> dict[str, Any]:
    """Give all that is known, wishes by what they lead to."""
    pairs = [(one, other) for one in found.people for other in found.people]
    return vars(replace(found)) | {
        "wishes": None,
        "waiting": found.waiting(),
        "refused": [pair for pair in pairs if found.is_refused(pair)],
        "room": {person: found.room(person) for person in found.people},
    }


async def test_whatever_changes_is_known_before_the_next_repair(day: Tomorrow) -> None:
    house, kept = day.house, Kept()
    await add_other_stop(house)
    await wish(house, "dora", "luo", "meet")
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))
    before = known_of(await renewed(house.database, kept, house.stop))
    for name, change in CHANGES.items():
        statement, values = change(house)
        async with house.database.transaction() as connection:
            done = await connection.execute(statement, *values)
        assert not done.endswith(" 0"), name
        found = await renewed(house.database, kept, house.stop)
        fresh = await anew(house.database, house.stop)

        assert known_of(fresh) != before, name
        before = known_of(found)
        assert known_of(fresh) == before, name
        today, chart = kept.day([], day.slot(1))
        assert said(Chart(day_of(fresh))) == said(chart), name
        assert [pair.people for pair in today.waiting] == fresh.waiting(), name


async def test_what_was_written_before_and_committed_later_is_seen(day: Tomorrow) -> None:
    house, kept = day.house, Kept()
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))
    await renewed(house.database, kept, house.stop)
    async with house.database.transaction() as early:
        await early.execute("UPDATE meeting SET locked = true WHERE state = 'scheduled'")
        async with house.database.transaction() as late:
            await late.execute("UPDATE participant SET version = version + 1")
        found = await renewed(house.database, kept, house.stop)
        assert not any(one.locked for one in found.meetings.values())
        async with house.database.transaction() as late:
            await late.execute("SELECT pg_current_xact_id()")
        await renewed(house.database, kept, house.stop)
    found = await renewed(house.database, kept, house.stop)

    assert all(one.locked for one in found.meetings.values())


async def test_what_is_the_same_is_not_read_again(
    day: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, kept = day.house, Kept()
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))
    before = await renewed(house.database, kept, house.stop)
    _, chart = kept.day([], day.slot(1))

    async def never(*_: object) -> None:
        raise AssertionError("All is read anew.")

    monkeypatch.setattr("services.matching.commands.keeping.survey", never)
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE participation SET checked_in_at = now()")
    assert await renewed(house.database, kept, house.stop) is before
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE meeting SET state = 'called'")
    after = await renewed(house.database, kept, house.stop)
    assert {one.state for one in after.meetings.values()} == {"called"}
    assert kept.day([], day.slot(1))[1] is chart
