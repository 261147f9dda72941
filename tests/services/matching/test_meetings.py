from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import UUID, uuid4

import pytest

from services.matching.domain.meetings import (
    Meeting,
    Spot,
    State,
    Step,
    delayed,
    missed,
    moved,
    stepped,
)
from shared.errors import Conflict, Invalid

START = datetime(2023, 11, 7, 2, 0, tzinfo=UTC)
NOW = START + timedelta(minutes=3)
DELEGATE, LOCAL, POINT, HELPER = uuid4(), uuid4(), uuid4(), uuid4()
SPOT = Spot(START, START + timedelta(minutes=25), POINT, HELPER)
ELSEWHERE = Spot(SPOT.ends_at, SPOT.ends_at + timedelta(minutes=25), uuid4(), None)
MEETING = Meeting(
    id=uuid4(),
    stop_id=uuid4(),
    mission_id=uuid4(),
    session_id=uuid4(),
    delegate_id=DELEGATE,
    local_id=LOCAL,
    spot=SPOT,
    interpreter_needed=True,
    state="scheduled",
    revision=1,
    delay_minutes=0,
    delegate_attendance="unknown",
    local_attendance="unknown",
    locked=False,
    schedule_number=1,
    started_at=None,
    finished_at=None,
)

COMMANDS: dict[str, Callable[[Meeting], Meeting]] = {
    "call": lambda meeting: stepped(meeting, "call", NOW),
    "start": lambda meeting: stepped(meeting, "start", NOW),
    "finish": lambda meeting: stepped(meeting, "finish", NOW),
    "cancel": lambda meeting: stepped(meeting, "cancel", NOW),
    "no-show": lambda meeting: missed(meeting, [LOCAL]),
    "delay": lambda meeting: delayed(meeting, 5),
    "move": lambda meeting: moved(meeting, ELSEWHERE),
}
TABLE: dict[str, dict[str, str]] = {
    "scheduled": {
        "call": "called",
        "start": "in_progress",
        "cancel": "cancelled",
        "no-show": "no_show",
        "delay": "scheduled",
        "move": "scheduled",
    },
    "called": {
        "start": "in_progress",
        "cancel": "cancelled",
        "no-show": "no_show",
        "delay": "called",
        "move": "scheduled",
    },
    "in_progress": {"finish": "completed"},
    "completed": {},
    "no_show": {},
    "cancelled": {},
}
"""State, command, state after; what is not listed is refused."""


def test_the_table_names_every_state_and_step() -> None:
    assert set(TABLE) == set(get_args(State))
    assert set(get_args(Step)) < set(COMMANDS)


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_leads_where_the_table_says_or_is_refused(state: State, command: str) -> None:
    meeting = replace(MEETING, state=state)

    if command in TABLE[state]:
        changed = COMMANDS[command](meeting)
        assert changed.state == TABLE[state][command]
        assert (changed.id, changed.people) == (meeting.id, meeting.people)
    else:
        with pytest.raises(Conflict) as refused:
            COMMANDS[command](meeting)
        assert refused.value.code == "illegal_state"


def test_starting_and_finishing_leave_their_times_and_who_was_there() -> None:
    started = stepped(MEETING, "start", NOW)
    finished = stepped(started, "finish", NOW + timedelta(minutes=20))

    assert (started.started_at, started.finished_at) == (NOW, None)
    assert (finished.started_at, finished.finished_at) == (NOW, NOW + timedelta(minutes=20))
    assert {finished.delegate_attendance, finished.local_attendance} == {"present"}


@pytest.mark.parametrize(
    ("absent", "attendance"),
    [
        ([LOCAL], ("present", "absent")),
        ([DELEGATE], ("absent", "present")),
        ([LOCAL, DELEGATE], ("absent", "absent")),
        ([LOCAL, LOCAL], ("present", "absent")),
    ],
)
def test_a_no_show_says_who_came(absent: list[UUID], attendance: tuple[str, str]) -> None:
    changed = missed(MEETING, absent)

    assert (changed.delegate_attendance, changed.local_attendance) == attendance


def test_only_the_two_who_meet_can_be_absent() -> None:
    with pytest.raises(Invalid) as refused:
        missed(MEETING, [LOCAL, HELPER])

    assert [fault.pointer for fault in refused.value.faults] == ["/absent/1"]


def test_a_delay_is_absolute_and_leaves_something_of_the_meeting() -> None:
    assert delayed(delayed(MEETING, 10), 5).delay_minutes == 5
    assert delayed(MEETING, 24).spot == SPOT
    with pytest.raises(Invalid):
        delayed(MEETING, 25)


def test_a_moved_meeting_stays_where_it_was_put() -> None:
    called = replace(MEETING, state="called", delay_minutes=5)
    changed = moved(called, ELSEWHERE)

    assert (changed.spot, changed.locked, changed.delay_minutes) == (ELSEWHERE, True, 0)


def test_a_meeting_holds_its_people_its_point_and_its_interpreter() -> None:
    assert set(MEETING.resources) == {DELEGATE, LOCAL, POINT, HELPER}
    without = replace(MEETING, spot=replace(SPOT, interpreter_id=None))
    assert set(without.resources) == {DELEGATE, LOCAL, POINT}
