"""Reports: what the solver's process says, line by line, of a search that goes on.

What is found is JSON within JSON: the service writes it as it is, and need not read it.
"""

from collections.abc import Sequence
from typing import Literal, Self
from uuid import UUID

from pydantic_core import to_json

from services.matching.domain.problem import Pair, Progress, Stage
from services.matching.domain.unmet import Unmet
from services.matching.domain.versions import Entry
from shared.events.base import Facts

Ended = Literal["proved", "time", "cancelled", "broken"]
"""Why a search is over: nothing is better, its time was up, staff ended it, or its process died."""


class Job(Facts):
    """What the solver's process is given."""

    dsn: str
    stop_id: UUID
    mission_id: UUID
    seconds_max: int


class Found(Facts):
    """The best version so far, whole."""

    meetings: int
    entries: str
    unmet: str
    left_out: str
    """The pairs that staff took out of the version before."""

    @classmethod
    def of(
        cls, entries: Sequence[Entry], unmet: Sequence[Unmet] = (), left_out: Sequence[Pair] = ()
    ) -> Self:
        """Write a version down."""
        return cls(
            meetings=len(entries),
            entries=to_json(entries).decode(),
            unmet=to_json(unmet).decode(),
            left_out=to_json(left_out).decode(),
        )


class Report(Facts):
    """How far a search is, and how good the best so far is."""

    stage: Stage
    seconds: float
    objective: int
    bound: int | None
    """None until it is known."""
    is_optimal: bool
    musts: int
    musts_most: int
    breaks: int | None
    breaks_bound: int | None
    table_changes: int | None
    conflicts: str
    found: Found | None
    """None where it is what was told before."""

    @classmethod
    def of(cls, progress: Progress, musts_most: int, found: Found | None) -> Self:
        """Write progress down; `found` is its solution as a version."""
        solution = progress.solution
        return cls(
            stage=progress.stage,
            seconds=progress.seconds,
            musts_most=musts_most,
            conflicts=to_json(solution.conflicts).decode(),
            found=found,
            bound=solution.bound if progress.is_bounded else None,
            **solution.model_dump(exclude={"placed", "conflicts", "bound"}),
        )

    @property
    def is_proved(self) -> bool:
        """Say whether nothing is better, as far as is asked for."""
        return self.is_optimal and self.breaks == self.breaks_bound
