"""Calendars follow the schedule: whoever keeps of each meeting the highest SEQUENCE has the truth.

Files and invitations come in any order and more than once, as mail does; two libraries read them.
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

from services.notify.commands.calendar import Appointment, Frame, calendar, invitation, method_of

NOW = datetime(2023, 4, 12, 1, 0, tzinfo=UTC)
FRAME = Frame(
    "Example Hall",
    ("Tradewind", "no-reply@example.org"),
    ("Sample Person", "delegate@example.org"),
    NOW,
)
MEETINGS = 4

Write = Callable[[Sequence[Appointment]], list[bytes]]


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
    told = {one.meeting_id: one.revision for one in now}
    files = [*write(now)]
    for step in [*history, None]:
        if step:
            now[step.meeting] = changed(now[step.meeting], step)
        if step is None or step.is_mailed:
            files += write([one for one in now if one.revision > told[one.meeting_id]])
            told = {one.meeting_id: one.revision for one in now}
    return files, now


def as_file(appointments: Sequence[Appointment]) -> list[bytes]:
    return [calendar(appointments, FRAME)]


def as_invitations(appointments: Sequence[Appointment]) -> list[bytes]:
    return [invitation(one, FRAME) for one in appointments]


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


WAYS = pytest.mark.parametrize("write", [as_file, as_invitations])
READERS = pytest.mark.parametrize("read", [by_icalendar, by_ical])


@WAYS
@READERS
@settings(max_examples=25, deadline=None)
@given(history=steps, order=st.randoms(use_true_random=False))
def test_what_is_mailed_folded_by_sequence_is_the_final_schedule(
    read: Callable[[bytes], dict[str, Seen]], write: Write, history: list[Step], order: Random
) -> None:
    files, final = mailed(history, write)
    shuffled = files * 2
    order.shuffle(shuffled)
    assert folded(shuffled, read) == truth(final)


@WAYS
@READERS
def test_a_sequence_that_is_not_raised_is_caught(
    read: Callable[[bytes], dict[str, Seen]], write: Write
) -> None:
    def unraised(appointments: Sequence[Appointment]) -> list[bytes]:
        return write([replace(one, revision=1) for one in appointments])

    history = [Step(0, "move", 5, True), Step(1, "cancel", 1, True)]
    files, final = mailed(history, unraised)

    def shown(seen: dict[str, Seen]) -> dict[str, Seen]:
        return {uid: replace(one, sequence=0) for uid, one in seen.items()}

    assert shown(folded(files, read)) != shown(truth(final))


@pytest.mark.parametrize("is_on", [True, False])
def test_an_invitation_is_what_rfc_5546_asks_for(is_on: bool) -> None:
    one = replace(planned(0), is_on=is_on, revision=7)
    read = Calendar.from_ical(invitation(one, FRAME))
    assert read["METHOD"] == method_of(one) == ("REQUEST" if is_on else "CANCEL")
    (event,) = read.walk("VEVENT")
    assert event["UID"] == f"{one.meeting_id}@tradewind"
    assert (event["SEQUENCE"], event["DTSTAMP"].to_ical()) == (7, b"20230412T010000Z")
    assert event["ORGANIZER"] == "mailto:no-reply@example.org"
    assert event["ATTENDEE"] == "mailto:delegate@example.org"
    assert event["ATTENDEE"].params == {"CN": "Sample Person", "RSVP": "FALSE"}
    assert event["STATUS"] == ("CONFIRMED" if is_on else "CANCELLED")
    published = Calendar.from_ical(calendar([one], FRAME))
    assert published["METHOD"] == "PUBLISH"
    assert "ATTENDEE" not in published.walk("VEVENT")[0]


names = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")) | st.sampled_from("\n;,\\"),
    max_size=90,
)


@given(name=names, native=names, place=names)
def test_both_libraries_read_any_name_and_no_line_is_too_long(
    name: str, native: str, place: str
) -> None:
    one = replace(planned(0), counterparts=((name, native),), point="T1")
    content = invitation(one, replace(FRAME, place=place, attendee=(name, "a@example.org")))
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    (event,) = Calendar.from_ical(content).walk("VEVENT")
    assert str(event["SUMMARY"]) == one.with_whom
    assert str(event["LOCATION"]) == f"T1, {place}"
    assert event["ATTENDEE"] == "mailto:a@example.org"
    (read,) = IcsCalendarStream.calendar_from_ics(content.decode()).events
    assert (read.summary or "").strip() == one.with_whom.strip()
    assert [guest.uri for guest in read.attendees] == ["mailto:a@example.org"]
