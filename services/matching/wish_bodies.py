"""What callers send about wishes, quotas, exclusions and vetoes."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints

from services.matching.bodies import SLOTS_MAX
from services.matching.domain.wishes import PreferenceKind
from shared.events.base import Side
from shared.http import Body, Moment

MESSAGE_LENGTH_MAX = 1_000
Meetings = Annotated[int, Field(strict=True, ge=0, le=SLOTS_MAX)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=MESSAGE_LENGTH_MAX)]


class PreferenceBody(Body):
    """What somebody states about meeting somebody; `again`: although the company was met."""

    stop_id: UUID
    participant_id: UUID
    counterpart_id: UUID
    kind: PreferenceKind
    again: StrictBool = False


class CompanyPreferenceBody(Body):
    """What somebody states about meeting a company, whoever represents it."""

    stop_id: UUID
    participant_id: UUID
    organization_id: UUID
    kind: PreferenceKind


class RequestBody(Body):
    """A request for a meeting; without `expires_at` it waits a week for an answer.

    `is_recommended`: it follows a recommendation.
    """

    stop_id: UUID
    participant_id: UUID
    counterpart_id: UUID
    message: Annotated[str, StringConstraints(max_length=MESSAGE_LENGTH_MAX)] | None = None
    expires_at: Moment | None = None
    is_recommended: StrictBool = False


class SideQuotaBody(Body):
    """How many meetings each of a side has; without a maximum there is none."""

    stop_id: UUID
    side: Side
    minimum: Meetings = 0
    maximum: Meetings | None = None


class PersonalQuotaBody(Body):
    """How many meetings one person has; what is left out is as for the side."""

    stop_id: UUID
    participant_id: UUID
    minimum: Meetings | None = None
    maximum: Meetings | None = None


class ExclusionBody(Body):
    """Two companies, or two people, that never meet: at a stop, or in the whole mission."""

    mission_id: UUID
    stop_id: UUID | None = None
    kind: Literal["companies", "people"]
    one_id: UUID
    other_id: UUID
    reason: Text


class VetoBody(Body):
    """A pair that a host of the stop does not want to meet there."""

    stop_id: UUID
    participant_id: UUID
    counterpart_id: UUID
    reason: Text
