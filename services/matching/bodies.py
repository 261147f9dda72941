"""What callers send."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.http import Body, Moment

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")]
Label = Annotated[str, StringConstraints(min_length=1, max_length=20)]
Venue = Annotated[str, StringConstraints(max_length=80)]
"""The name of a place at a stop; empty is the stop's own."""

SLOTS_MAX = 200
POINTS_MAX = 500
DAY_MINUTES = 24 * 60
SOLVER_SECONDS_MAX = 60


class BreakBody(Body):
    """A pause after a slot."""

    after_slot: Annotated[int, Field(strict=True, ge=1, le=SLOTS_MAX)]
    minutes: Annotated[int, Field(strict=True, ge=1, le=DAY_MINUTES)]


class LengthBody(Body):
    """A slot that has another length than the others."""

    slot: Annotated[int, Field(strict=True, ge=1, le=SLOTS_MAX)]
    minutes: Annotated[int, Field(strict=True, ge=5, le=DAY_MINUTES)]


class PointBody(Body):
    """A table, a booth, or a place elsewhere.

    A point with an `organization_id` is that company's own: it meets there, and nobody else does.
    """

    label: Label
    kind: Literal["table", "booth", "offsite"]
    organization_id: UUID | None = None
    venue: Venue | None = None


class SessionBody(Body):
    """A block of slots with the points that are used in it."""

    programme_item_id: UUID
    slug: Slug
    starts_at: Moment
    slot_minutes: Annotated[int, Field(strict=True, ge=5, le=DAY_MINUTES)]
    slots: Annotated[int, Field(strict=True, ge=1, le=SLOTS_MAX)]
    breaks: list[BreakBody] = Field(default_factory=list, max_length=SLOTS_MAX)
    lengths: list[LengthBody] = Field(default_factory=list, max_length=SLOTS_MAX)
    venue: Venue = ""
    points: list[PointBody] = Field(min_length=1, max_length=POINTS_MAX)

    @model_validator(mode="after")
    def _once_each(self) -> "SessionBody":
        if len({point.label for point in self.points}) < len(self.points):
            raise ValueError("Each point has a label of its own.")
        if len({one.after_slot for one in self.breaks}) < len(self.breaks):
            raise ValueError("There is one break at most after a slot.")
        if len({one.slot for one in self.lengths}) < len(self.lengths):
            raise ValueError("A slot has one length.")
        others = {one.slot: one.minutes for one in self.lengths if one.slot <= self.slots}
        minutes = (self.slots - len(others)) * self.slot_minutes + sum(others.values())
        minutes += sum(one.minutes for one in self.breaks)
        if minutes > DAY_MINUTES:
            raise ValueError("A session is part of one day.")
        return self


class ClosingBody(Body):
    """From which slot on a point is out of use."""

    from_slot: Annotated[int, Field(strict=True, ge=1, le=SLOTS_MAX)]


class ScheduleBody(Body):
    """A schedule to be made; the solver takes `seconds_max` at most."""

    stop_id: UUID
    seconds_max: Annotated[int, Field(strict=True, ge=1, le=SOLVER_SECONDS_MAX)] = 5


class AbsenceBody(Body):
    """Who did not come."""

    absent: list[UUID] = Field(min_length=1, max_length=2)


class DelayBody(Body):
    """By how many minutes a meeting starts later than planned."""

    minutes: Annotated[int, Field(strict=True, ge=1, le=DAY_MINUTES)]


class DestinationBody(Body):
    """Where a meeting goes: the start of a slot, and a point."""

    starts_at: Moment
    point_id: UUID
    interpreter_id: UUID | None = None
