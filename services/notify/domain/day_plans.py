"""The day's plan of each person at a stop, and the version of the state it is read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.notify.domain.announcing import NOBODY
from services.notify.domain.live import Entry
from services.notify.domain.order import Meeting, by_time

LEFT_OUT = frozenset({"unscheduled", "cancelled"})
FINISHED = frozenset({"completed", "no_show"})


@dataclass(frozen=True, slots=True)
class Version:
    """Which state of a stop's day it is: two with the same number and change are the same state.

    `change` counts the changes of all meetings there, so that the higher one is the later.
    """

    number: int
    """Of the schedule; 0 before there is one."""
    change: int
    at: datetime
    """When the last change happened, or when it was looked at before there was any."""


def version_of(entries: Sequence[Entry], meetings: Sequence[Meeting], now: datetime) -> Version:
    """Say which version a stop's meetings are."""
    return Version(
        max((one["schedule_number"] for one in meetings), default=0),
        sum(one.revision for one in entries),
        max((datetime.fromisoformat(one["occurred_at"]) for one in meetings), default=now),
    )


def days_of(entries: Sequence[Entry], meetings: Sequence[Meeting]) -> dict[UUID, list[Meeting]]:
    """Give everybody's meetings in their order, also to whom none is left; `entries` are the same.

    Nobody, in whose place somebody was erased, has no day.
    """
    days: dict[UUID, list[Meeting]] = {}
    both = sorted(zip(entries, meetings, strict=True), key=lambda pair: by_time(pair[1]))
    for entry, meeting in both:
        for person in entry.people:
            day = days.setdefault(person, [])
            if meeting["state"] not in LEFT_OUT:
                day.append(meeting)
    days.pop(NOBODY, None)
    return days
