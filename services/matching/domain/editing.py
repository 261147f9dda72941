"""Editing: a provisional version changed by hand, under the rules that the solver keeps."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.matching.domain import siting
from services.matching.domain.explaining import Names, reason
from services.matching.domain.fitting import as_entry, misfits_of
from services.matching.domain.ground import Ground, Misfit, Room
from services.matching.domain.meetings import Spot
from services.matching.domain.options import Surroundings, Taken, free_spots
from services.matching.domain.slots import Slot
from services.matching.domain.versions import Entry
from services.matching.domain.ways import Trips
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.events.base import Bilingual

Edit = Literal["add", "move", "remove", "lock", "unlock"]
Pair = tuple[UUID, UUID]


class DoesNotFit(Conflict):
    """A rule stands against an edit; each reason has the field that another value would help."""

    code = "does_not_fit"

    def __init__(self, *reasons: tuple[str, Bilingual]) -> None:
        self.reasons = tuple(reason for _, reason in reasons)
        faults = [Fault(pointer, reason.en) for pointer, reason in reasons]
        super().__init__(faults[0].detail, faults=faults)


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a meeting is to go; an interpreter is chosen where one is needed and none is named."""

    starts_at: datetime
    point_id: UUID
    interpreter_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A version that is being edited, and what it stands on."""

    entries: tuple[Entry, ...]
    ground: Ground
    languages: Mapping[UUID, AbstractSet[str]]
    """What participants speak."""
    helpers: Mapping[UUID, AbstractSet[str]]
    """What each interpreter of the stop speaks."""

    def entry(self, pair: Pair) -> Entry:
        """Find a pair's meeting; raises `NotFound`."""
        found = next((entry for entry in self.entries if entry.people == pair), None)
        if found is None:
            raise NotFound("These two do not meet in this version.")
        return found

    def others(self, pair: Pair) -> list[Entry]:
        """Give the meetings of everybody else, and of the two with others."""
        return [entry for entry in self.entries if entry.people != pair]

    def able(self, pair: Pair) -> list[UUID]:
        """List the interpreters who speak with both, the present one first."""
        now = next((e.interpreter_id for e in self.entries if e.people == pair), None)
        found = [
            helper
            for helper, spoken in self.helpers.items()
            if all(spoken & self.languages[person] for person in pair)
        ]
        return sorted(found, key=lambda helper: (helper != now, helper))

    def needs_helper(self, pair: Pair) -> bool:
        """Say whether the two share no language."""
        return not self.languages[pair[0]] & self.languages[pair[1]]

    def taken(self, pair: Pair) -> Taken:
        """Say when things are taken by all but one pair's meeting."""
        found = {resource: list(times) for resource, times in self.ground.taken.items()}
        for entry in self.others(pair):
            for resource in entry.resources:
                found.setdefault(resource, []).append((entry.starts_at, entry.ends_at))
        return found

    def trips(self, pair: Pair) -> Trips:
        """Say where people and interpreters are for all but one pair's meeting."""
        return siting.trips(self.others(pair), self.ground.site)


def placed(version: Version, pair: Pair, to: Destination, names: Names) -> Entry:
    """Give a pair's meeting where it is wanted, locked there.

    Raises `Invalid` where there is no such slot, point or interpreter, and `DoesNotFit` where a
    rule stands against it.
    """
    room, slot = _slot(version.ground, to)
    at = slot, room.points[to.point_id].venue
    helper = _helper(version, pair, at, to.interpreter_id)
    entry = Entry(
        session_id=room.session_id,
        delegate_id=pair[0],
        local_id=pair[1],
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        point_id=to.point_id,
        interpreter_id=helper,
        interpreter_needed=version.needs_helper(pair),
        meeting_id=_meeting_of(version, pair),
        locked=True,
    )
    refuse(misfits_of(entry, version.others(pair), version.ground), names)
    return entry


def spots(version: Version, pair: Pair) -> list[Spot]:
    """List where a pair's meeting could be, its own spot excepted: the nearest, or first, ones."""
    now = next((entry for entry in version.entries if entry.people == pair), None)
    taken, trips, found = version.taken(pair), version.trips(pair), []
    for room in version.ground.rooms.values():
        if not set(pair) <= room.people:
            continue
        able = version.able(pair)
        around = Surroundings(room.slots, tuple(room.points.values()), able, taken, trips)
        found += free_spots(now or _nowhere(version, pair, room), around)
    nearest = now.starts_at if now else min((s.starts_at for s in found), default=None)
    return sorted(found, key=lambda spot: abs(spot.starts_at - nearest)) if nearest else []


def refuse(found: Sequence[Misfit], names: Names) -> None:
    """Raise `DoesNotFit` that says why, if anything is found."""
    if found:
        raise DoesNotFit(*((_pointer(one), _sentence(reason(one, names))) for one in found))


def refuse_fixed(version: Version, pair: Pair) -> None:
    """Raise `DoesNotFit` for a meeting in force that was locked there, or has begun."""
    if pair in version.ground.fixed():
        raise DoesNotFit(("/local_id", _said("fixed")))


def adopted(version: Version, pair: Pair) -> Entry | None:
    """Give a meeting in force that no version changes as it is there, so that this one agrees."""
    meeting = version.ground.fixed().get(pair)
    return as_entry(meeting).model_copy(update={"locked": True}) if meeting else None


def refuse_second(version: Version, pair: Pair) -> None:
    """Raise `DoesNotFit` for two who meet in this version already."""
    if any(entry.people == pair for entry in version.entries):
        raise DoesNotFit(("/local_id", _said("already")))


def with_entry(entries: Iterable[Entry], changed: Entry) -> list[Entry]:
    """Put a changed or new entry in its place, by time."""
    kept = [entry for entry in entries if entry.people != changed.people]
    return sorted([*kept, changed], key=lambda entry: (entry.starts_at, entry.point_id))


def _slot(ground: Ground, to: Destination) -> tuple[Room, Slot]:
    rooms = [room for room in ground.rooms.values() if to.point_id in room.points]
    slots = [(room, slot) for room in rooms for slot in room.slots]
    found = next((both for both in slots if both[1].starts_at == to.starts_at), None)
    if found:
        return found
    if rooms:
        fault = Fault("/starts_at", "No slot of a session with this point starts then.")
    else:
        fault = Fault("/point_id", "No session of this stop has such a point.")
    raise Invalid("A meeting goes to a slot and a point of a session.", faults=[fault])


def _helper(version: Version, pair: Pair, at: tuple[Slot, str], named: UUID | None) -> UUID | None:
    """Give who interprets in a slot at a venue: whoever is named, or who can be there."""
    able = version.able(pair) if version.needs_helper(pair) else []
    if named is not None:
        if named not in able:
            detail = "None who speaks with both, or none is needed."
            raise Invalid("This interpreter is not for them.", faults=[Fault(_HELPER, detail)])
        return named
    if not version.needs_helper(pair):
        return None
    slot, venue = at
    around = Surroundings((slot,), (), able, version.taken(pair), version.trips(pair))
    free = next(around.free_helpers(slot, venue), None)
    if free is None:
        raise DoesNotFit((_HELPER, _said("no_helper")))
    return free


def _nowhere(version: Version, pair: Pair, room: Room) -> Entry:
    """Stand for a meeting that has no spot yet."""
    return Entry(
        session_id=room.session_id,
        delegate_id=pair[0],
        local_id=pair[1],
        starts_at=room.slots[0].starts_at,
        ends_at=room.slots[0].ends_at,
        point_id=pair[0],
        interpreter_id=None,
        interpreter_needed=version.needs_helper(pair),
    )


def _meeting_of(version: Version, pair: Pair) -> UUID | None:
    meeting = version.ground.meetings().get(pair)
    return meeting.id if meeting else None


_HELPER = "/interpreter_id"


def _pointer(misfit: Misfit) -> str:
    """Point to the field that another value would help."""
    entry, resource = misfit.entry, misfit.resource_id
    fields = {
        entry.point_id: "/point_id",
        entry.interpreter_id: _HELPER,
        entry.delegate_id: "/delegate_id",
    }
    return fields.get(resource, "/local_id") if resource else "/local_id"


def _sentence(text: Bilingual) -> Bilingual:
    return Bilingual(en=f"{text.en[:1].upper()}{text.en[1:]}.", zh=f"{text.zh}。")


_SAID = {
    "already": ("These two meet in this version already.", "该版本中双方已有洽谈。"),
    "fixed": (
        "This meeting was moved or begun on the day: no version changes it.",
        "该洽谈已在现场改期或已开始，版本不再更改。",
    ),
    "no_helper": (
        "No interpreter for their languages is free then.",
        "该时段没有可用的翻译。",
    ),
}


def _said(code: str) -> Bilingual:
    en, zh = _SAID[code]
    return Bilingual(en=en, zh=zh)
