"""Pace: how somebody's meetings follow one another."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from services.matching.domain.ground import Room
from services.matching.domain.versions import Entry


@dataclass(slots=True)
class Pace:
    """One person's day, session by session: what lies between two sessions is nobody's waiting."""

    meetings: int = 0
    breaks: int = 0
    """How often the person waits while slots go by."""
    idle_slots: int = 0
    table_changes: int = 0
    """How often the next meeting is at another point."""


def paces(entries: Iterable[Entry], rooms: Mapping[UUID, Room]) -> dict[UUID, Pace]:
    """Give the pace of everybody who has meetings."""
    numbers = {room.session_id: _numbers(room) for room in rooms.values()}
    found: dict[UUID, Pace] = defaultdict(Pace)
    for (person, session), day in _days(entries).items():
        pace = found[person]
        pace.meetings += len(day)
        for one, after in pairwise(day):
            number = numbers[session]
            waited = number[after.starts_at] - number[one.starts_at] - 1
            pace.idle_slots += waited
            pace.breaks += waited > 0
            pace.table_changes += one.point_id != after.point_id
    return dict(found)


def longest_run(day: Sequence[Entry]) -> int:
    """Count the most meetings, in order of time, without a pause between them."""
    longest = run = min(len(day), 1)
    for one, after in pairwise(day):
        run = run + 1 if one.ends_at >= after.starts_at else 1
        longest = max(longest, run)
    return longest


def _days(entries: Iterable[Entry]) -> dict[tuple[UUID, UUID], list[Entry]]:
    """Give each person's meetings of each session, in order of time."""
    found: dict[tuple[UUID, UUID], list[Entry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.starts_at):
        for person in entry.people:
            found.setdefault((person, entry.session_id), []).append(entry)
    return found


def _numbers(room: Room) -> dict[datetime, int]:
    return {slot.starts_at: number for number, slot in enumerate(room.slots)}
