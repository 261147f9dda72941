"""Calendars: somebody's meetings at a stop as iCalendar (RFC 5545, method of RFC 5546)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, vCalAddress

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
    counterparts: tuple[tuple[str, str | None], ...]
    """Each other company: name and native name. An interpreter has two."""
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
                (party["organization"], party["native_organization"])
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


@cache
def _zone(name: str) -> Timezone:
    return Timezone.from_tzid(name)


def calendar(
    appointments: Sequence[Appointment],
    zone: str,
    place: str,
    organizer: tuple[str, str],
    now: datetime,
) -> bytes:
    """Write the calendar; `organizer` is a name and an address.

    PUBLISH, as it holds several meetings: a REQUEST is about one (RFC 5546, 3.2.1 and 3.2.2).
    """
    book = Calendar()
    book.add("prodid", "-//Tradewind//notify//EN")
    book.add("version", "2.0")
    book.add("method", "PUBLISH")
    book.add_component(_zone(zone))
    local = ZoneInfo(zone)
    for one in appointments:
        event = Event()
        event.add("uid", f"{one.meeting_id}@tradewind")
        event.add("sequence", one.revision)
        event.add("dtstamp", now)
        event.add("dtstart", one.begins_at.astimezone(local))
        event.add("dtend", one.ends_at.astimezone(local))
        event.add("summary", one.with_whom)
        event.add("location", f"{one.point}, {place}")
        event.add("status", "CONFIRMED" if one.is_on else "CANCELLED")
        address = vCalAddress(f"mailto:{organizer[1]}")
        address.params["cn"] = organizer[0]
        event.add("organizer", address)
        book.add_component(event)
    written: bytes = book.to_ical()
    return written
