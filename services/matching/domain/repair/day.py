"""The day as it stands, and what disturbs it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.options import Point, Taken
from services.matching.domain.ways import Ways, way


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of a session, and the session's points at one venue."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    points: tuple[Point, ...]
    venue: str = ""

    @property
    def room(self) -> tuple[UUID, str]:
        """Name what all its slots share: their points."""
        return self.session_id, self.venue


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who are to meet, or wait to, and the sessions at which both have a place."""

    delegate_id: UUID
    local_id: UUID
    session_ids: frozenset[UUID]

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two."""
        return self.delegate_id, self.local_id


@dataclass(frozen=True, slots=True)
class Absence:
    """A person, an interpreter or a point cannot be used for a time; half-open."""

    resource_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happened: who is away and when, which points are lost from when on, who is to meet."""

    absences: tuple[Absence, ...] = ()
    closings: tuple[tuple[UUID, datetime], ...] = ()
    wanted: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A stop's day as it stands.

    A meeting that starts before `movable_from` stays, and none is put there.
    """

    places: Sequence[Place]
    """In order of time."""
    meetings: Sequence[Meeting]
    """Without the cancelled ones."""
    away: Taken
    """When people and interpreters are not there, or are held by what is not in `meetings`."""
    interpreters: Mapping[UUID, frozenset[str]]
    """The languages of each."""
    languages: Mapping[UUID, frozenset[str]]
    """What each person speaks."""
    refused: Set[tuple[UUID, UUID]]
    """Pairs of a delegate and a local person of whom one does not want to meet the other."""
    waiting: Sequence[Pair]
    """Wishes without a meeting, the strongest first."""
    movable_from: datetime
    owners: Mapping[UUID, UUID] = field(default_factory=dict)
    """Whose booth a point is, where it is one company's: nobody else is put there."""
    companies: Mapping[UUID, UUID] = field(default_factory=dict)
    """Whom each person represents."""
    ways: Ways = field(default_factory=dict)


def overlaps(day: Day) -> Sequence[int]:
    """Give, for each slot, a mask of those that nobody can have beside it, itself among them.

    They overlap it, or are at another venue and too near for the way.
    """
    found = [0] * len(day.places)
    longest = longest_way(day)
    for number, one in enumerate(day.places):
        for other in range(number, len(day.places)):
            there = day.places[other]
            if there.starts_at >= one.ends_at + longest:
                break
            if there.starts_at < one.ends_at + way(day.ways, one.venue, there.venue):
                found[number] |= 1 << other
                found[other] |= 1 << number
    return found


def too_near(day: Day, spot: Spot, venue: str) -> int:
    """Give a mask of the slots at other venues that somebody does not reach from a meeting."""
    found = 0
    for number, place in enumerate(day.places):
        there = way(day.ways, venue, place.venue)
        if place.starts_at < spot.ends_at + there and spot.starts_at < place.ends_at + there:
            found |= 1 << number
    return found


def longest_way(day: Day) -> timedelta:
    """Give how long the longest way between two venues takes."""
    minutes = (minutes for there in day.ways.values() for minutes in there.values())
    return timedelta(minutes=max(minutes, default=0))


def slots_of_sessions(day: Day) -> dict[UUID, int]:
    """Give a mask of the slots of each session."""
    found: dict[UUID, int] = {}
    for number, place in enumerate(day.places):
        found[place.session_id] = found.get(place.session_id, 0) | 1 << number
    return found


def closed(day: Day) -> dict[UUID, datetime]:
    """Say from when on each point that is lost already is out of use."""
    return {p.id: p.closed_from for place in day.places for p in place.points if p.closed_from}


def closings(before: Mapping[UUID, datetime], disturbance: Disturbance) -> dict[UUID, datetime]:
    """Say from when on each lost point is out of use, those lost `before` among them."""
    found = dict(before)
    for point, at in disturbance.closings:
        found[point] = min(at, found.get(point, at))
    return found
