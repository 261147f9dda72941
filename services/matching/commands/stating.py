"""Stating the problem: what the solver is asked, from all that is known about a stop."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from services.matching.commands.handing_on import HandedOn, handed_on
from services.matching.domain.barring import Barred
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken, is_free
from services.matching.domain.problem import Candidate, FreeInterpreter, Problem, Time
from services.matching.domain.quotas import effective
from services.matching.domain.scoring import Profile, Scorer
from services.matching.domain.slots import Slot
from services.matching.domain.versions import is_fixed
from services.matching.domain.wishes import COMPANY_LANGUAGE_WORTH, Wishes
from services.matching.store import barring, facts, meetings, quotas, sessions, wishes
from shared.postgres import Connection

CANDIDATES_PER_SLOT = 3
"""How many counterparts are considered for each slot of a delegate, besides all wishes."""
CANDIDATES_OF_A_LOCAL = 3
"""And for each local participant, so that nobody is left out."""


@dataclass(frozen=True, slots=True)
class Stated:
    """The problem, and what is needed to make a version of its solution."""

    problem: Problem
    wishes: Wishes
    current: Sequence[Meeting]
    """The meetings there are."""
    met: set[frozenset[UUID]]
    """The pairs that meet already: at another stop, or here where it is not to be changed."""
    barred: Barred
    """Who must not meet."""
    handed: HandedOn
    """What staff did to the version before; what was placed there is locked among the meetings."""

    @property
    def fixed(self) -> Sequence[Meeting]:
        """Give the meetings that stay where they are."""
        return [meeting for meeting in self.current if is_fixed(meeting)]


@dataclass(frozen=True, slots=True)
class _Place:
    """A slot of a session, who may meet in it, and which points it has."""

    session_id: UUID
    slot: Slot
    people: frozenset[UUID]
    points: tuple[Point, ...]


async def state(
    connection: Connection, stop_id: UUID, mission_id: UUID, seconds_max: int
) -> Stated:
    """Read a stop and say what is to be scheduled there."""
    known = await facts.profiles(connection, stop_id)
    stated = await wishes.of_stop(connection, stop_id)
    barred = await barring.of_stop(connection, mission_id, stop_id)
    current = [m for m in await meetings.of_stop(connection, stop_id) if m.state != "cancelled"]
    handed = await handed_on(connection, stop_id, current)
    barred = replace(barred, left_out=handed.barred)
    current = handed.over(current, {"id": stop_id, "mission_id": mission_id})
    fixed = [meeting for meeting in current if is_fixed(meeting)]
    places = await _places(connection, stop_id)
    helpers = await facts.interpreters(connection, stop_id)
    resources = [
        *(person.id for person in known),
        *(helper["id"] for helper in helpers),
        *{point.id for place in places for point in place.points},
    ]
    movable = [meeting.id for meeting in current if not is_fixed(meeting)]
    movable += [entry.meeting_id for entry in handed.placed if entry.meeting_id]
    taken = handed.taken(await meetings.bookings(connection, resources, without=movable))
    met = await meetings.pairs_elsewhere(connection, mission_id, stop_id)
    met |= {frozenset(meeting.people) for meeting in fixed}
    scorer = Scorer(known, await facts.sectors(connection, mission_id))
    rules = Rules(stated, barred, met)
    candidates = _Candidates(known, scorer, rules, len(places)).chosen()
    problem = Problem(
        times=tuple(
            Time(
                session_id=place.session_id,
                starts_at=place.slot.starts_at,
                ends_at=place.slot.ends_at,
                points=tuple(
                    point.id
                    for point in place.points
                    if point.is_open_until(place.slot.ends_at)
                    and is_free(point.id, place.slot, taken)
                ),
            )
            for place in places
        ),
        candidates=tuple(_candidates(candidates, places, taken, current, rules)),
        interpreters=tuple(
            FreeInterpreter(
                id=helper["id"],
                languages=tuple(helper["languages"]),
                times=_times(places, taken, [helper["id"]]),
            )
            for helper in helpers
        ),
        meetings_before=dict(Counter(meeting.local_id for meeting in fixed)),
        seconds_max=seconds_max,
        delegate_meetings_before=dict(Counter(meeting.delegate_id for meeting in fixed)),
        quotas=effective(
            await quotas.sides(connection, stop_id),
            await quotas.parts(connection, stop_id),
            {person.id: person.side for person in known},
        ),
    )
    return Stated(problem, stated, current, met, barred, handed)


class Rules:
    """Who may meet whom at all, whatever that is worth."""

    def __init__(self, wishes_: Wishes, barred: Barred, met: set[frozenset[UUID]]) -> None:
        self.wishes = wishes_
        self._barred = barred
        self._met = met
        self._companies_met = {
            (person, barred.company_of.get(other))
            for pair in met
            for person in pair
            for other in pair - {person}
        }

    def may_meet(self, one: UUID, other: UUID) -> bool:
        """Say whether nothing stands in the way of two who could meet."""
        if self.wishes.is_refused(one, other) or self._barred.why(one, other):
            return False
        if frozenset((one, other)) in self._met:
            return False
        to, of = self.companies(one, other)
        both = {(one, of), (other, to)}
        return self.wishes.is_again(one, other) or not both & self._companies_met

    def companies(self, one: UUID, other: UUID) -> tuple[UUID | None, UUID | None]:
        """Give whom the two represent."""
        return self._barred.company_of.get(one), self._barred.company_of.get(other)


class _Candidates:
    """Chooses the pairs that are worth a thought; all pairs would be most of the search."""

    def __init__(
        self,
        known: Sequence[Profile],
        scorer: Scorer,
        rules: Rules,
        slots: int,
    ) -> None:
        self._delegates = [person for person in known if person.side == "delegation"]
        self._locals = [person for person in known if person.side == "local"]
        self._scorer = scorer
        self._rules = rules
        self._wishes = rules.wishes
        self._slots = slots

    def chosen(self) -> list[tuple[Profile, Profile, int]]:
        """Give pairs, the delegate first, with what their meeting is worth, in a stable order."""
        worth = {
            (delegate.id, other.id): (delegate, other, self._worth(delegate, other))
            for delegate in self._delegates
            for other in self._locals
            if self._is_possible(delegate, other)
        }
        ranked = sorted(worth, key=lambda pair: -worth[pair][2])
        kept: set[tuple[UUID, UUID]] = {pair for pair in ranked if self._wishes.worth(*pair)}
        of_delegate, of_local = _Counted(), _Counted()
        for pair in ranked:
            has_room = of_delegate.take(pair[0], CANDIDATES_PER_SLOT * self._slots)
            if of_local.take(pair[1], CANDIDATES_OF_A_LOCAL) or has_room:
                kept.add(pair)
        return [worth[pair] for pair in ranked if pair in kept]

    def _is_possible(self, delegate: Profile, other: Profile) -> bool:
        """Who lists nothing is matched where somebody wishes it, nowhere else."""
        pair = (delegate.id, other.id)
        if not self._rules.may_meet(*pair):
            return False
        return bool((delegate.listings and other.listings) or self._wishes.worth(*pair))

    def _worth(self, delegate: Profile, other: Profile) -> int:
        score = self._scorer.score(delegate, other).score
        worth = score + self._wishes.worth(delegate.id, other.id)
        # Of a company that is wished, whoever needs no interpreter.
        if self._wishes.is_for_a_company(delegate.id, other.id):
            worth += COMPANY_LANGUAGE_WORTH * bool(delegate.languages & other.languages)
        return worth


class _Counted(dict[UUID, int]):
    def take(self, key: UUID, most: int) -> bool:
        self[key] = self.get(key, 0) + 1
        return self[key] <= most


async def _places(connection: Connection, stop_id: UUID) -> list[_Place]:
    rows = await facts.places(connection, stop_id)
    found = []
    for session in await sessions.of_stop(connection, stop_id):
        people = frozenset(
            row["participant_id"]
            for row in rows
            if row["programme_item_id"] == session["programme_item_id"]
        )
        points = tuple(
            Point(point["id"], point["closed_from"])
            for point in await sessions.points_of(connection, session["id"])
        )
        found += [_Place(session["id"], slot, people, points) for slot in sessions.slots(session)]
    return sorted(found, key=lambda place: (place.slot.starts_at, place.session_id))


def _candidates(
    pairs: Sequence[tuple[Profile, Profile, int]],
    places: Sequence[_Place],
    taken: Taken,
    current: Sequence[Meeting],
    rules: Rules,
) -> Iterable[Candidate]:
    number = {(one.session_id, one.slot.starts_at): n for n, one in enumerate(places)}
    now = {meeting.people: meeting for meeting in current}
    for delegate, other, worth in pairs:
        pair = (delegate.id, other.id)
        meeting = now.get(pair)
        yield Candidate(
            delegate_id=delegate.id,
            local_id=other.id,
            worth=worth,
            times=_times(places, taken, pair, must_be_there=True),
            languages=(tuple(sorted(delegate.languages)), tuple(sorted(other.languages))),
            now_at=number.get((meeting.session_id, meeting.spot.starts_at)) if meeting else None,
            now_point_id=meeting.spot.point_id if meeting else None,
            now_interpreter_id=meeting.spot.interpreter_id if meeting else None,
            companies=rules.companies(*pair),
            again=rules.wishes.is_again(*pair),
        )


def _times(
    places: Sequence[_Place],
    taken: Taken,
    people: Sequence[UUID],
    *,
    must_be_there: bool = False,
) -> tuple[int, ...]:
    return tuple(
        number
        for number, place in enumerate(places)
        if (not must_be_there or place.people.issuperset(people))
        and all(is_free(person, place.slot, taken) for person in people)
    )
