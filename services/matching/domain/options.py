"""Options: the places where a meeting could go, with everything it needs free."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.matching.domain.meetings import Spot
from services.matching.domain.slots import Slot
from services.matching.domain.ways import Trips, Visit

Times = Sequence[tuple[datetime, datetime]]
Taken = Mapping[UUID, Times]
"""When people, points and interpreters are taken by other meetings."""


class Placed(Protocol):
    """What has a spot and could have another: a meeting, or an entry of a version."""

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two who meet."""

    @property
    def spot(self) -> Spot:
        """Where it is now."""

    @property
    def interpreter_needed(self) -> bool:
        """Whether the two share no language."""


@dataclass(frozen=True, slots=True)
class Point:
    """A point, and from when on it is out of use."""

    id: UUID
    closed_from: datetime | None
    venue: str = ""

    def is_open_until(self, ends_at: datetime) -> bool:
        """Say whether a meeting that ends then can be held there."""
        return self.closed_from is None or ends_at <= self.closed_from


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a meeting's session has, and when other meetings take it."""

    slots: Sequence[Slot]
    points: Sequence[Point]
    helpers: Sequence[UUID]
    """Interpreters who could help, the preferred first."""
    taken: Taken
    trips: Trips = field(default_factory=Trips)

    def is_free(self, resource: UUID, slot: Slot) -> bool:
        """Say whether no other meeting takes it then."""
        return is_free(resource, slot, self.taken)

    def is_there(self, person: UUID, slot: Slot, venue: str) -> bool:
        """Say whether somebody is free then, and has time for the way."""
        visit = Visit(slot.starts_at, slot.ends_at, venue)
        return self.is_free(person, slot) and self.trips.allow(person, visit)

    def free_helpers(self, slot: Slot, venue: str) -> Iterator[UUID]:
        """Give the interpreters who can be there then."""
        return (helper for helper in self.helpers if self.is_there(helper, slot, venue))

    def by_venue(self) -> dict[str, list[Point]]:
        """Give the points of each venue."""
        found: dict[str, list[Point]] = {}
        for point in self.points:
            found.setdefault(point.venue, []).append(point)
        return found


def is_free(resource: UUID, slot: Slot, taken: Taken) -> bool:
    """Say whether a person, a point or an interpreter is free for the whole of a slot."""
    return not any(slot.overlaps(*time) for time in taken.get(resource, ()))


def free_spots(meeting: Placed, around: Surroundings) -> list[Spot]:
    """List the spots that are free for a meeting, the nearest in time first, without its own."""
    by_venue = around.by_venue()
    found = [
        Spot(slot.starts_at, slot.ends_at, point.id, helper)
        for slot in around.slots
        for venue, points in by_venue.items()
        if all(around.is_there(person, slot, venue) for person in meeting.people)
        for helper in _one_helper(meeting, around, slot, venue)
        for point in points
        if point.is_open_until(slot.ends_at) and around.is_free(point.id, slot)
    ]
    now = meeting.spot
    elsewhere = [s for s in found if (s.starts_at, s.point_id) != (now.starts_at, now.point_id)]
    return sorted(elsewhere, key=lambda spot: abs(spot.starts_at - now.starts_at))


def _one_helper(
    meeting: Placed, around: Surroundings, slot: Slot, venue: str
) -> Sequence[UUID | None]:
    """Give one interpreter who is free, nobody where none is needed, and no list without one."""
    if not meeting.interpreter_needed:
        return [None]
    return [*around.free_helpers(slot, venue)][:1]
