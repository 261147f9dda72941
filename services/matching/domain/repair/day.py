"""The day as it stands, and what disturbs it."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point, Taken


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of a session, and the session's points."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two who are to meet, or wait to, and the sessions at which both have a place."""

    delegate_id: UUID
    local_id: UUID
    session_ids: frozenset[UUID]

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two."""
        return self.delegate_id, self.local_id


@dataclass(frozen=True, slots=True)
class Absence:
    """A person, an interpreter or a point cannot be used for a time; half-open."""

    resource_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Disturbance:
    """What happened: who is away and when, which points are lost from when on, who is to meet."""

    absences: tuple[Absence, ...] = ()
    closings: tuple[tuple[UUID, datetime], ...] = ()
    wanted: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """A stop's day as it stands.

    A meeting that starts before `movable_from` stays, and none is put there.
    """

    places: Sequence[Place]
    """In order of time."""
    meetings: Sequence[Meeting]
    """Without the cancelled ones."""
    away: Taken
    """When people and interpreters are not there, or are held by what is not in `meetings`."""
    interpreters: Mapping[UUID, frozenset[str]]
    """The languages of each."""
    languages: Mapping[UUID, frozenset[str]]
    """What each person speaks."""
    refused: Set[tuple[UUID, UUID]]
    """Pairs of a delegate and a local person of whom one does not want to meet the other."""
    waiting: Sequence[Pair]
    """Wishes without a meeting, the strongest first."""
    movable_from: datetime
