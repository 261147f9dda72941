"""Fitting: which meetings of a version are not possible by now, and what is in their way."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from uuid import UUID

from services.matching.domain.ground import SIDES, Ground, Misfit
from services.matching.domain.meetings import Meeting
from services.matching.domain.quotas import missed
from services.matching.domain.siting import misplaced
from services.matching.domain.versions import Entry


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
    ids, ended = {meeting.id for meeting in now.values()}, ground.ended()
    for entry in changed:
        if entry.people in ended or (entry.meeting_id and entry.meeting_id not in ids):
            found.append(Misfit(entry, "cancelled"))
        if ground.wishes.is_refused(*entry.people):
            found.append(Misfit(entry, "refused"))
        found += _places(entry, ground)
    for entry in entries:
        if entry.people not in fixed and (why := ground.barred.why(*entry.people)):
            found.append(Misfit(entry, why))
    # What is fixed is where it is, whatever the version says.
    whole = [entry for entry in entries if entry.people not in fixed]
    whole += [as_entry(meeting) for meeting in fixed.values()]
    added = [entry for entry in changed if entry.people not in now]
    return [*found, *_too_many(added, whole, ground), *_beside(changed, whole, ground)]


def misfits_of(entry: Entry, others: Sequence[Entry], ground: Ground) -> list[Misfit]:
    """List what stands against one meeting beside the others of its version."""
    found: list[Misfit] = []
    if entry.people in ground.fixed():
        found.append(Misfit(entry, "fixed"))
    if entry.people in ground.ended():
        found.append(Misfit(entry, "cancelled"))
    if ground.wishes.is_refused(*entry.people):
        found.append(Misfit(entry, "refused"))
    if why := ground.barred.why(*entry.people):
        found.append(Misfit(entry, why))
    whole = [*others, entry]
    found += [*_places(entry, ground), *_company_met(entry, others, ground)]
    return [*found, *_too_many([entry], whole, ground), *_beside([entry], whole, ground)]


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


def _beside(changed: Sequence[Entry], whole: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    yield from _clashes(changed, whole, ground)
    yield from misplaced(changed, whole, ground)


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
        company = company_of.get(other)
        for one in others if company else ():
            if person in one.people and company in map(company_of.get, one.people):
                yield Misfit(entry, "company_met", person, one)


def _too_many(added: Sequence[Entry], whole: Sequence[Entry], ground: Ground) -> Iterator[Misfit]:
    """Who has too many already is not made worse by what stays."""
    counts = Counter(person for entry in whole for person in entry.people)
    counts.subtract(missed(ground.fixed().values()))
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
