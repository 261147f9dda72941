"""Versions of a schedule: what a new one holds, and what it changes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.matching.domain.meetings import Meeting, Spot
from shared.errors import Conflict
from shared.events.base import Facts


class Entry(Facts):
    """A meeting of a version, whole: it can be published as it is."""

    session_id: UUID
    delegate_id: UUID
    local_id: UUID
    starts_at: datetime
    ends_at: datetime
    point_id: UUID
    interpreter_id: UUID | None
    interpreter_needed: bool
    meeting_id: UUID | None = None
    """The meeting that the pair had when this was solved."""
    locked: bool = False
    """Placed by hand: it stays where it is, in later versions too."""

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two who meet."""
        return self.delegate_id, self.local_id

    @property
    def resources(self) -> tuple[UUID, ...]:
        """Everything that it holds for its time."""
        return (*self.people, self.point_id, *filter(None, [self.interpreter_id]))

    @property
    def spot(self) -> Spot:
        """When and where it is, and who interprets."""
        return Spot(self.starts_at, self.ends_at, self.point_id, self.interpreter_id)


@dataclass(frozen=True, slots=True)
class Differences:
    """What publishing does to the meetings there are."""

    added: tuple[tuple[tuple[UUID, UUID], Spot], ...]
    moved: tuple[tuple[Meeting, Spot], ...]
    cancelled: tuple[Meeting, ...]

    @property
    def count(self) -> int:
        """Count the meetings that somebody is told of."""
        return len(self.added) + len(self.moved) + len(self.cancelled)


def is_fixed(meeting: Meeting, since: int | None = None) -> bool:
    """Say whether a version must leave a meeting where it is.

    `since`: how many interventions there had been when the version was made; None is all.
    """
    return (
        meeting.locked
        or meeting.state not in ("scheduled", "cancelled")
        or is_changed(meeting, since)
    )


def is_changed(meeting: Meeting, since: int | None) -> bool:
    """Say whether staff moved or ended a meeting after a version was made."""
    return since is not None and (meeting.intervention or 0) > since


def stale(what: str) -> Conflict:
    """Refuse a version that what happened since it was made does not leave room for."""
    return Conflict(f"{what} since this schedule was made; make a new one.", code="stale_schedule")


def differences(
    current: Iterable[Meeting],
    wanted: Mapping[tuple[UUID, UUID], Spot],
    since: int | None = None,
) -> Differences:
    """Compare the meetings there are with a version, by pair; raises `Conflict` for a stale one.

    `since`: as for `is_fixed`.
    """
    now = {meeting.people: meeting for meeting in current if meeting.state != "cancelled"}
    moved, cancelled = [], []
    for pair, meeting in now.items():
        spot = wanted.get(pair)
        if spot == meeting.spot:
            continue
        if is_fixed(meeting, since):
            if spot is None:
                continue
            raise stale("A meeting was moved or begun")
        if spot is None:
            cancelled.append(meeting)
        else:
            moved.append((meeting, spot))
    added = [(pair, spot) for pair, spot in wanted.items() if pair not in now]
    return Differences(tuple(added), tuple(moved), tuple(cancelled))
