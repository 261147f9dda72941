"""Calendars follow the schedule: whoever keeps of each meeting the highest SEQUENCE has the truth.

Files come in any order and more than once, as mail does; two libraries read them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ical.calendar_stream import IcsCalendarStream
from icalendar import Calendar

from services.notify.commands.calendar import Appointment, calendar

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)
ORGANIZER = ("Tradewind", "no-reply@example.org")
MEETINGS = 4

Write = Callable[[Sequence[Appointment]], bytes]


@dataclass(frozen=True)
class Seen:
    """A meeting as a calendar shows it."""

    sequence: int
    begins_at: datetime
    ends_at: datetime
    is_on: bool
    place: str


@dataclass(frozen=True)
class Step:
    """One change of one meeting, and whether its mail goes out before the next change."""

    meeting: int
    what: str
    minutes: int
    is_mailed: bool


steps = st.lists(
    st.builds(
        Step,
        st.integers(0, MEETINGS - 1),
        st.sampled_from(["move", "delay", "table", "cancel", "revive"]),
        st.integers(1, 20),
        st.booleans(),
    ),
    max_size=8,
)


def planned(number: int) -> Appointment:
    starts_at = NOW + timedelta(minutes=30 * number)
    return Appointment(
        meeting_id=UUID(int=number + 1),
        revision=1,
        change="new",
        is_on=True,
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=25),
        delay_minutes=0,
        point=f"T{number}",
        counterparts=(("Sample Wind Co., Ltd.", "样例风电有限公司"),),
        has_interpreter=False,
    )


def changed(one: Appointment, step: Step) -> Appointment:
    later = replace(one, revision=one.revision + 1)
    if step.what == "move":
        by = timedelta(minutes=step.minutes)
        return replace(later, starts_at=one.starts_at + by, ends_at=one.ends_at + by)
    if step.what == "delay":
        return replace(later, delay_minutes=step.minutes)
    if step.what == "table":
        return replace(later, point=f"T{10 + step.minutes}")
    return replace(later, is_on=step.what == "revive")


def mailed(history: Iterable[Step], write: Write) -> tuple[list[bytes], list[Appointment]]:
    """Give the files of a history, and what is true at its end."""
    now = [planned(number) for number in range(MEETINGS)]
    files = [write(now)]
    for step in history:
        now[step.meeting] = changed(now[step.meeting], step)
        if step.is_mailed:
            files.append(write(now))
    files.append(write(now))
    return files, now


def written(appointments: Sequence[Appointment]) -> bytes:
    return calendar(appointments, "Asia/Shanghai", "Example Hall", ORGANIZER, NOW)


def by_icalendar(content: bytes) -> dict[str, Seen]:
    events: Sequence[Any] = Calendar.from_ical(content).walk("VEVENT")
    return {
        str(event["UID"]): Seen(
            int(event["SEQUENCE"]),
            event["DTSTART"].dt.astimezone(UTC),
            event["DTEND"].dt.astimezone(UTC),
            str(event["STATUS"]) == "CONFIRMED",
            str(event["LOCATION"]),
        )
        for event in events
    }


def by_ical(content: bytes) -> dict[str, Seen]:
    read = IcsCalendarStream.calendar_from_ics(content.decode())
    found = {}
    for event in read.events:
        assert isinstance(event.dtstart, datetime)
        assert isinstance(event.dtend, datetime)
        assert event.uid
        found[event.uid] = Seen(
            event.sequence or 0,
            event.dtstart.astimezone(UTC),
            event.dtend.astimezone(UTC),
            event.status == "CONFIRMED",
            event.location or "",
        )
    return found


def folded(files: Iterable[bytes], read: Callable[[bytes], dict[str, Seen]]) -> dict[str, Seen]:
    """Keep of each meeting what a calendar keeps (RFC 5546, 2.1.5): the highest sequence."""
    kept: dict[str, Seen] = {}
    for content in files:
        for uid, seen in read(content).items():
            if uid not in kept or seen.sequence > kept[uid].sequence:
                kept[uid] = seen
    return kept


def truth(appointments: Iterable[Appointment]) -> dict[str, Seen]:
    return {
        f"{one.meeting_id}@tradewind": Seen(
            one.revision,
            one.begins_at,
            one.ends_at,
            one.is_on,
            f"{one.point}, Example Hall",
        )
        for one in appointments
    }


@pytest.mark.parametrize("read", [by_icalendar, by_ical])
@settings(max_examples=25, deadline=None)
@given(history=steps, order=st.randoms(use_true_random=False))
def test_files_folded_by_sequence_are_the_final_schedule(
    read: Callable[[bytes], dict[str, Seen]], history: list[Step], order: Random
) -> None:
    files, final = mailed(history, written)
    shuffled = files * 2
    order.shuffle(shuffled)
    assert folded(shuffled, read) == truth(final)


@pytest.mark.parametrize("read", [by_icalendar, by_ical])
def test_a_sequence_that_is_not_raised_is_caught(
    read: Callable[[bytes], dict[str, Seen]],
) -> None:
    def unraised(appointments: Sequence[Appointment]) -> bytes:
        return written([replace(one, revision=1) for one in appointments])

    history = [Step(0, "move", 5, True), Step(1, "cancel", 1, True)]
    files, final = mailed(history, unraised)

    def shown(seen: dict[str, Seen]) -> dict[str, Seen]:
        return {uid: replace(one, sequence=0) for uid, one in seen.items()}

    assert shown(folded(files, read)) != shown(truth(final))
