"""What callers send about a disturbed day."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from shared.http import Body, Moment

COUNTERPARTS_MAX = 10
MINUTES_MAX = 4 * 60
RULE_MEETINGS_MAX = 50


class LateBody(Body):
    """A person comes later than planned."""

    kind: Literal["late"]
    person_id: UUID
    until: Moment


class LeavingBody(Body):
    """A person leaves before the end."""

    kind: Literal["leaves_early"]
    person_id: UUID
    since: Moment


class UnavailableBody(Body):
    """An interpreter cannot work: from now on, or for a time."""

    kind: Literal["unavailable"]
    interpreter_id: UUID
    since: Moment | None = None
    until: Moment | None = None


class PointLostBody(Body):
    """A point is out of use: from now on, or from a time on."""

    kind: Literal["point_lost"]
    point_id: UUID
    since: Moment | None = None


class OverrunBody(Body):
    """A meeting in progress ends later than planned, by so many minutes."""

    kind: Literal["overrun"]
    meeting_id: UUID
    minutes: Annotated[int, Field(strict=True, ge=1, le=MINUTES_MAX)]


class PlacementBody(Body):
    """A person is to get meetings: with those named, or by the wishes that wait."""

    kind: Literal["placement"]
    participant_id: UUID
    counterpart_ids: list[UUID] = Field(default_factory=list, max_length=COUNTERPARTS_MAX)

    @model_validator(mode="after")
    def _once_each(self) -> "PlacementBody":
        if len(set(self.counterpart_ids)) < len(self.counterpart_ids):
            raise ValueError("Each counterpart is named once.")
        return self


class RepairBody(Body):
    """What disturbs a stop's day."""

    stop_id: UUID
    happened: Annotated[
        LateBody | LeavingBody | UnavailableBody | PointLostBody | OverrunBody | PlacementBody,
        Field(discriminator="kind"),
    ]


class RepairRuleBody(Body):
    """How many meetings a repair may move to be accepted at once; null: none is."""

    stop_id: UUID
    meetings_max: Annotated[int, Field(strict=True, ge=0, le=RULE_MEETINGS_MAX)] | None
