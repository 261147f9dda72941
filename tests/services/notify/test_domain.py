from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.live import Entry, Place, Position, frame
from services.notify.domain.mail import (
    ATTEMPTS_MAX,
    BACKOFF_MAX,
    backoff,
    next_attempt,
    without_addresses,
)
from services.notify.domain.order import by_label, by_point, next_of, upcoming
from shared.events.matching import MeetingMoved

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)


def meeting(state: str, starts_at: str, point: str = "T1") -> dict[str, Any]:
    starts = datetime.fromisoformat(f"2023-04-12T{starts_at}:00Z")
    return {
        "state": state,
        "starts_at": f"2023-04-12T{starts_at}:00Z",
        "ends_at": (starts + timedelta(minutes=25)).isoformat(),
        "delay_minutes": 0,
        "point": point,
    }


EARLY = datetime(2023, 4, 12, 0, 30, tzinfo=UTC)


def test_a_former_interpreter_is_concerned_and_not_one_of_the_people(world: Any) -> None:
    former = uuid4()
    event = world.meeting(
        kind=MeetingMoved, interpreter_id=world.interpreter, former_interpreter_id=former
    )
    entry = Entry.of(event)
    assert former in entry.concerned
    assert former not in entry.people
    assert world.interpreter in entry.people
    assert str(former) not in entry.live


def test_an_entry_is_one_line_with_its_type_and_no_fields_of_one_event_alone(world: Any) -> None:
    entry = Entry.of(world.meeting("called", point="T\n1"))
    assert "\n" not in entry.live
    assert entry.live.startswith('{"type":"matching.meeting.called.v1","meeting_id":')


@given(st.integers(0, 10**14), st.integers(0, 10**14))
def test_a_position_is_read_as_it_was_written(milliseconds: int, nth: int) -> None:
    position = Position("0a1b", Place(milliseconds, nth))
    assert Position.read(str(position)) == position


@pytest.mark.parametrize("text", ["", "1-2", "xyz:1-2", "ab:1-", "ab:1-2 ", "ab:１-2", "ab:-1-2"])
def test_anything_else_is_no_position(text: str) -> None:
    assert Position.read(text) is None


def test_places_are_ordered_by_number() -> None:
    assert Place.of("9-10") < Place.of("10-9") < Place.of("10-10")


def test_a_frame_is_an_event_of_an_event_stream() -> None:
    written = frame("change", Position("ab", Place(1, 2)), "{}")
    assert written == b"id: ab:1-2\nevent: change\ndata: {}\n\n"


def test_waits_double_up_to_an_hour_and_end() -> None:
    waits = [backoff(attempts) for attempts in range(1, ATTEMPTS_MAX + 1)]
    assert waits[:3] == [timedelta(seconds=5), timedelta(seconds=10), timedelta(seconds=20)]
    assert waits == sorted(waits)
    assert waits[-1] == BACKOFF_MAX
    assert next_attempt(1, NOW) == NOW + timedelta(seconds=5)
    assert next_attempt(ATTEMPTS_MAX, NOW) is None


def test_a_reason_holds_no_address_and_is_short() -> None:
    reason = without_addresses("550 <somebody@example.org>: unknown, try other@example.org " * 20)
    assert "@" not in reason
    assert reason.startswith("550 <address>: unknown")
    assert len(reason) <= 300


def test_tables_are_ordered_as_people_count() -> None:
    assert sorted(["T10", "B2", "T9", "2", "T1"], key=by_label) == ["2", "B2", "T1", "T9", "T10"]


def test_who_is_called_must_know_that_first() -> None:
    called = meeting("called", "03:00")
    assert (
        next_of([meeting("scheduled", "01:00"), meeting("in_progress", "02:00"), called], EARLY)
        is called
    )


def test_a_meeting_in_progress_comes_before_those_scheduled() -> None:
    sitting = meeting("in_progress", "02:00")
    assert next_of([meeting("scheduled", "01:00"), sitting], EARLY) is sitting


def test_what_a_later_meeting_has_overtaken_is_next_only_when_nothing_else_is() -> None:
    forgotten, after = meeting("scheduled", "01:00"), meeting("scheduled", "03:00")
    held = meeting("completed", "02:00")
    assert upcoming([forgotten, held, after], EARLY) is after
    assert upcoming([forgotten, held], EARLY) is forgotten


def test_a_cancelled_meeting_overtakes_nothing() -> None:
    waiting = meeting("scheduled", "01:00")
    assert next_of([waiting, meeting("cancelled", "02:00")], EARLY) is waiting


@pytest.mark.parametrize(
    ("since_end", "delay", "is_next"),
    [
        (timedelta(minutes=29), 0, True),
        (timedelta(minutes=31), 0, False),
        (timedelta(minutes=31), 10, True),
        (timedelta(hours=20), 0, False),
        # Days after, the day is played through: what happens is all that counts.
        (timedelta(days=1000), 0, True),
    ],
)
def test_what_nobody_called_is_not_next_for_ever(
    since_end: timedelta, delay: int, *, is_next: bool
) -> None:
    waiting = meeting("scheduled", "01:00") | {"delay_minutes": delay}
    now = datetime.fromisoformat(waiting["ends_at"]) + since_end
    assert (next_of([waiting], now) is waiting) == is_next
    assert by_point([waiting], now) == [("T1", None, waiting if is_next else None)]
    later = meeting("scheduled", "23:30")
    assert next_of([waiting, later], now) is (waiting if is_next else later)


def test_nothing_is_next_when_all_is_over() -> None:
    assert next_of([meeting("completed", "01:00"), meeting("no_show", "02:00")], EARLY) is None


def test_a_table_shows_what_runs_and_what_comes() -> None:
    sitting, then = meeting("in_progress", "01:00", "T2"), meeting("scheduled", "02:00", "T2")
    other, held = meeting("scheduled", "01:00", "T10"), meeting("completed", "01:00", "T1")
    assert by_point([other, then, sitting, held], EARLY) == [
        ("T1", None, None),
        ("T2", sitting, then),
        ("T10", None, other),
    ]
