"""Fitting: which meetings of a version are not possible by now, and what is in their way."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from services.matching.domain.barring import Barred
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken
from services.matching.domain.problem import DEFAULT_QUOTAS, Quota
from services.matching.domain.slots import Slot
from services.matching.domain.versions import Entry, is_fixed
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

    def meetings(self) -> dict[tuple[UUID, UUID], Meeting]:
        """Give the meetings in force, by pair."""
        return {one.people: one for one in self.current if one.state != "cancelled"}

    def fixed(self) -> dict[tuple[UUID, UUID], Meeting]:
        """Give those that no version may change, by pair."""
        return {pair: one for pair, one in self.meetings().items() if is_fixed(one)}

    def maximum(self, person: UUID, side: Side) -> int | None:
        """Say how many meetings somebody may have; None is any number."""
        return self.quotas.get(person, DEFAULT_QUOTAS[side]).maximum


def misfits(entries: Sequence[Entry], ground: Ground) -> list[Misfit]:
    """List what stands against putting a version in force.

    Only what it would change is looked at; a pair kept apart by now must not stay either.
    """
    now, fixed = ground.meetings(), ground.fixed()
    changed = [
        entry
        for entry in entries
        if (meeting := now.get(entry.people)) is None or meeting.spot != entry.spot
    ]
    found = [Misfit(entry, "fixed") for entry in changed if entry.people in fixed]
    changed = [entry for entry in changed if entry.people not in fixed]
    ids = {meeting.id for meeting in now.values()}
    for entry in changed:
        if entry.meeting_id and entry.meeting_id not in ids:
            found.append(Misfit(entry, "cancelled"))
        if ground.wishes.is_refused(*entry.people):
            found.append(Misfit(entry, "refused"))
        found += _places(entry, ground)
    for entry in entries:
        if entry.people not in fixed and (why := ground.barred.why(*entry.people)):
            found.append(Misfit(entry, why))
    whole = [*entries, *(as_entry(fixed[pair]) for pair in fixed.keys() - _pairs(entries))]
    added = [entry for entry in changed if entry.people not in now]
    return [*found, *_too_many(added, whole, ground), *_clashes(changed, whole, ground)]


def misfits_of(entry: Entry, others: Sequence[Entry], ground: Ground) -> list[Misfit]:
    """List what stands against one meeting beside the others of its version."""
    found: list[Misfit] = []
    if entry.people in ground.fixed():
        found.append(Misfit(entry, "fixed"))
    if ground.wishes.is_refused(*entry.people):
        found.append(Misfit(entry, "refused"))
    if why := ground.barred.why(*entry.people):
        found.append(Misfit(entry, why))
    whole = [*others, entry]
    return [
        *found,
        *_places(entry, ground),
        *_company_met(entry, others, ground),
        *_too_many([entry], whole, ground),
        *_clashes([entry], whole, ground),
    ]


def as_entry(meeting: Meeting) -> Entry:
    """Give a meeting in force as a version has it."""
    spot = meeting.spot
    return Entry(
        session_id=meeting.session_id,
        delegate_id=meeting.delegate_id,
        local_id=meeting.local_id,
        starts_at=spot.starts_at,
        ends_at=spot.ends_at,
        point_id=spot.point_id,
        interpreter_id=spot.interpreter_id,
        interpreter_needed=meeting.interpreter_needed,
        meeting_id=meeting.id,
        locked=meeting.locked,
    )


def as_meeting(entry: Entry, meeting_id: UUID, stop: tuple[UUID, UUID], number: int) -> Meeting:
    """Give an entry as the meeting it becomes; `stop` is its id and its mission's."""
    stop_id, mission_id = stop
    return Meeting(
        id=meeting_id,
        stop_id=stop_id,
        mission_id=mission_id,
        session_id=entry.session_id,
        delegate_id=entry.delegate_id,
        local_id=entry.local_id,
        spot=entry.spot,
        interpreter_needed=entry.interpreter_needed,
        locked=entry.locked,
        schedule_number=number,
    )


def _pairs(entries: Iterable[Entry]) -> set[tuple[UUID, UUID]]:
    return {entry.people for entry in entries}


def _places(entry: Entry, ground: Ground) -> Iterator[Misfit]:
    room = ground.rooms[entry.session_id]
    for person in entry.people:
        if person not in room.people:
            yield Misfit(entry, "no_place", person)
    if frozenset(entry.people) in ground.elsewhere:
        yield Misfit(entry, "met_elsewhere")
    point = room.points.get(entry.point_id)
    if point is None or not point.is_open_until(entry.ends_at):
        yield Misfit(entry, "closed", entry.point_id)


def _company_met(entry: Entry, others: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    """Find who would meet a company twice, unless that is wanted again."""
    if ground.wishes.is_again(*entry.people):
        return
    company_of = ground.barred.company_of
    for person, other in (entry.people, entry.people[::-1]):
        for one in others:
            met = set(one.people) - {person}
            if person in one.people and company_of.get(met.pop()) == company_of.get(other):
                yield Misfit(entry, "company_met", person, one)


def _too_many(added: Sequence[Entry], whole: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    """Who has too many already is not made worse by what stays."""
    counts = Counter(person for entry in whole for person in entry.people)
    told: set[UUID] = set()
    for entry in added:
        for person, side in zip(entry.people, SIDES, strict=True):
            most = ground.maximum(person, side)
            if most is not None and counts[person] > most and person not in told:
                told.add(person)
                yield Misfit(entry, "too_many", person)


def _clashes(changed: Sequence[Entry], whole: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    holders: dict[UUID, list[Entry]] = {}
    for entry in whole:
        for resource in entry.resources:
            holders.setdefault(resource, []).append(entry)
    told: set[frozenset[tuple[UUID, UUID]]] = set()
    for entry in changed:
        for resource in entry.resources:
            times = ground.taken.get(resource, ())
            if any(starts < entry.ends_at and entry.starts_at < ends for starts, ends in times):
                yield Misfit(entry, "not_free", resource)
            for other in _others(entry, holders[resource]):
                pairs = frozenset((entry.people, other.people))
                if pairs not in told:
                    told.add(pairs)
                    yield Misfit(entry, "taken", resource, other)


def _others(entry: Entry, holders: Iterable[Entry]) -> list[Entry]:
    """Give those that are held at the same time."""
    return [
        other
        for other in holders
        if other is not entry
        and other.starts_at < entry.ends_at
        and entry.starts_at < other.ends_at
    ]
