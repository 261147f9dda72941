"""Waves: how long after a mission its results are asked for and counted."""

from datetime import date, datetime, time
from zoneinfo import ZoneInfo

WAVES = (0, 90, 180, 365)
"""Days after a mission's last stop: results come late (GAO-11-909)."""


def ending(held_on: date, timezone: str) -> tuple[date, datetime]:
    """Give what a mission's stops are ordered by, to find the last: its day, and when that is over.

    Of several on the last day it is the one whose clock is furthest behind.
    """
    return held_on, datetime.combine(held_on, time.max, ZoneInfo(timezone))
