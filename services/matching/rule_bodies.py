"""What callers send about what a stop's schedule has to respect."""

from typing import Annotated
from uuid import UUID

from pydantic import Field, model_validator

from services.matching.bodies import DAY_MINUTES, Venue
from shared.http import Body, Moment

WAYS_MAX = 200
TIMES_MAX = 50
RUN_MINUTES_MAX = 240
REST_MINUTES_MAX = 60


class WayBody(Body):
    """How long it takes from one venue to another, and back."""

    one: Venue
    other: Venue
    minutes: Annotated[int, Field(strict=True, ge=1, le=DAY_MINUTES)]


class WaysBody(Body):
    """All ways between the venues of a stop; empty is the stop's own place."""

    stop_id: UUID
    ways: list[WayBody] = Field(max_length=WAYS_MAX)

    @model_validator(mode="after")
    def _once_each(self) -> "WaysBody":
        if any(way.one == way.other for way in self.ways):
            raise ValueError("A way leads from one venue to another.")
        if len({frozenset((way.one, way.other)) for way in self.ways}) < len(self.ways):
            raise ValueError("Each way is told once.")
        return self


class TimeBody(Body):
    """A time at which somebody is there."""

    starts_at: Moment
    ends_at: Moment

    @model_validator(mode="after")
    def _in_order(self) -> "TimeBody":
        if self.ends_at <= self.starts_at:
            raise ValueError("A time ends after it begins.")
        return self


class AvailabilityBody(Body):
    """When a participant can have meetings, or an interpreter works; without times always."""

    stop_id: UUID
    person_id: UUID
    times: list[TimeBody] = Field(max_length=TIMES_MAX)


class PairBody(Body):
    """The two of a meeting."""

    delegate_id: UUID
    local_id: UUID


class PrecedenceBody(Body):
    """Of two meetings the first has ended when the second begins, if both are held."""

    stop_id: UUID
    first: PairBody
    second: PairBody


class RestBody(Body):
    """How long interpreters speak at a stretch at most, and how long a pause ends a stretch."""

    stop_id: UUID
    run_minutes_max: Annotated[int, Field(strict=True, ge=5, le=RUN_MINUTES_MAX)] | None
    rest_minutes: Annotated[int, Field(strict=True, ge=1, le=REST_MINUTES_MAX)] = 15
