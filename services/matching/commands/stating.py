"""Stating the problem: what the solver is asked, from all that is known about a stop."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from uuid import UUID

from services.matching.commands.handing_on import HandedOn, handed_on
from services.matching.commands.placing import Layout, Place, layout
from services.matching.domain.barring import Barred
from services.matching.domain.candidates import Candidates
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Taken, is_free
from services.matching.domain.problem import Candidate, FreeInterpreter, Pair, Problem, Time
from services.matching.domain.quotas import effective, used
from services.matching.domain.scoring import Profile, Scorer
from services.matching.domain.versions import is_fixed
from services.matching.domain.wishes import Wishes
from services.matching.store import barring, facts, meetings, quotas, wishes
from shared.postgres import Connection


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
    found = await layout(connection, stop_id)
    found.hold(fixed)
    helpers = await facts.interpreters(connection, stop_id)
    resources = [
        *(person.id for person in known),
        *(helper["id"] for helper in helpers),
        *{point.id for place in found.places for point in place.points},
    ]
    movable = [meeting.id for meeting in current if not is_fixed(meeting)]
    movable += [entry.meeting_id for entry in handed.placed if entry.meeting_id]
    taken = handed.taken(await meetings.bookings(connection, resources, without=movable))
    met = await meetings.pairs_elsewhere(connection, mission_id, stop_id)
    met |= {frozenset(meeting.people) for meeting in fixed}
    scorer = Scorer(known, await facts.sectors(connection, mission_id))
    rules = Rules(stated, barred, met)
    counts = used(fixed)
    chosen = Candidates(known, scorer, stated, rules.may_meet).chosen(len(found.places))
    candidates = tuple(_candidates(chosen, found, taken, current, rules))
    problem = Problem(
        times=tuple(_time(place, taken) for place in found.places),
        candidates=candidates,
        interpreters=tuple(
            FreeInterpreter(
                id=helper["id"],
                languages=tuple(helper["languages"]),
                times=found.free([helper["id"]], taken),
            )
            for helper in helpers
        ),
        meetings_before={one.local_id: counts[one.local_id] for one in fixed},
        seconds_max=seconds_max,
        delegate_meetings_before={one.delegate_id: counts[one.delegate_id] for one in fixed},
        quotas=effective(
            await quotas.sides(connection, stop_id),
            await quotas.parts(connection, stop_id),
            {person.id: person.side for person in known},
        ),
        musts=_musts(stated, {one.pair for one in candidates}),
        precedences=found.precedences,
        travel_minutes=found.travel_minutes,
        owners=found.owners,
        held=found.held,
        rest=found.rest,
    )
    return Stated(problem, stated, current, met, barred, handed)


def _time(place: Place, taken: Taken) -> Time:
    return Time(
        session_id=place.session_id,
        starts_at=place.slot.starts_at,
        ends_at=place.slot.ends_at,
        points=tuple(
            point.id
            for point in place.points
            if point.is_open_until(place.slot.ends_at) and is_free(point.id, place.slot, taken)
        ),
        venue=place.venue,
    )


def _musts(stated: Wishes, possible: AbstractSet[Pair]) -> tuple[tuple[Pair, ...], ...]:
    """Give what must be and can be: of a wish for a company any one who represents it will do."""
    others = [
        (wish.participant_id, [wish.counterpart_id])
        for wish in stated.positive()
        if wish.kind == "must_meet"
    ]
    others += [
        (wish.participant_id, stated.representatives(wish.organization_id))
        for wish in stated.positive_for_companies()
        if wish.kind == "must_meet"
    ]
    found = {
        tuple(pair for one in wanted for pair in ((who, one), (one, who)) if pair in possible): None
        for who, wanted in others
    }
    # Two may wish the same, and what cannot be at all is told with the wishes unmet.
    return tuple(pairs for pairs in found if pairs)


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


def _candidates(
    pairs: Sequence[tuple[Profile, Profile, int]],
    found: Layout,
    taken: Taken,
    current: Sequence[Meeting],
    rules: Rules,
) -> Iterable[Candidate]:
    number = {
        (place.slot.starts_at, point.id): n
        for n, place in enumerate(found.places)
        for point in place.points
    }
    now = {meeting.people: meeting for meeting in current}
    for delegate, other, worth in pairs:
        pair = (delegate.id, other.id)
        meeting = now.get(pair)
        spot = meeting.spot if meeting else None
        yield Candidate(
            delegate_id=delegate.id,
            local_id=other.id,
            worth=worth,
            times=found.shared(pair, taken),
            languages=(tuple(sorted(delegate.languages)), tuple(sorted(other.languages))),
            now_at=number.get((spot.starts_at, spot.point_id)) if spot else None,
            now_point_id=spot.point_id if spot else None,
            now_interpreter_id=spot.interpreter_id if spot else None,
            companies=rules.companies(*pair),
            again=rules.wishes.is_again(*pair),
        )
