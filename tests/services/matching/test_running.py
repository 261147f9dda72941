import asyncio
import json
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    from tests.services.matching.conftest import House

LATE = {"minutes": 5}
COMMANDS: dict[str, tuple[list[str], Any, str, str]] = {
    "call": ([], None, "called", "called"),
    "start": (["call"], None, "in_progress", "started"),
    "finish": (["start"], None, "completed", "finished"),
    "cancel": ([], None, "cancelled", "cancelled"),
    "delay": ([], LATE, "scheduled", "delayed"),
    "no-show": (["call"], "lin", "no_show", "missed"),
    "move": ([], "T2", "scheduled", "moved"),
}
"""Command, what comes before it, its body, the state after it, and what is told."""


def body_of(house: "House", body: Any) -> Any:
    if body == "lin":
        return {"absent": [str(house.people["lin"])]}
    if body == "T2":
        return {"starts_at": house.slot(3).isoformat(), "point_id": str(house.points["T2"])}
    return body


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_makes_one_revision_and_one_event(house: "House", command: str) -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    before, body, state, told = COMMANDS[command]
    for revision, step in enumerate(before, 1):
        assert (await house.order(meeting, step, revision)).status_code == 200
    revision = len(before) + 1
    answer = await house.order(meeting, command, revision, body_of(house, body))

    assert answer.status_code == 200, answer.text
    shown = answer.json()
    assert (shown["state"], shown["revision"]) == (state, revision + 1)
    assert answer.headers["ETag"] == f'"{revision + 1}"'
    read = await house.ask("GET", f"/api/v1/meetings/{meeting}")
    assert (read.json(), read.headers["ETag"]) == (shown, answer.headers["ETag"])
    rows = await house.rows(
        "SELECT type, sequence, topic, payload FROM outbox WHERE key = $1 ORDER BY id", meeting
    )
    assert [row["sequence"] for row in rows] == list(range(1, revision + 2))
    assert (rows[-1]["topic"], rows[-1]["type"]) == ("matching", f"matching.meeting.{told}.v1")
    event = json.loads(rows[-1]["payload"])
    same = ("state", "revision", "starts_at", "delay_minutes", "point", "interpreter_id")
    assert {name: event[name] for name in same} == {name: shown[name] for name in same}
    assert event["parties"] == shown["parties"]


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_needs_the_revision_it_was_decided_on(house: "House", command: str) -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    path, body = f"/api/v1/meetings/{meeting}/{command}", body_of(house, COMMANDS[command][1])
    told = await house.told()

    missing = await house.ask("POST", path, body=body)
    garbled = await house.ask("POST", path, body=body, If_Match="W/one")
    stale = await house.order(meeting, command, 2, body)

    assert (missing.status_code, missing.json()["code"]) == (428, "revision_needed")
    assert (garbled.status_code, garbled.json()["code"]) == (400, "malformed")
    assert (stale.status_code, stale.json()["code"]) == (412, "stale_revision")
    assert await house.told() == told


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_that_the_state_forbids_changes_nothing(
    house: "House", command: str
) -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    await house.order(meeting, "start", 1)
    await house.order(meeting, "finish", 2)
    answer = await house.order(meeting, command, 3, body_of(house, COMMANDS[command][1]))

    assert (answer.status_code, answer.json()["code"]) == (409, "illegal_state")
    assert await house.told(meeting) == [
        "meeting.scheduled",
        "meeting.started",
        "meeting.finished",
    ]


async def test_a_command_for_no_meeting_finds_none(house: "House") -> None:
    assert (await house.order(uuid4(), "call", 1)).status_code == 404
    assert (await house.order(uuid4(), "move", 1, body_of(house, "T2"))).status_code == 404


@pytest.mark.parametrize(
    ("command", "body", "pointer"),
    [
        ("no-show", {"absent": [str(uuid4())]}, "/absent/0"),
        ("no-show", {"absent": []}, "/absent"),
        ("delay", {"minutes": 25}, "/minutes"),
        ("delay", {"minutes": 0}, "/minutes"),
    ],
)
async def test_a_body_that_cannot_be_is_named(
    house: "House", command: str, body: Any, pointer: str
) -> None:
    await house.day()
    answer = await house.order(await house.meeting("dora lin"), command, 1, body)

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]


async def test_of_commands_given_at_once_one_wins(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    async with asyncio.timeout(60):
        answers = await asyncio.gather(
            house.order(meeting, "start", 1),
            house.order(meeting, "cancel", 1),
            house.order(meeting, "delay", 1, LATE),
            house.order(meeting, "call", 1),
            house.order(meeting, "move", 1, body_of(house, "T2")),
        )

    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412, 412]
    assert len(await house.told(meeting)) == 2


async def test_a_cancelled_meeting_holds_nothing_any_more(house: "House") -> None:
    await house.day()
    await house.order(await house.meeting("dora lin"), "cancel", 1)
    to = {"starts_at": house.slot(1).isoformat(), "point_id": str(house.points["T1"])}
    answer = await house.order(await house.meeting("dora liu"), "move", 1, to)

    assert (answer.status_code, answer.json()["point"]) == (200, "T1")


async def test_what_a_no_show_says_is_read_back(house: "House") -> None:
    await house.day()
    meeting = await house.meeting("dora lin")
    await house.order(meeting, "no-show", 1, body_of(house, "lin"))
    parties = (await house.get(f"/meetings/{meeting}"))["parties"]

    assert [(p["side"], p["attendance"]) for p in parties] == [
        ("delegation", "present"),
        ("local", "absent"),
    ]
