"""The timetable's problem and its solution, as values that can be sent to another process."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import Field

from shared.events.base import Facts, Side

LOCAL_MEETINGS_MAX = 4
"""A local participant's share of the travelling side's few slots, unless staff says otherwise."""


class Quota(Facts):
    """How many meetings somebody has: at least, as far as that can be kept, and at most."""

    minimum: int = 0
    maximum: int | None = None


DEFAULT_QUOTAS: Mapping[Side, Quota] = {
    "delegation": Quota(),
    "local": Quota(maximum=LOCAL_MEETINGS_MAX),
}


class Time(Facts):
    """A slot of a session, and the points that are free in it."""

    session_id: UUID
    starts_at: datetime
    ends_at: datetime
    points: tuple[UUID, ...]


class Candidate(Facts):
    """A pair that may meet, what that is worth, and at which times both can (indices)."""

    delegate_id: UUID
    local_id: UUID
    worth: int
    times: tuple[int, ...]
    languages: tuple[tuple[str, ...], tuple[str, ...]]
    now_at: int | None = None
    """Where the schedule in force has it: staying there is worth something."""
    now_point_id: UUID | None = None
    now_interpreter_id: UUID | None = None
    companies: tuple[UUID | None, UUID | None] = (None, None)
    """Whom the two represent: a company is met once by one person."""
    again: bool = False
    """Whether this meeting is wanted although one has met, or meets, the other's company."""

    @property
    def meets(self) -> tuple[tuple[UUID, UUID], ...]:
        """Say who meets which company by this, where one meeting of the two is enough."""
        people = (self.delegate_id, self.local_id)
        others = zip(people, reversed(self.companies), strict=True)
        return () if self.again else tuple((one, other) for one, other in others if other)

    @property
    def needs_interpreter(self) -> bool:
        """Say whether the two share no language."""
        return not set(self.languages[0]) & set(self.languages[1])


class FreeInterpreter(Facts):
    """An interpreter, and the times at which he or she is free (indices)."""

    id: UUID
    languages: tuple[str, ...]
    times: tuple[int, ...]

    def serves(self, candidate: Candidate) -> bool:
        """Say whether he or she can speak with both."""
        spoken = set(self.languages)
        return all(spoken & set(languages) for languages in candidate.languages)


class Problem(Facts):
    """What is to be scheduled at one stop. What is fixed has been taken out of times and points."""

    times: tuple[Time, ...]
    candidates: tuple[Candidate, ...]
    interpreters: tuple[FreeInterpreter, ...]
    meetings_before: dict[UUID, int]
    """How many fixed meetings each local participant has already."""
    seconds_max: int
    delegate_meetings_before: dict[UUID, int] = Field(default_factory=dict)
    quotas: dict[UUID, Quota] = Field(default_factory=dict)
    """Of those for whom it is another one than by default."""

    def before(self, person_id: UUID) -> int:
        """Count somebody's fixed meetings."""
        held = self.meetings_before.get(person_id, 0)
        return held or self.delegate_meetings_before.get(person_id, 0)

    def owed(self, person_id: UUID) -> int:
        """Say how many meetings are still to be given for somebody's guaranteed minimum."""
        quota = self.quotas.get(person_id)
        return max(0, quota.minimum - self.before(person_id)) if quota else 0

    def room(self, person_id: UUID, side: Side) -> int | None:
        """Say how many meetings more somebody may have; None is any number."""
        most = self.quotas.get(person_id, DEFAULT_QUOTAS[side]).maximum
        return None if most is None else max(0, most - self.before(person_id))

    def overlapping(self) -> tuple[frozenset[int], ...]:
        """Give for each time those that overlap it, itself among them."""
        return tuple(
            frozenset(
                place
                for place, other in enumerate(self.times)
                if other.starts_at < one.ends_at and one.starts_at < other.ends_at
            )
            for one in self.times
        )


class Placed(Facts):
    """A pair at a time, a point and with an interpreter, if it needs one."""

    delegate_id: UUID
    local_id: UUID
    time: int
    point_id: UUID
    interpreter_id: UUID | None


class Solution(Facts):
    """A feasible timetable, its value, and a bound that no timetable exceeds."""

    placed: tuple[Placed, ...]
    objective: int
    bound: int
    is_optimal: bool
