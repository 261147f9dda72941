"""What a side says of a meeting: once it has begun, for itself, and unread by the other."""

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from shared.access import Principal
from shared.events import registration as r

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


@pytest.fixture
async def over(house: "House") -> UUID:
    """A meeting of dora and liu that was held."""
    await house.day()
    meeting = await house.meeting("dora liu")
    await house.order(meeting, "start", 1)
    await house.order(meeting, "finish", 2)
    return meeting


async def say(
    house: "House", meeting: UUID, who: Principal | None = None, **said: Any
) -> httpx2.Response:
    body = {"was_held": True, "usefulness": 4, "next_step": "follow_up", **said}
    return await house.ask("POST", f"/api/v1/meetings/{meeting}/report", who, body=body)


async def reports(house: "House", meeting: UUID, who: Principal | None = None) -> Any:
    return (await house.get(f"/meetings/{meeting}/reports", who))["items"]


async def test_each_side_says_what_it_was_and_the_last_word_counts(
    house: "House", over: UUID
) -> None:
    dora, liu = house.person("dora"), house.person("liu")
    assert (await say(house, over, dora)).status_code == 201
    await say(house, over, liu, usefulness=2, next_step="none")
    again = (await say(house, over, dora, usefulness=5, note="They call us.")).json()

    assert (again["revision"], again["side"], again["usefulness"]) == (2, "delegation", 5)
    found = await reports(house, over)
    assert [(one["side"], one["revision"]) for one in found] == [
        ("delegation", 2),
        ("delegation", 1),
        ("local", 1),
    ]
    assert await house.told(UUID(again["id"])) == ["meeting_report.submitted"] * 2


async def test_neither_side_reads_the_word_of_the_other(house: "House", over: UUID) -> None:
    await say(house, over, house.person("dora"))
    await say(house, over, house.person("liu"))
    partner = house.someone("partner_staff", partner_id=house.partner)

    for who, sides in (
        (house.person("dora"), {"delegation"}),
        (house.person("liu"), {"local"}),
        (partner, {"local"}),
        (house.boss, {"delegation", "local"}),
    ):
        assert {one["side"] for one in await reports(house, over, who)} == sides


async def test_staff_speaks_for_who_never_signs_in(house: "House", over: UUID) -> None:
    partner = house.someone("partner_staff", partner_id=house.partner)
    liu, dora = str(house.people["liu"]), str(house.people["dora"])
    assert (await say(house, over, partner, participant_id=liu)).json()["side"] == "local"
    assert (await say(house, over, partner, participant_id=dora)).status_code == 403
    assert (await say(house, over, participant_id=dora)).status_code == 201
    stranger = await say(house, over, participant_id=str(house.people["lin"]))
    assert stranger.json()["errors"][0]["pointer"] == "/participant_id"


async def test_nobody_else_says_anything(house: "House", over: UUID) -> None:
    strangers = [
        house.person("lin"),
        house.someone("door_staff"),
        house.someone("interpreter"),
        house.someone("mission_staff", mission_id=uuid4()),
        house.someone("partner_staff", partner_id=uuid4()),
    ]
    for who in strangers:
        liu = str(house.people["liu"])
        assert (await say(house, over, who, participant_id=liu)).status_code == 403
        path = f"/api/v1/meetings/{over}/reports"
        assert (await house.ask("GET", path, who)).status_code == 403


async def test_before_it_has_begun_there_is_nothing_to_say(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    await house.rows("UPDATE meeting SET starts_at = now() + '1 h', ends_at = now() + '2 h'")
    early = await say(house, meeting, house.person("dora"))
    assert (early.status_code, early.json()["code"]) == (409, "too_early")
    await house.order(meeting, "start", 1)
    assert (await say(house, meeting, house.person("dora"))).status_code == 201
    called_off = await house.meeting("dora liu")
    await house.order(called_off, "cancel", 1)
    refused = await say(house, called_off, house.person("dora"))
    assert (refused.status_code, refused.json()["code"]) == (409, "illegal_state")


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"usefulness": 6}, "/usefulness"),
        ({"usefulness": 0}, "/usefulness"),
        ({"next_step": "dinner"}, "/next_step"),
        ({"was_held": False, "next_step": None}, "/usefulness"),
        ({"was_held": False, "usefulness": None}, "/next_step"),
        ({"note": ""}, "/note"),
    ],
)
async def test_what_cannot_be_said_is_refused_with_its_field(
    house: "House", over: UUID, said: dict[str, Any], pointer: str
) -> None:
    answer = await say(house, over, house.person("dora"), **said)

    assert answer.status_code == 422
    assert pointer in [fault["pointer"] for fault in answer.json()["errors"]]


async def test_notes_are_forgotten_with_either_of_the_two(house: "House", over: UUID) -> None:
    await say(house, over, house.person("dora"), note="canary")
    erased = r.PersonErased(
        person_id=house.people["liu"], mission_id=house.mission, erased_at=house.slot(1)
    )
    await house.hear((erased, 9))

    (found,) = await reports(house, over)
    assert (found["note"], found["usefulness"]) == (None, 4)


async def test_staff_reads_the_sum_of_what_each_side_said(house: "House", over: UUID) -> None:
    held = await house.meeting("dora lin")
    await house.order(held, "start", 1)
    await say(house, over, house.person("dora"), usefulness=1)
    await say(house, over, house.person("dora"), usefulness=5)
    await say(house, held, house.person("dora"), usefulness=2, next_step="none")
    missed = {"was_held": False, "usefulness": None, "next_step": None}
    await say(house, over, house.person("liu"), **missed)
    path = f"/outcomes/feedback?mission_id={house.mission}"
    delegation, local = (await house.get(path))["sides"]

    assert (delegation["answers"], delegation["held"], delegation["usefulness"]) == (2, 2, 3.5)
    assert delegation["next_steps"] == {"follow_up": 1, "none": 1}
    assert (local["answers"], local["held"], local["usefulness"]) == (1, 0, None)
    elsewhere = await house.get(f"{path}&stop_id={uuid4()}")
    assert [one["answers"] for one in elsewhere["sides"]] == [0, 0]
    for who in (
        house.person("dora"),
        house.someone("partner_staff", partner_id=house.partner),
        house.someone("mission_staff", mission_id=uuid4()),
    ):
        assert (await house.ask("GET", f"/api/v1{path}", who)).status_code == 403
