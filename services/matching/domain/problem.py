"""The timetable's problem and its solution, as values that can be sent to another process."""

from datetime import datetime
from uuid import UUID

from shared.events.base import Facts

LOCAL_MEETINGS_MAX = 4
"""A local participant's share of the travelling side's few slots."""


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
