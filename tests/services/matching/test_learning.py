from collections.abc import Callable
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from services.matching.store import facts
from shared.events import registration as r
from shared.events.base import Bilingual, Event
from shared.log.records import Record

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

LEAVING = [r.ParticipantCancelled, r.ParticipantRejected, r.ParticipantWaitlisted]


async def place(house: "House", name: str) -> Any:
    (row,) = await house.rows(
        "SELECT is_confirmed, checked_in_at, version FROM participation WHERE participant_id = $1",
        house.people[name],
    )
    return row


def arrived(house: "House", name: str) -> r.ParticipantCheckedIn:
    at = house.slot(1)
    return r.ParticipantCheckedIn(**house.about(name), checked_in_at=at)


def not_arrived(house: "House", name: str, *, has_place: bool = True) -> Event:
    return r.CheckInRetracted(
        **house.about(name),
        checked_in_at=house.slot(1),
        undone_at=house.slot(2),
        has_place=has_place,
    )


async def test_people_stops_and_interpreters_are_learned_from_events(house: "House") -> None:
    async with house.database.reading() as connection:
        people = {p.id: p for p in await facts.profiles(connection, house.stop)}
        sectors = await facts.sectors(connection, house.mission)
    lin = people[house.people["lin"]]

    assert set(people) == set(house.people.values())
    assert lin.side == "local"
    assert set(lin.languages | lin.sectors) == {"zh", "batteries"}
    assert sectors["hydrogen"].zh == "氢能"
    found = (await house.get(f"/interpreters?stop_id={house.stop}"))["items"]
    assert {one["id"] for one in found} == {str(helper) for helper in house.helpers.values()}


async def test_staff_who_do_not_interpret_are_nobody_here(house: "House") -> None:
    door = house.interpreter("doorman").model_copy(update={"role": "door_staff"})
    await house.hear((door, 1))

    assert len(await house.rows("SELECT FROM interpreter")) == 3


async def test_a_record_that_comes_twice_has_one_effect(
    house: "House", written: Callable[[Event, int], Record]
) -> None:
    await house.day()
    leaving = written(r.ParticipantCancelled(**house.about("lin")), 2)
    await house.hear_records(leaving, leaving)

    meeting = await house.meeting("dora lin")
    assert await house.told(meeting) == ["meeting.scheduled", "meeting.cancelled"]


@pytest.mark.parametrize("leaving", LEAVING)
async def test_a_place_lost_is_not_given_back_by_an_older_event(
    house: "House", leaving: type[Any]
) -> None:
    await house.hear((leaving(**house.about("lin")), 3), (house.confirmed("lin"), 2))

    assert (await place(house, "lin"))["is_confirmed"] is False
    path = f"/recommendations?stop_id={house.stop}&participant_id={house.people['lin']}"
    assert (await house.ask("GET", f"/api/v1{path}")).status_code == 404


async def test_a_newer_confirmation_wins_over_an_older_cancellation(house: "House") -> None:
    await house.day()
    renewed = house.confirmed("lin", languages=("zh", "en"))
    await house.hear((renewed, 3), (r.ParticipantCancelled(**house.about("lin")), 2))

    assert (await place(house, "lin"))["is_confirmed"] is True
    assert (await house.states())["dora lin"] == "scheduled"
    (row,) = await house.rows(
        "SELECT languages FROM participant WHERE id = $1", house.people["lin"]
    )
    assert row["languages"] == ["zh", "en"]


async def test_a_person_who_is_told_of_again_has_the_other_company_and_keeps_everything(
    house: "House",
) -> None:
    await house.day()
    await house.hear((arrived(house, "lin"), 2))
    kept = r.OrganizationFacts(
        organization_id=uuid4(), name="Kept Co.", country="CN", sectors=("batteries",)
    )
    again = house.confirmed("lin", organization=kept, is_correction=True)
    await house.hear((again, 3))
    await house.hear((house.confirmed("lin"), 1))

    (row,) = await house.rows(
        "SELECT organization_id, organization, native_organization FROM participant WHERE id = $1",
        house.people["lin"],
    )
    assert tuple(row) == (kept.organization_id, "Kept Co.", None)
    assert (await place(house, "lin"))["checked_in_at"] == house.slot(1)
    assert (await house.states())["dora lin"] == "scheduled"
    assert await house.told(await house.meeting("dora lin")) == ["meeting.scheduled"]


async def test_facts_that_are_older_than_those_known_are_passed_over(house: "House") -> None:
    old = house.stop_planned().model_copy(update={"timezone": "UTC"})
    moved = house.item_planned(starts_at=house.slot(2))
    ivy = house.interpreter("ivy", "fr")
    await house.hear((old, 1), (moved, 0), (ivy, 1))
    await house.hear((house.confirmed("lin", languages=("fr",)), 1))

    (row,) = await house.rows(
        "SELECT timezone, item.starts_at FROM stop "
        "JOIN programme_item AS item ON item.stop_id = stop.id"
    )
    assert (row["timezone"], row["starts_at"]) == ("Asia/Shanghai", house.slot(1))
    assert not await house.rows("SELECT FROM interpreter WHERE 'fr' = ANY(languages)")
    assert not await house.rows("SELECT FROM participant WHERE 'fr' = ANY(languages)")


async def test_events_of_different_keys_come_in_any_order(bare: "House") -> None:
    title = Bilingual(en="Sample", zh="示例")
    await bare.hear(
        (arrived(bare, "lin"), 2),
        (bare.confirmed("lin"), 1),
        (bare.item_planned(title=title), 1),
        (bare.stop_planned(), 1),
    )
    path = f"/recommendations?stop_id={bare.stop}&participant_id={bare.people['lin']}"

    assert (await place(bare, "lin"))["checked_in_at"] == bare.slot(1)
    assert (await bare.get(path))["items"] == []


async def test_what_is_heard_of_later_than_the_people_is_in_recommendations_too(
    house: "House",
) -> None:
    async def seen() -> list[Any]:
        path = f"/recommendations?stop_id={house.stop}&participant_id={house.people['luo']}"
        found: list[Any] = (await house.get(path))["items"]
        return found

    later = uuid4()
    await house.hear((r.ParticipantCancelled(**house.about("dora")), 2))
    await house.hear((house.confirmed("dora", programme_item_id=later), 3))
    assert len(await seen()) == 1

    await house.hear((house.item_planned(programme_item_id=later), 1))
    assert len(await seen()) == 2

    named = r.MissionAnnounced(
        mission_id=house.mission,
        slug="sample",
        title=Bilingual(en="Sample Mission", zh="示例代表团"),
        starts_on=date(2023, 11, 6),
        ends_on=date(2023, 11, 11),
        sectors={"hydrogen": Bilingual(en="Fuel cells", zh="燃料电池")},
    )
    await house.hear((named, 2))
    assert "Fuel cells" in (await seen())[0]["reasons"][0]["en"]


async def test_who_cancels_is_not_here_any_more_and_comes_back_as_not_arrived(
    house: "House",
) -> None:
    await house.hear((arrived(house, "lin"), 2))
    assert (await place(house, "lin"))["checked_in_at"] is not None

    await house.hear((r.ParticipantCancelled(**house.about("lin")), 3))
    await house.hear((house.confirmed("lin"), 4), (arrived(house, "lin"), 2))
    row = await place(house, "lin")
    assert (row["is_confirmed"], row["checked_in_at"]) == (True, None)


async def test_a_check_in_that_is_taken_back_is_none_whatever_comes_again(
    house: "House", written: Callable[[Event, int], Record]
) -> None:
    await house.day()
    there = written(arrived(house, "lin"), 2)
    undone = written(not_arrived(house, "lin"), 3)
    await house.hear_records(there, undone, undone, there)

    row = await place(house, "lin")
    assert (row["is_confirmed"], row["checked_in_at"], row["version"]) == (True, None, 3)
    assert (await house.states())["dora lin"] == "scheduled"

    await house.hear((arrived(house, "lin"), 4))
    await house.hear_records(undone)
    assert (await place(house, "lin"))["checked_in_at"] == house.slot(1)


async def test_a_check_in_that_is_taken_back_before_it_is_heard_of_is_none(house: "House") -> None:
    await house.hear((not_arrived(house, "lin"), 3), (arrived(house, "lin"), 2))

    row = await place(house, "lin")
    assert (row["is_confirmed"], row["checked_in_at"]) == (True, None)


async def test_what_is_taken_back_after_a_cancellation_gives_no_place_back(house: "House") -> None:
    await house.day()
    await house.hear((not_arrived(house, "lin", has_place=False), 4))
    await house.hear((r.ParticipantCancelled(**house.about("lin")), 3))

    assert (await place(house, "lin"))["is_confirmed"] is False
    assert (await house.states())["dora lin"] == "cancelled"


async def test_who_cancels_loses_the_meetings_to_come_and_all_are_told(house: "House") -> None:
    await house.published(
        house.entry("dora lin", 1, "T1", "ivy"),
        house.entry("dora liu", 2, "T1", "ivy"),
        house.entry("dora luo", 3),
        house.entry("dave luo", 1, "T2"),
    )
    await house.order(await house.meeting("dora lin"), "start", 1)
    await house.order(await house.meeting("dora liu"), "call", 1)
    await house.hear((r.ParticipantCancelled(**house.about("dora")), 2))

    assert await house.states() == {
        "dora lin": "in_progress",
        "dora liu": "cancelled",
        "dora luo": "cancelled",
        "dave luo": "scheduled",
    }
    (row,) = await house.rows(
        "SELECT sequence, payload FROM outbox WHERE key = $1 ORDER BY id DESC LIMIT 1",
        await house.meeting("dora liu"),
    )
    assert row["sequence"] == 3
    assert '"cancelled"' in row["payload"].decode()
    held = await house.rows(
        "SELECT FROM booking WHERE resource_id = $1 AND lower(during) > $2",
        house.people["dora"],
        house.slot(1) + timedelta(minutes=1),
    )
    assert held == []


async def test_who_leaves_another_item_keeps_the_meetings(house: "House") -> None:
    await house.day()
    dinner = house.about("lin") | {"programme_item_id": house.partner, "item_kind": "reception"}
    await house.hear((r.ParticipantCancelled(**dinner), 2))

    assert (await house.states())["dora lin"] == "scheduled"
