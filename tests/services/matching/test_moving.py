import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

if TYPE_CHECKING:
    from tests.services.matching.conftest import House


def to(house: "House", slot: int, point: str = "T1", **more: Any) -> dict[str, Any]:
    return {
        "starts_at": house.slot(slot).isoformat(),
        "point_id": str(house.points[point]),
        **more,
    }


async def close(house: "House", point: str, from_slot: int) -> Any:
    path = f"/api/v1/meeting-sessions/{house.session}/points/{house.points[point]}/close"
    return await house.ask("POST", path, body={"from_slot": from_slot})


async def options(house: "House", pair: str) -> list[tuple[int, str]]:
    found = (await house.get(f"/meetings/{await house.meeting(pair)}/options"))["items"]
    slots = {house.slot(n).isoformat().replace("+00:00", "Z"): n for n in range(1, 5)}
    return [(slots[item["starts_at"]], item["point"]) for item in found]


async def test_options_are_every_free_place_the_same_slot_first(house: "House") -> None:
    await house.day()

    assert await options(house, "dora liu") == [
        (2, "T2"),
        (3, "T1"),
        (3, "T2"),
        (4, "T1"),
        (4, "T2"),
    ]
    assert (await options(house, "dave luo"))[:2] == [(2, "T2"), (3, "T1")]


async def test_every_option_can_be_taken(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora liu")
    found = (await house.get(f"/meetings/{meeting}/options?limit=3"))["items"]
    assert len(found) == 3
    for revision, item in enumerate(found, 1):
        body = {name: item[name] for name in ("starts_at", "point_id", "interpreter_id")}
        answer = await house.order(meeting, "move", revision, body)
        assert answer.status_code == 200, answer.text
        assert {name: answer.json()[name] for name in body} == body


async def test_a_meeting_that_has_begun_goes_nowhere(house: "House") -> None:
    await house.day()
    await house.order(await house.meeting("dora liu"), "start", 1)

    assert await options(house, "dora liu") == []


async def test_a_moved_meeting_is_locked_and_the_released_interpreter_is_told(
    house: "House",
) -> None:
    await house.published(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave liu", 2, "T2", "ivy")
    )
    meeting = await house.meeting("dora lin")
    answer = (await house.order(meeting, "move", 1, to(house, 2))).json()

    assert answer["locked"] is True
    assert answer["interpreter_id"] == str(house.helpers["ian"])
    (row,) = await house.rows(
        "SELECT payload FROM outbox WHERE key = $1 ORDER BY id DESC LIMIT 1", meeting
    )
    assert json.loads(row["payload"])["former_interpreter_id"] == str(house.helpers["ivy"])


async def test_the_interpreter_is_kept_when_free(house: "House") -> None:
    await house.published(house.entry("dora lin", 1, "T1", "ian"))
    answer = await house.order(await house.meeting("dora lin"), "move", 1, to(house, 3))

    assert answer.json()["interpreter_id"] == str(house.helpers["ian"])


@pytest.mark.parametrize(
    ("pair", "slot", "point", "named"),
    [
        ("dora liu", 1, "T2", ["the point", "the delegate"]),
        ("dave luo", 2, "T1", ["the point"]),
        ("dora lin", 2, "T2", ["the delegate"]),
    ],
)
async def test_what_is_taken_is_named(
    house: "House", pair: str, slot: int, point: str, named: list[str]
) -> None:
    await house.day()
    told = await house.told()
    answer = await house.order(await house.meeting(pair), "move", 1, to(house, slot, point))

    assert (answer.status_code, answer.json()["code"]) == (409, "taken")
    for what in ("the point", "the interpreter", "the delegate", "the local participant"):
        assert (what in answer.json()["detail"]) == (what in named), answer.json()["detail"]
    assert await house.told() == told


async def test_without_a_free_interpreter_the_interpreter_is_taken(house: "House") -> None:
    await house.published(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave liu", 2, "T2", "ivy")
    )
    meeting = await house.meeting("dora lin")
    named = to(house, 2, interpreter_id=str(house.helpers["ivy"]))
    answer = await house.order(meeting, "move", 1, named)
    assert (answer.status_code, "the interpreter" in answer.json()["detail"]) == (409, True)

    await house.hear((house.interpreter("ian", "ja"), 2))
    answer = await house.order(meeting, "move", 1, to(house, 2))
    assert (answer.status_code, "the interpreter" in answer.json()["detail"]) == (409, True)


@pytest.mark.parametrize("helper", ["jun", "nobody"])
async def test_an_interpreter_who_cannot_help_is_refused(house: "House", helper: str) -> None:
    await house.day()
    helper_id = str(house.helpers.get(helper, uuid4()))
    body = to(house, 3, interpreter_id=helper_id)
    answer = await house.order(await house.meeting("dora lin"), "move", 1, body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/interpreter_id"]


async def test_who_share_a_language_take_no_interpreter(house: "House") -> None:
    await house.day()
    body = to(house, 3, interpreter_id=str(house.helpers["ivy"]))

    assert (await house.order(await house.meeting("dave luo"), "move", 1, body)).status_code == 422


async def test_a_meeting_goes_to_a_slot_and_a_point_of_its_session(house: "House") -> None:
    await house.day()
    body = {"starts_at": "2023-11-07T02:01:00Z", "point_id": str(uuid4())}
    answer = await house.order(await house.meeting("dora lin"), "move", 1, body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/starts_at", "/point_id"]


async def test_a_closed_point_is_offered_and_taken_no_more(house: "House") -> None:
    await house.day()
    assert (await close(house, "T2", 3)).status_code == 200

    assert await options(house, "dora liu") == [(2, "T2"), (3, "T1"), (4, "T1")]
    meeting = await house.meeting("dora liu")
    answer = await house.order(meeting, "move", 1, to(house, 3, "T2"))
    assert (answer.status_code, answer.json()["code"]) == (409, "taken")
    assert "closed" in answer.json()["detail"]
    assert (await house.order(meeting, "move", 1, to(house, 2, "T2"))).status_code == 200


async def test_closing_a_point_names_the_meetings_to_come_and_an_earlier_closing_stays(
    house: "House",
) -> None:
    await house.published(
        house.entry("dora lin", 1, "T1", "ivy"),
        house.entry("dora liu", 2, "T1", "ivy"),
        house.entry("dora luo", 3, "T1"),
        house.entry("dave luo", 4, "T1"),
    )
    await house.order(await house.meeting("dora liu"), "start", 1)
    for from_slot in (3, 2, 4):
        answer = (await close(house, "T1", from_slot)).json()
        # Slot 3 is the first, and slot 2 holds nothing that has not begun.
        at = house.slot(2 if from_slot != 3 else 3).isoformat().replace("+00:00", "Z")
        assert (answer["point_id"], answer["closed_from"]) == (str(house.points["T1"]), at)
        assert [UUID(m["meeting_id"]) for m in answer["meetings"]] == [
            await house.meeting("dora luo"),
            await house.meeting("dave luo"),
        ]
    assert (await close(house, "T1", 5)).status_code == 422
    house.points["T9"] = uuid4()
    assert (await close(house, "T9", 1)).status_code == 404


async def test_of_two_who_move_to_one_place_at_once_one_gets_it(house: "House") -> None:
    await house.published(house.entry("dora lin", 1, "T1", "ivy"), house.entry("dave luo", 1, "T2"))
    one, other = await house.meeting("dora lin"), await house.meeting("dave luo")
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            *(house.order(meeting, "move", 1, to(house, 4)) for meeting in (one, other))
        )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    (refused,) = [answer.json() for answer in answers if answer.status_code == 409]
    assert (refused["code"], "the point" in refused["detail"]) == ("taken", True)


async def test_a_move_and_a_version_at_once_keep_the_wall(house: "House") -> None:
    await house.day()
    schedule_id = await house.proposed(
        house.entry("dora lin", 1, "T1", "ivy"), house.entry("dora liu", 4, "T1", "ivy")
    )
    meeting = await house.meeting("dora lin")
    async with asyncio.timeout(60):
        moved, published = await asyncio.gather(
            house.order(meeting, "move", 1, to(house, 4)),
            house.ask("POST", f"/api/v1/schedules/{schedule_id}/publish"),
        )

    assert sorted((moved.status_code, published.status_code)) == [200, 409]
