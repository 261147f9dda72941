"""Handing on: what staff did to the last version by hand stays in the next one."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from services.matching.commands import fitting
from services.matching.domain.barring import Pair
from services.matching.domain.fitting import as_entry, as_meeting, misfits_of
from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Taken
from services.matching.domain.versions import Entry, is_fixed
from services.matching.store import versions as store
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class HandedOn:
    """What the solver fills around, and which pairs it leaves out."""

    placed: tuple[Entry, ...] = ()
    left_out: tuple[tuple[UUID, UUID], ...] = ()

    @property
    def barred(self) -> frozenset[Pair]:
        """The pairs that it leaves out, whoever is named first."""
        return frozenset(frozenset(pair) for pair in self.left_out)

    def over(self, current: Sequence[Meeting], stop: Mapping[str, UUID]) -> list[Meeting]:
        """Give the meetings there are with what was placed by hand in its place, locked."""
        now = {meeting.people: meeting for meeting in current}
        for entry in self.placed:
            now[entry.people] = _locked(now.get(entry.people), entry, stop)
        return list(now.values())

    def taken(self, taken: Taken) -> dict[UUID, list[tuple[datetime, datetime]]]:
        """Add what was placed by hand to what is taken anyway."""
        found = {resource: list(times) for resource, times in taken.items()}
        for entry in self.placed:
            for resource in entry.resources:
                found.setdefault(resource, []).append((entry.starts_at, entry.ends_at))
        return found


async def handed_on(connection: Connection, stop_id: UUID, current: Sequence[Meeting]) -> HandedOn:
    """Read what was placed by hand in the version made last, and what was taken out.

    What is not possible any more is placed anew; what was published is a locked meeting by now.
    """
    row = await store.newest(connection, stop_id)
    if row is None:
        return HandedOn()
    left_out = tuple(store.pairs_of(row))
    if row["state"] != "provisional":
        return HandedOn(left_out=left_out)
    entries = store.entries_of(row)
    since = row["interventions"]
    ground = await fitting.ground_of(connection, stop_id, entries, current, since)
    kept: list[Entry] = [as_entry(one) for one in ground.fixed().values()]
    placed = []
    for entry in _by_hand(entries, current, since):
        if not misfits_of(entry, kept, ground):
            kept.append(entry)
            placed.append(entry)
    return HandedOn(tuple(placed), left_out)


def _by_hand(entries: Iterable[Entry], current: Iterable[Meeting], since: int) -> list[Entry]:
    now = {meeting.people: meeting for meeting in current}
    return [
        entry.model_copy(
            update={"meeting_id": now[entry.people].id if entry.people in now else None}
        )
        for entry in entries
        if entry.locked and not (entry.people in now and is_fixed(now[entry.people], since))
    ]


def _locked(meeting: Meeting | None, entry: Entry, stop: Mapping[str, UUID]) -> Meeting:
    if meeting:
        return replace(meeting, spot=entry.spot, session_id=entry.session_id, locked=True)
    # Of no version yet.
    return as_meeting(entry, uuid4(), (stop["id"], stop["mission_id"]), number=0)
