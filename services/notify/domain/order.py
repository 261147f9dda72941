"""Order: which meeting is next, for a person and at a table.

By what happened, not by the clock: a day that runs late is late for everybody. Only what nobody
ever called is given up by the clock, once no day runs so late. The pages' own scripts
(`meetings.js`) keep the same rules.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

Meeting = dict[str, Any]
"""A live entry."""

OVER = frozenset({"completed", "no_show", "cancelled"})
RUNNING = ("called", "in_progress")
BEGUN = frozenset({*RUNNING, "completed", "no_show"})
LATE_MAX = timedelta(minutes=30)
"""How long after its end a meeting may still be called."""
PLAYED_AFTER = timedelta(days=3)
"""Of a day so long ago what happens is all that counts: it is played through."""


def by_label(label: str) -> list[tuple[int, int, str]]:
    """Give a key that puts `T10` after `T9`."""
    parts = re.findall(r"[0-9]+|[^0-9]+", label)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def by_time(meeting: Meeting) -> tuple[str, list[tuple[int, int, str]]]:
    """Give a key that puts meetings in the order of the day."""
    return meeting["starts_at"], by_label(meeting["point"])


def is_forgotten(meeting: Meeting, now: datetime) -> bool:
    """Say whether nobody called a meeting that would be over for a while."""
    if meeting["state"] != "scheduled":
        return False
    ends_at = datetime.fromisoformat(meeting["ends_at"])
    over = now - ends_at - timedelta(minutes=meeting["delay_minutes"])
    return LATE_MAX < over < PLAYED_AFTER


def upcoming(meetings: Iterable[Meeting], now: datetime) -> Meeting | None:
    """Find the next scheduled meeting; what a later one has overtaken comes last."""
    ordered = sorted(meetings, key=by_time)
    reached = max((m["starts_at"] for m in ordered if m["state"] in BEGUN), default="")
    scheduled = [m for m in ordered if m["state"] == "scheduled" and not is_forgotten(m, now)]
    return next((m for m in scheduled if m["starts_at"] >= reached), next(iter(scheduled), None))


def running(meetings: Iterable[Meeting]) -> Meeting | None:
    """Find the meeting that people are called to, or else the one they sit in."""
    ordered = sorted(meetings, key=by_time)
    return next((m for state in RUNNING for m in ordered if m["state"] == state), None)


def next_of(meetings: Sequence[Meeting], now: datetime) -> Meeting | None:
    """Find the meeting that somebody must know of first."""
    return running(meetings) or upcoming(meetings, now)


def by_point(
    meetings: Sequence[Meeting], now: datetime
) -> list[tuple[str, Meeting | None, Meeting | None]]:
    """Give each table with what runs there and what comes next, in the order of their labels."""
    points: dict[str, list[Meeting]] = {}
    for meeting in meetings:
        points.setdefault(meeting["point"], []).append(meeting)
    return [
        (point, running(points[point]), upcoming(points[point], now))
        for point in sorted(points, key=by_label)
    ]
