"""The timetable's problem and its solution, as values that can be sent to another process."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import Field

from services.matching.domain.ways import way
from shared.events.base import Bilingual, Facts, Side

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


class Span(Facts):
    """A time; half-open."""

    starts_at: datetime
    ends_at: datetime


class Time(Span):
    """A slot of a session at one venue, and the points that are free there in it."""

    session_id: UUID
    points: tuple[UUID, ...]
    venue: str = ""
    """Where its points are; empty is the stop's own place."""


class Rest(Facts):
    """How long an interpreter speaks at a stretch, and what ends a stretch; in minutes."""

    run_minutes_max: int
    rest_minutes: int


Pair = tuple[UUID, UUID]
"""A delegate and a local participant."""


Languages = tuple[tuple[str, ...], tuple[str, ...]]
"""What the two speak."""


class Candidate(Facts):
    """A pair that may meet, what that is worth, and at which times both can (indices)."""

    delegate_id: UUID
    local_id: UUID
    worth: int
    times: tuple[int, ...]
    languages: Languages
    now_at: int | None = None
    """Where the schedule in force has it: staying there is worth something."""
    now_point_id: UUID | None = None
    now_interpreter_id: UUID | None = None
    companies: tuple[UUID | None, UUID | None] = (None, None)
    """Whom the two represent: a company is met once by one person."""
    again: bool = False
    """Whether this meeting is wanted although one has met, or meets, the other's company."""

    @property
    def pair(self) -> Pair:
        """The two, the delegate first."""
        return self.delegate_id, self.local_id

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
    musts: tuple[tuple[Pair, ...], ...] = ()
    """Each is a wish that comes first; a meeting of any of its pairs fulfils it."""
    precedences: tuple[tuple[Pair, Pair], ...] = ()
    """Of the two meetings the first has ended when the second begins, if both are held."""
    travel_minutes: dict[str, dict[str, int]] = Field(default_factory=dict)
    """From one venue to another; what is not named is at the same place."""
    owners: dict[UUID, UUID] = Field(default_factory=dict)
    """Whose booth a point is, where it is one company's."""
    held: dict[UUID, tuple[Span, ...]] = Field(default_factory=dict)
    """When people and interpreters have fixed meetings."""
    rest: Rest | None = None

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

    def travel(self, one: str, other: str) -> timedelta:
        """Give how long the way between two venues takes."""
        return way(self.travel_minutes, one, other)

    def overlapping(self) -> tuple[frozenset[int], ...]:
        """Give for each time those that nobody can have beside it, itself among them.

        They overlap it, or are at another venue and too near for the way.
        """
        return tuple(
            frozenset(
                place
                for place, other in enumerate(self.times)
                if other.starts_at < one.ends_at + (there := self.travel(one.venue, other.venue))
                and one.starts_at < other.ends_at + there
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

    @property
    def pair(self) -> Pair:
        """The two, the delegate first."""
        return self.delegate_id, self.local_id

    @property
    def people(self) -> tuple[UUID, ...]:
        """The two, and who interprets."""
        return (*self.pair, *filter(None, [self.interpreter_id]))


class Conflict(Facts):
    """What cannot be kept together, and what there is too little of."""

    code: str
    pairs: tuple[Pair, ...] = ()
    """Meetings that must be."""
    people: tuple[UUID, ...] = ()
    """Whose guaranteed minimum is part of it."""
    reason: Bilingual


class Solution(Facts):
    """A feasible timetable, its value, and a bound that no timetable exceeds."""

    placed: tuple[Placed, ...]
    objective: int
    bound: int
    is_optimal: bool
    """Whether none keeps more of what comes first, or is worth more."""
    musts: int = 0
    """How many of the wishes that come first are fulfilled."""
    breaks: int | None = None
    """How often somebody waits between two meetings while a slot goes by."""
    breaks_bound: int | None = None
    """Below which no timetable of these meetings is."""
    table_changes: int | None = None
    """How often somebody goes to another point between two meetings."""
    conflicts: tuple[Conflict, ...] = ()
    """Why not more of what comes first is kept."""


Stage = Literal["filling", "musts", "minima", "value", "fairness", "waits", "tables"]
"""What is made better at a time; the order is that of the goals."""


class Progress(Facts):
    """How far a search is: its stage, the best so far, and the seconds since it began."""

    stage: Stage
    seconds: float
    solution: Solution
    is_bounded: bool = True
    """Whether the bound is one that was searched for, and not the sum of all there is."""
