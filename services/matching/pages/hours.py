"""Hours by a stop's clock: as forms show and send them, and as moments."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Moments = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Hours:
    """A time of one day, as it is typed: a date, and two times of the clock."""

    day: str
    starts: str
    ends: str

    @property
    def is_empty(self) -> bool:
        """Say whether no time was typed."""
        return not (self.starts.strip() or self.ends.strip())

    def moments(self, zone: str) -> Moments:
        """Give what is meant; 00:00 as an end is midnight. Raises `ValueError`."""
        at, clock = date.fromisoformat(self.day.strip()), ZoneInfo(zone)
        starts, ends = (time.fromisoformat(text.strip()) for text in (self.starts, self.ends))
        last = at + timedelta(days=1) if ends == time(0) else at
        found = (
            datetime.combine(at, starts, clock).astimezone(UTC),
            datetime.combine(last, ends, clock).astimezone(UTC),
        )
        if found[0] >= found[1]:
            raise ValueError("A time ends after it begins.")
        return found


def hours_of(times: Iterable[Moments], zone: str) -> list[Hours]:
    """Write times as a form shows them: one that goes over midnight is two that touch there."""
    found = []
    for starts_at, ends_at in times:
        at = starts_at.astimezone(ZoneInfo(zone))
        end = ends_at.astimezone(ZoneInfo(zone))
        while at < end:
            midnight = datetime.combine(at.date() + timedelta(days=1), time(0), ZoneInfo(zone))
            until = min(end, midnight)
            found.append(Hours(day_of(at, zone), f"{at:%H:%M}", f"{until:%H:%M}"))
            at = until
    return found


def day_of(moment: datetime, zone: str) -> str:
    """Write the day of a moment as forms send it."""
    return moment.astimezone(ZoneInfo(zone)).date().isoformat()
