"""Placing: when and where a stop's meetings can be, and who can be there then."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken, is_free
from services.matching.domain.problem import Pair, Rest, Span
from services.matching.domain.slots import Slot
from services.matching.domain.ways import Trips, Visit
from services.matching.store import facts, sessions
from services.matching.store import rules as store
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of a session at one venue, who may meet in it, and which points it has."""

    session_id: UUID
    slot: Slot
    people: frozenset[UUID]
    points: tuple[Point, ...]
    venue: str

    @property
    def visit(self) -> Visit:
        """Say when somebody who meets there is where."""
        return Visit(self.slot.starts_at, self.slot.ends_at, self.venue)


@dataclass(slots=True)
class Layout:
    """A stop's places, and what they have to do with one another."""

    places: Sequence[Place]
    travel_minutes: dict[str, dict[str, int]] = field(default_factory=dict)
    owners: dict[UUID, UUID] = field(default_factory=dict)
    precedences: tuple[tuple[Pair, Pair], ...] = ()
    rest: Rest | None = None
    fixed: Mapping[UUID, Sequence[Visit]] = field(default_factory=dict)
    """When people and interpreters have fixed meetings, and at which venue."""
    spans: Mapping[Pair, Span] = field(default_factory=dict)
    """When each fixed meeting is."""

    def hold(self, meetings: Sequence[Meeting]) -> None:
        """Take note of the meetings that stay where they are."""
        venues = {point.id: place.venue for place in self.places for point in place.points}
        fixed: dict[UUID, list[Visit]] = defaultdict(list)
        spans = {}
        for meeting in meetings:
            spot = meeting.spot
            spans[meeting.people] = Span(starts_at=spot.starts_at, ends_at=spot.ends_at)
            visit = Visit(spot.starts_at, spot.ends_at, venues.get(spot.point_id, ""))
            for one in filter(None, (*meeting.people, spot.interpreter_id)):
                fixed[one].append(visit)
        self.fixed, self.spans = fixed, spans

    @property
    def held(self) -> dict[UUID, tuple[Span, ...]]:
        """When people and interpreters have fixed meetings."""
        return {
            one: tuple(Span(starts_at=v.starts_at, ends_at=v.ends_at) for v in visits)
            for one, visits in self.fixed.items()
        }

    def free(self, resources: Sequence[UUID], taken: Taken) -> tuple[int, ...]:
        """Give the places, by number, at which all of these are free, the way there included."""
        trips = Trips(self.travel_minutes, self.fixed)
        return tuple(
            number
            for number, place in enumerate(self.places)
            if all(
                is_free(one, place.slot, taken) and trips.allow(one, place.visit)
                for one in resources
            )
        )

    def shared(self, pair: Pair, taken: Taken) -> tuple[int, ...]:
        """Give the places at which two may meet: both have a place there, in the order asked."""
        return tuple(
            number
            for number in self.free(pair, taken)
            if self.places[number].people.issuperset(pair)
            and self._is_in_order(pair, self.places[number].slot)
        )

    def _is_in_order(self, pair: Pair, slot: Slot) -> bool:
        """Say whether a slot keeps the order with the meetings that are fixed."""
        after = [one for one, other in self.precedences if other == pair]
        before = [other for one, other in self.precedences if one == pair]
        return all(
            self.spans[one].ends_at <= slot.starts_at for one in after if one in self.spans
        ) and all(slot.ends_at <= self.spans[one].starts_at for one in before if one in self.spans)


async def layout(connection: Connection, stop_id: UUID) -> Layout:
    """Read where and when meetings can be at a stop, and the rules for that."""
    places, owners = await _places(connection, stop_id)
    orders = await store.precedences(connection, stop_id)
    return Layout(
        places=places,
        travel_minutes=await store.minutes(connection, stop_id),
        owners=owners,
        precedences=tuple(store.pairs_of(row) for row in orders),
        rest=await store.rest(connection, stop_id),
    )


async def _places(connection: Connection, stop_id: UUID) -> tuple[list[Place], dict[UUID, UUID]]:
    rows = await facts.places(connection, stop_id)
    found: list[Place] = []
    owners: dict[UUID, UUID] = {}
    for session in await sessions.of_stop(connection, stop_id):
        people = frozenset(
            row["participant_id"]
            for row in rows
            if row["programme_item_id"] == session["programme_item_id"]
        )
        by_venue: dict[str, list[Point]] = defaultdict(list)
        for point in await sessions.points_of(connection, session["id"]):
            by_venue[point["venue"]].append(
                Point(point["id"], point["closed_from"], point["venue"])
            )
            if point["organization_id"]:
                owners[point["id"]] = point["organization_id"]
        found += [
            Place(session["id"], slot, people, tuple(points), venue)
            for venue, points in by_venue.items()
            for slot in sessions.slots(session)
        ]
    order = sorted(found, key=lambda place: (place.slot.starts_at, place.session_id, place.venue))
    return order, owners
