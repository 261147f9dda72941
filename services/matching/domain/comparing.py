"""Comparing: what a version would change for each person, before anybody is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from services.matching.domain.versions import Entry, differences, is_fixed

Kind = Literal["added", "moved", "cancelled"]


@dataclass(frozen=True, slots=True)
class Change:
    """One meeting of a person that a version adds, moves or cancels."""

    kind: Kind
    people: tuple[UUID, UUID]
    before: Spot | None
    after: Spot | None

    @property
    def at(self) -> datetime:
        """When it is, or was."""
        spot = self.after or self.before
        assert spot is not None
        return spot.starts_at


def changes(
    current: Sequence[Meeting], entries: Iterable[Entry], since: int | None = None
) -> list[Change]:
    """Compare the meetings there are with a version, in order of time.

    What is fixed stays, whatever the version says: publishing names that as a misfit. `since`: how
    many interventions there had been when it was made.
    """
    fixed = {m.people: m.spot for m in current if m.state != "cancelled" and is_fixed(m, since)}
    wanted = {entry.people: fixed.get(entry.people, entry.spot) for entry in entries}
    found = differences(current, wanted, since)
    return sorted(
        [
            *(Change("added", pair, None, spot) for pair, spot in found.added),
            *(Change("moved", one.people, one.spot, spot) for one, spot in found.moved),
            *(Change("cancelled", one.people, one.spot, None) for one in found.cancelled),
        ],
        key=lambda change: (change.at, change.people),
    )


def by_person(found: Iterable[Change]) -> dict[UUID, list[Change]]:
    """Give each person's changes: of the two who meet, and of the interpreters before and after.

    For an interpreter who was, or will be, another one, a move is an addition or a cancellation.
    """
    people: dict[UUID, list[Change]] = {}
    for change in found:
        for person in change.people:
            people.setdefault(person, []).append(change)
        before = change.before.interpreter_id if change.before else None
        after = change.after.interpreter_id if change.after else None
        if before and before == after:
            people.setdefault(before, []).append(change)
            continue
        if before:
            gone = Change("cancelled", change.people, change.before, None)
            people.setdefault(before, []).append(gone)
        if after:
            people.setdefault(after, []).append(Change("added", change.people, None, change.after))
    return people


def applied(agenda: Iterable[Spot], found: Iterable[Change]) -> set[Spot]:
    """Give when and where somebody is once their changes are made."""
    changed = list(found)
    kept = set(agenda) - {change.before for change in changed if change.before}
    return kept | {change.after for change in changed if change.after}
