"""Surveying: the day of a stop as it stands, read for a repair."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from uuid import UUID

from services.matching.commands.stating import Rules
from services.matching.domain.barring import Barred
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken
from services.matching.domain.problem import DEFAULT_QUOTAS, Quota
from services.matching.domain.quotas import effective, used
from services.matching.domain.repair.day import Day, Pair, Place
from services.matching.domain.ways import Ways
from services.matching.domain.wishes import Wishes
from services.matching.store import (
    barring,
    facts,
    meetings,
    quotas,
    repairs,
    rules,
    sessions,
    wishes,
)
from shared.events.base import Side
from shared.postgres import Connection

WAITING_MAX = 200
"""How many waiting wishes are looked at, the strongest first."""


@dataclass(frozen=True, slots=True)
class Someone:
    """Who has a place among a stop's meetings."""

    side: Side
    languages: frozenset[str]


@dataclass(frozen=True)
class Survey:
    """All that is known of a stop's day."""

    places: Sequence[Place]
    meetings: Mapping[UUID, Meeting]
    """Without the cancelled ones."""
    ids: frozenset[UUID]
    """Of all meetings, the cancelled ones among them."""
    people: Mapping[UUID, Someone]
    at_sessions: Mapping[UUID, frozenset[UUID]]
    """The sessions where each has a place."""
    interpreters: Mapping[UUID, frozenset[str]]
    wishes: Wishes
    barred: Barred
    limits: Mapping[UUID, Quota]
    met_elsewhere: frozenset[frozenset[UUID]]
    away: Taken
    """When people, points and interpreters are away, or at another stop."""
    owners: Mapping[UUID, UUID]
    """Whose booth a point is."""
    ways: Ways

    @cached_property
    def counts(self) -> Counter[UUID]:
        """How many meetings each has here, by what a quota counts."""
        return used(self.meetings.values())

    @cached_property
    def _rules(self) -> Rules:
        here = {frozenset(one.people) for one in self.meetings.values()}
        return Rules(self.wishes, self.barred, here | self.met_elsewhere)

    def is_refused(self, pair: tuple[UUID, UUID]) -> bool:
        """Say whether one of two does not want the other, or they are kept apart."""
        return self.wishes.is_refused(*pair) or bool(self.barred.why(*pair))

    def room(self, person: UUID) -> int:
        """Give how many more meetings somebody could have by quota and by slots."""
        someone = self.people.get(person)
        if someone is None:
            return 0
        most = self.limits.get(person, DEFAULT_QUOTAS[someone.side]).maximum
        times = len({place.starts_at for place in self.places}) if most is None else most
        return max(0, times - self.counts[person])

    def waiting(self) -> list[tuple[UUID, UUID]]:
        """List the pairs of wishes without a meeting, the strongest first, that may have one."""
        found: dict[tuple[UUID, UUID], None] = {}
        for one, other in self._wished():
            pair = self._sided(one, other)
            if pair and self._rules.may_meet(*pair) and all(map(self.room, pair)):
                found[pair] = None
            if len(found) == WAITING_MAX:
                break
        return list(found)

    def ends_at(self) -> datetime | None:
        """Say when the last slot of the stop ends."""
        return max((place.ends_at for place in self.places), default=None)

    def pair(self, pair: tuple[UUID, UUID]) -> Pair:
        """Give two people with the sessions where both have a place."""
        nowhere: frozenset[UUID] = frozenset()
        one, other = (self.at_sessions.get(person, nowhere) for person in pair)
        return Pair(*pair, one & other)

    def _wished(self) -> Iterator[tuple[UUID, UUID]]:
        for wish in self.wishes.positive():
            yield wish.participant_id, wish.counterpart_id
        for about in self.wishes.positive_for_companies():
            for person in self.wishes.representatives(about.organization_id):
                yield about.participant_id, person

    def _sided(self, one: UUID, other: UUID) -> tuple[UUID, UUID] | None:
        """Put the delegate first; None unless the two are of both sides."""
        sides = [someone.side if (someone := self.people.get(p)) else "" for p in (one, other)]
        if sides == ["delegation", "local"]:
            return one, other
        return (other, one) if sides == ["local", "delegation"] else None


async def survey(connection: Connection, stop: facts.Row) -> Survey:
    """Read a stop's day. What changes meanwhile is seen when a repair is accepted."""
    stop_id = stop["id"]
    found = await meetings.of_stop(connection, stop_id)
    rows = await repairs.people_at(connection, stop_id)
    people = {row["id"]: Someone(row["side"], frozenset(row["languages"])) for row in rows}
    held = await sessions.of_stop(connection, stop_id)
    places, owners = await _places(connection, held)
    interpreters = {
        row["id"]: frozenset(row["languages"])
        for row in await facts.interpreters(connection, stop_id)
    }
    known = Survey(
        places=places,
        meetings={one.id: one for one in found if one.state != "cancelled"},
        ids=frozenset(one.id for one in found),
        people=people,
        at_sessions=_at_sessions(rows, held),
        interpreters=interpreters,
        wishes=await wishes.of_stop(connection, stop_id),
        barred=await barring.of_stop(connection, stop["mission_id"], stop_id),
        limits=effective(
            await quotas.sides(connection, stop_id),
            await quotas.parts(connection, stop_id),
            {person: someone.side for person, someone in people.items()},
        ),
        met_elsewhere=frozenset(
            await meetings.pairs_elsewhere(connection, stop["mission_id"], stop_id)
        ),
        away={},
        owners=owners,
        ways=await rules.minutes(connection, stop_id),
    )
    return replace(known, away=await away(connection, stop, known))


async def away(connection: Connection, stop: facts.Row, known: Survey) -> Taken:
    """Read when whoever and whatever a stop's meetings need is away, or at another stop."""
    points = {point.id for place in known.places for point in place.points}
    resources = [*known.people, *known.interpreters, *points]
    return await meetings.bookings_elsewhere(connection, resources, stop["mission_id"], stop["id"])


def day_of(known: Survey) -> Day:
    """Say a day as the search wants it, but for who waits and from when on meetings may move."""
    pairs = (one.people for one in known.meetings.values())
    return Day(
        places=known.places,
        meetings=[*known.meetings.values()],
        away=known.away,
        interpreters=known.interpreters,
        languages={person: someone.languages for person, someone in known.people.items()},
        refused={pair for pair in pairs if known.is_refused(pair)},
        waiting=(),
        movable_from=datetime.max.replace(tzinfo=UTC),
        owners=known.owners,
        companies=known.barred.company_of,
        ways=known.ways,
    )


async def _places(
    connection: Connection, held: Sequence[sessions.Row]
) -> tuple[list[Place], dict[UUID, UUID]]:
    """Read the slots of sessions with their points by venue, and whose booths these are."""
    found: list[Place] = []
    owners: dict[UUID, UUID] = {}
    for session in held:
        rows = await sessions.points_of(connection, session["id"])
        points: dict[str, list[Point]] = defaultdict(list)
        for row in rows:
            points[row["venue"]].append(Point(row["id"], row["closed_from"], row["venue"]))
        owners |= {row["id"]: row["organization_id"] for row in rows if row["organization_id"]}
        found += [
            Place(session["id"], slot.starts_at, slot.ends_at, tuple(there), venue)
            for venue, there in points.items()
            for slot in sessions.slots(session)
        ]
    return sorted(found, key=lambda place: (place.starts_at, place.room)), owners


def _at_sessions(
    rows: Sequence[repairs.Row], held: Sequence[sessions.Row]
) -> dict[UUID, frozenset[UUID]]:
    of_item: dict[UUID, list[UUID]] = defaultdict(list)
    for session in held:
        of_item[session["programme_item_id"]].append(session["id"])
    found: dict[UUID, set[UUID]] = defaultdict(set)
    for row in rows:
        found[row["id"]].update(of_item[row["item_id"]])
    return {person: frozenset(ids) for person, ids in found.items()}
