"""Calendars: meetings as a file or to subscribe to, and invitations to one (RFC 5546)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from services.notify.domain.icalendar import moment, parameter, text, written
from services.notify.domain.links import as_a_name
from services.notify.domain.mail import Method

HEAD = ("BEGIN:VCALENDAR", "PRODID:-//Tradewind//notify//EN", "VERSION:2.0")
ASKED_AGAIN = "PT5M"

Change = Literal["new", "changed", "cancelled", "known"]


@dataclass(frozen=True, slots=True)
class Appointment:
    """A meeting as one of its people sees it."""

    meeting_id: UUID
    revision: int
    change: Change
    is_on: bool
    starts_at: datetime
    ends_at: datetime
    delay_minutes: int
    point: str
    counterparts: tuple[tuple[str, str], ...]
    """Each other company: name and native name, which may be empty. An interpreter has two."""
    has_interpreter: bool

    @classmethod
    def of(
        cls, live: dict[str, Any], person_id: UUID, change: Change, *, is_on: bool
    ) -> "Appointment":
        """Read a live entry with the eyes of one person."""
        return cls(
            meeting_id=UUID(live["meeting_id"]),
            revision=live["revision"],
            change=change,
            is_on=is_on,
            starts_at=datetime.fromisoformat(live["starts_at"]),
            ends_at=datetime.fromisoformat(live["ends_at"]),
            delay_minutes=live["delay_minutes"],
            point=live["point"],
            counterparts=tuple(
                (as_a_name(party["organization"]), as_a_name(party["native_organization"] or ""))
                for party in live["parties"]
                if party["participant_id"] != str(person_id)
            ),
            has_interpreter=live["interpreter_id"] is not None,
        )

    @property
    def with_whom(self) -> str:
        """Name the other companies, each in both scripts."""
        return "; ".join(
            f"{name} ({native})" if native and native != name else name
            for name, native in self.counterparts
        )

    @property
    def begins_at(self) -> datetime:
        """Say when it begins with its delay, which does not move its end."""
        late = self.starts_at + timedelta(minutes=self.delay_minutes)
        return late if late < self.ends_at else self.starts_at


@dataclass(frozen=True, slots=True)
class Frame:
    """What all events of one mail have in common."""

    place: str
    organizer: tuple[str, str]
    """A name and an address: the sender's."""
    attendee: tuple[str, str]
    """The reader's."""
    now: datetime


def calendar(appointments: Iterable[Appointment], frame: Frame) -> bytes:
    """Write a file of any number of meetings, for nobody in particular (RFC 5546, 3.2.1)."""
    return _written("PUBLISH", appointments, frame)


def method_of(one: Appointment) -> Method:
    """Say what a calendar is asked to do with a meeting."""
    return "REQUEST" if one.is_on else "CANCEL"


def invitation(one: Appointment, frame: Frame) -> bytes:
    """Invite the reader to a meeting, tell of its change, or cancel it (RFC 5546, 3.2.2 and 3.2.5).

    To one alone: of several in one request, calendars take the first and forget the others.
    """
    return _written(method_of(one), [one], frame)


def subscription(name: str, parts: Iterable[tuple[Appointment, Frame]]) -> bytes:
    """Write a calendar that its reader asks for again and again (RFC 7986, 5.1 and 5.7)."""
    told = (
        f"NAME:{text(name)}",
        f"X-WR-CALNAME:{text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{ASKED_AGAIN}",
        f"X-PUBLISHED-TTL:{ASKED_AGAIN}",
    )
    events = (line for one, frame in parts for line in _event(one, "PUBLISH", frame))
    return written((*HEAD, "METHOD:PUBLISH", *told, *events, "END:VCALENDAR"))


def _written(method: Method, appointments: Iterable[Appointment], frame: Frame) -> bytes:
    events = (line for one in appointments for line in _event(one, method, frame))
    return written((*HEAD, f"METHOD:{method}", *events, "END:VCALENDAR"))


def _event(one: Appointment, method: Method, frame: Frame) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{one.meeting_id}@tradewind"
    yield f"SEQUENCE:{one.revision}"
    # In UTC, which leaves no doubt; mails and pages show the clock of the stop.
    yield f"DTSTAMP:{moment(frame.now)}"
    yield f"DTSTART:{moment(one.begins_at)}"
    yield f"DTEND:{moment(one.ends_at)}"
    yield f"SUMMARY:{text(one.with_whom)}"
    yield f"LOCATION:{text(f'{one.point}, {frame.place}')}"
    yield f"STATUS:{'CONFIRMED' if one.is_on else 'CANCELLED'}"
    name, address = frame.organizer
    yield f"ORGANIZER;CN={parameter(name)}:mailto:{address}"
    if method != "PUBLISH":
        name, address = frame.attendee
        # An answer would go to an address that nobody reads: the schedule is decided elsewhere.
        yield f"ATTENDEE;CN={parameter(name)};RSVP=FALSE:mailto:{address}"
    yield "END:VEVENT"
