"""Ground: what a version of a schedule stands on, and what can be wrong with a meeting of it."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal
from uuid import UUID

from services.matching.domain.barring import Barred
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken
from services.matching.domain.problem import DEFAULT_QUOTAS, Pair, Quota, Rest
from services.matching.domain.slots import Slot
from services.matching.domain.versions import Entry, is_changed, is_fixed
from services.matching.domain.ways import Ways, way
from services.matching.domain.wishes import Wishes
from shared.events.base import Side

SIDES: tuple[Side, Side] = ("delegation", "local")

Code = Literal[
    "fixed",
    "cancelled",
    "refused",
    "excluded",
    "vetoed",
    "left_out",
    "met_elsewhere",
    "company_met",
    "no_place",
    "closed",
    "taken",
    "not_free",
    "too_many",
    "too_far",
    "not_owner",
    "out_of_order",
    "no_rest",
]


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why one meeting of a version is not possible."""

    entry: Entry
    code: Code
    resource_id: UUID | None = None
    """What is taken or closed, or who has too many."""
    other: Entry | None = None
    """The meeting that has it at that time."""


@dataclass(frozen=True, slots=True)
class Room:
    """A session: its slots, its points in their order, and who has a place there."""

    session_id: UUID
    slots: Sequence[Slot]
    points: Mapping[UUID, Point]
    people: AbstractSet[UUID]


@dataclass(frozen=True, slots=True)
class Site:
    """Where points are, whose they are, and what is asked of the order and the pace of meetings."""

    venues: Mapping[tuple[UUID, UUID], str] = field(default_factory=dict)
    """Of each point of a session; what is not named is at the stop's own place."""
    ways: Ways = field(default_factory=dict)
    owners: Mapping[UUID, UUID] = field(default_factory=dict)
    """The companies whose booths points are."""
    precedences: Sequence[tuple[Pair, Pair]] = ()
    rest: Rest | None = None

    def venue(self, entry: Entry) -> str:
        """Say where a meeting is."""
        return self.venues.get((entry.session_id, entry.point_id), "")

    def way(self, one: Entry, other: Entry) -> timedelta:
        """Give how long it takes from the one to the other."""
        return way(self.ways, self.venue(one), self.venue(other))


@dataclass(frozen=True, slots=True)
class Ground:
    """What a version stands on: all that may have changed since it was made."""

    current: Sequence[Meeting]
    """The meetings of the stop, cancelled ones too."""
    wishes: Wishes
    barred: Barred
    elsewhere: AbstractSet[frozenset[UUID]]
    """The pairs that meet at another stop."""
    quotas: Mapping[UUID, Quota]
    """Of those for whom it is another one than by default."""
    rooms: Mapping[UUID, Room]
    taken: Taken = field(default_factory=dict)
    """When something is taken by what no version of this stop can change."""
    site: Site = field(default_factory=Site)
    since: int | None = None
    """How many interventions there had been when the version was made; None is all."""

    def meetings(self) -> dict[tuple[UUID, UUID], Meeting]:
        """Give the meetings in force, by pair."""
        return {one.people: one for one in self.current if one.state != "cancelled"}

    def fixed(self) -> dict[tuple[UUID, UUID], Meeting]:
        """Give those that no version may change, by pair."""
        return {pair: one for pair, one in self.meetings().items() if is_fixed(one, self.since)}

    def ended(self) -> set[tuple[UUID, UUID]]:
        """Give the pairs whose meeting staff ended after the version was made."""
        return {
            one.people
            for one in self.current
            if one.state == "cancelled" and is_changed(one, self.since)
        } - self.meetings().keys()

    def maximum(self, person: UUID, side: Side) -> int | None:
        """Say how many meetings somebody may have; None is any number."""
        return self.quotas.get(person, DEFAULT_QUOTAS[side]).maximum
