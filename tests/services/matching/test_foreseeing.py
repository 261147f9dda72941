"""Days that are near are read before anybody asks for a repair, and nothing depends on it."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from threading import current_thread
from typing import TYPE_CHECKING
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.matching.commands import keeping, repairing
from services.matching.commands.aside import SWITCH_SECONDS, aside
from services.matching.commands.foreseeing import foresee
from services.matching.commands.keeping import STOPS_MAX, Days
from services.matching.commands.repairing import Asking
from services.matching.commands.surveying import Survey, survey
from services.matching.resources import Resources
from services.matching.store import facts
from shared.http import now
from shared.postgres import Connection
from tests.services.matching.test_loops import process, running
from tests.services.matching.test_repairing import Tomorrow, day

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

__all__ = ["day"]

NOON = datetime(2023, 11, 7, 4, 0, tzinfo=UTC)
"""On the day of the stop, by its own clock."""


def stop_ids(count: int) -> Sequence[UUID]:
    return [uuid4() for _ in range(count)]


async def publish(day: Tomorrow) -> None:
    await day.publish(day.entry("dora lin", 1, "T1", "ivy"), day.entry("dave luo", 1, "T2"))


async def readings(house: "House", at: datetime) -> int:
    """Look ahead at a time, and say how often the stop was read."""
    days = Days()
    await foresee(house.database, days, at)
    return days.of(house.stop).readings


async def hold_on(house: "House", on: date) -> None:
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE stop SET held_on = $1", on)


async def test_a_new_process_keeps_today_before_the_first_repair(
    day: Tomorrow, matching_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = day.house
    await publish(day)
    await hold_on(house, now().astimezone(ZoneInfo("Asia/Shanghai")).date())
    async with process(matching_url) as service:
        assert isinstance(service.resources, Resources)
        repair = service.resources.repair
        kept = repair.days.of(house.stop)

        async def is_read() -> bool:
            return kept.readings > 0

        await running(service, "foreseer", is_read)

        async def never(*_: object) -> None:
            raise AssertionError("All is read again.")

        monkeypatch.setattr(keeping, "survey", never)
        late = {
            "kind": "late",
            "person_id": house.people["dora"],
            "until": day.slot(2) + timedelta(minutes=5),
        }
        asking = Asking(house.boss, now())
        repair_id = await repairing.propose(house.database, repair, house.stop, late, asking)

    assert kept.readings == 1
    (row,) = await house.rows("SELECT proposal FROM repair WHERE id = $1", repair_id)
    assert len(row["proposal"]["touched"]) == 1


@pytest.mark.parametrize(
    ("at", "count"),
    [
        (datetime(2023, 11, 6, 9, 59, tzinfo=UTC), 0),
        (datetime(2023, 11, 6, 10, 0, tzinfo=UTC), 1),
        (datetime(2023, 11, 7, 15, 59, tzinfo=UTC), 1),
        (datetime(2023, 11, 7, 16, 0, tzinfo=UTC), 0),
    ],
    ids=["five to six", "the evening before", "till midnight", "after it"],
)
async def test_a_day_is_near_from_six_in_the_evening_before_until_it_ends(
    day: Tomorrow, at: datetime, count: int
) -> None:
    await publish(day)

    assert await readings(day.house, at) == count


async def test_only_a_stop_with_meetings_is_read(day: Tomorrow) -> None:
    assert await readings(day.house, NOON) == 0
    await publish(day)
    assert await readings(day.house, NOON) == 1
    async with day.house.database.transaction() as connection:
        await connection.execute("DELETE FROM booking")
        await connection.execute("UPDATE meeting SET state = 'cancelled'")
    assert await readings(day.house, NOON) == 0


async def test_what_changes_is_read_before_the_next_repair_too(day: Tomorrow) -> None:
    house, days = day.house, Days()
    await publish(day)
    await foresee(house.database, days, NOON)
    kept = days.of(house.stop)
    _, before = kept.day([], day.slot(1))
    await house.ask("PUT", "/api/v1/repair-rules", body={"stop_id": str(house.stop)})
    await foresee(house.database, days, NOON)
    assert (kept.readings, kept.day([], day.slot(1))[1]) == (1, before)
    async with house.database.transaction() as connection:
        await connection.execute("UPDATE participant SET languages = '{fr}'")
    await foresee(house.database, days, NOON)

    assert kept.readings == 2
    today, _ = kept.day([], day.slot(1))
    assert {*today.languages.values()} == {frozenset({"fr"})}


async def test_it_is_read_in_a_thread_while_others_are_served(
    day: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(day)
    threads = []

    async def noting(connection: Connection, stop: facts.Row) -> Survey:
        threads.append(current_thread())
        return await survey(connection, stop)

    monkeypatch.setattr(keeping, "survey", noting)
    assert await readings(day.house, NOON) == 1
    (thread,) = threads
    assert thread is not current_thread()


async def test_many_changes_are_read_as_all_is(
    day: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, days = day.house, Days()
    monkeypatch.setattr(keeping, "NEWS_MAX", 1)
    await publish(day)
    await foresee(house.database, days, NOON)
    for changed, expected in ((1, 1), (2, 2)):
        async with house.database.transaction() as connection:
            await connection.execute(
                "UPDATE meeting SET locked = NOT locked WHERE id IN "
                "(SELECT id FROM meeting ORDER BY id LIMIT $1)",
                changed,
            )
        await foresee(house.database, days, NOON)
        assert days.of(house.stop).readings == expected


async def test_whoever_is_at_a_day_is_not_waited_for(day: Tomorrow) -> None:
    house, days = day.house, Days()
    await publish(day)
    async with days.of(house.stop).turn, asyncio.timeout(60):
        await foresee(house.database, days, NOON)
    assert days.of(house.stop).readings == 0


async def test_a_day_that_cannot_be_read_holds_up_no_other_and_is_read_when_asked_for(
    day: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, days = day.house, Days()
    await publish(day)
    failures = 0

    async def failing(*_: object) -> None:
        nonlocal failures
        failures += 1
        raise ValueError("Something is odd.")

    monkeypatch.setattr(keeping, "survey", failing)
    await foresee(house.database, days, NOON)
    assert (failures, days.of(house.stop).readings) == (1, 0)
    monkeypatch.setattr(keeping, "survey", survey)
    await foresee(house.database, days, NOON)
    assert days.of(house.stop).readings == 1


async def test_an_outage_is_for_the_loop_to_wait_for(
    day: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(day)

    async def away(*_: object) -> None:
        raise asyncpg.CannotConnectNowError("The database system is starting up.")

    monkeypatch.setattr(keeping, "survey", away)
    with pytest.raises(asyncpg.CannotConnectNowError):
        await foresee(day.house.database, Days(), NOON)


def test_days_that_are_near_take_no_place_of_one_another_but_of_others() -> None:
    days, (first, second, *others) = Days(), stop_ids(STOPS_MAX)
    before = {one: days.of(one) for one in (first, second, *others)}
    days.of(first)
    near = [second, *stop_ids(STOPS_MAX)]

    # The one used last goes last.
    assert [*days.ahead(near[: STOPS_MAX - 1])] == near[: STOPS_MAX - 1]
    assert days.of(first) is before[first]
    found = days.ahead(near)
    assert [*found] == near[:STOPS_MAX]
    assert found[second] is before[second]
    assert days.ahead(near) == found


async def test_threads_take_turns_more_often_until_the_last_has_ended() -> None:
    usual = sys.getswitchinterval()
    first = asyncio.ensure_future(aside(sys.getswitchinterval))
    assert await aside(sys.getswitchinterval) == pytest.approx(SWITCH_SECONDS)
    assert await first == pytest.approx(SWITCH_SECONDS)
    assert sys.getswitchinterval() == usual
