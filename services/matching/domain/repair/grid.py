"""The grid: the slots and points of a day by number; a mask has a bit for each slot."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Times
from services.matching.domain.repair.day import Day, longest_way, overlaps, slots_of_sessions


class Grid:
    """What of a day no meeting and no absence changes."""

    def __init__(self, day: Day) -> None:
        self.places = day.places
        self.count = len(day.places)
        self.overlap = overlaps(day)
        """For each slot those that nobody can have beside it."""
        self.is_simple = all(mask == 1 << n for n, mask in enumerate(self.overlap))
        self.sessions = slots_of_sessions(day)
        self.longest_way = longest_way(day)
        rooms = {
            place.room: {p.id: n for n, p in enumerate(place.points)}
            for place in {one.room: one for one in day.places}.values()
        }
        self.points_at = [rooms[place.room] for place in day.places]
        """The points of each slot, with their numbers there."""
        booths = {room: _booths(points, day.owners) for room, points in rooms.items()}
        self.booths = [booths[place.room] for place in day.places]
        """The points of each slot that are for one company alone, by company."""
        self.owned = [sum(masks.values()) for masks in self.booths]
        """All of those together."""
        self.open_points = [_open(number, day) for number in range(self.count)]
        """The points of each slot that are in use until it ends."""
        self._times: dict[tuple[datetime, datetime], int] = {}
        self._slots = _slots(day)
        self._venues = {
            (place.session_id, point.id): place.venue
            for place in day.places
            for point in place.points
        }

    def during(self, starts_at: datetime, ends_at: datetime) -> int:
        """Give the slots that a time touches: the same few times come again and again."""
        found = self._times.get((starts_at, ends_at))
        if found is None:
            found = self._times[starts_at, ends_at] = sum(
                1 << n
                for n, p in enumerate(self.places)
                if p.starts_at < ends_at and starts_at < p.ends_at
            )
        return found

    def touched(self, times: Times) -> int:
        """Give the slots that times touch."""
        mask = 0
        for time in times:
            mask |= self.during(*time)
        return mask

    def since(self, at: datetime) -> int:
        """Give the slots that begin at a time or later."""
        return sum(1 << n for n, place in enumerate(self.places) if place.starts_at >= at)

    def slot_of(self, meeting: Meeting) -> int | None:
        """Give the slot of a meeting at the venue of its point; None where there is none."""
        spot: Spot = meeting.spot
        for number in self._slots.get((meeting.session_id, spot.starts_at), ()):
            if spot.point_id in self.points_at[number]:
                return number
        return None

    def venue_of(self, meeting: Meeting) -> str:
        """Say at which venue a meeting is."""
        return self._venues.get((meeting.session_id, meeting.spot.point_id), "")


def _open(number: int, day: Day) -> int:
    place = day.places[number]
    return sum(1 << n for n, p in enumerate(place.points) if p.is_open_until(place.ends_at))


def _booths(points: Mapping[UUID, int], owners: Mapping[UUID, UUID]) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for point, owner in owners.items():
        if point in points:
            found[owner] = found.get(owner, 0) | 1 << points[point]
    return found


def _slots(day: Day) -> dict[tuple[UUID, datetime], list[int]]:
    found: dict[tuple[UUID, datetime], list[int]] = {}
    for number, place in enumerate(day.places):
        found.setdefault((place.session_id, place.starts_at), []).append(number)
    return found
