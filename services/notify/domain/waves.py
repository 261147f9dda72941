"""Waves: when those who met are asked again what came of it."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.waves import WAVES

OVERDUE_MAX = timedelta(days=7)
"""A wave that is later than this is left out: the next one asks the same."""

KEPT = timedelta(days=WAVES[-1]) + OVERDUE_MAX
"""How long it stays on file who was asked: until the last wave is over, if asked at the first."""

AGAIN = timedelta(hours=1)
"""How long until a wave that was asked is looked at again, for what was noted late."""

_THE_SAME_EVENING = time(18)
_LATER = time(10)
_DAY = timedelta(days=1)


def moment(days: int, last_day: date, zone: ZoneInfo) -> datetime:
    """Say when a wave is due, by the clock of the last stop, which is held on `last_day`; UTC."""
    clock = _LATER if days else _THE_SAME_EVENING
    return datetime.combine(last_day + timedelta(days=days), clock, zone).astimezone(UTC)


def wave_due(last_day: date, zone: ZoneInfo, now: datetime) -> int | None:
    """Say which wave is to be asked, by its days; None: none is due, or it is too late for it."""
    return next(
        (
            days
            for days in WAVES
            if timedelta(0) <= now - moment(days, last_day, zone) <= OVERDUE_MAX
        ),
        None,
    )


def last_days(now: datetime) -> dict[int, tuple[date, date]]:
    """Say of each wave, by its days, between which last days of a mission it may be due now.

    A day more on either side than by UTC: no clock on earth is further away.
    """
    first, last = (now - OVERDUE_MAX).date() - _DAY, now.date() + _DAY
    return {days: (first - timedelta(days=days), last - timedelta(days=days)) for days in WAVES}
