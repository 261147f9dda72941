"""Events that matching publishes.

A field is only ever added; a break is a `.v2` beside the `.v1`.
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from shared.events.base import Event, Facts, Side

MeetingState = Literal[
    "unscheduled", "scheduled", "called", "in_progress", "completed", "no_show", "cancelled"
]
Attendance = Literal["unknown", "present", "late", "absent"]
RequestStatus = Literal["pending", "accepted", "declined", "cancelled", "expired", "superseded"]
OutcomeKind = Literal[
    "follow_up",
    "sample_or_quote",
    "nda",
    "loi",
    "mou",
    "pilot",
    "distribution",
    "contract",
    "joint_venture",
    "investment",
]
OutcomeState = Literal["reported", "evidenced", "verified", "disputed", "retracted"]
RequestOrigin = Literal["participant", "organizer", "recommendation"]


class _Matching(Event):
    TOPIC: ClassVar[str] = "matching"


class SchedulePublished(_Matching):
    """A version of a stop's schedule is in force; `meetings` and `changed` count meetings."""

    TYPE = "matching.schedule.published.v1"
    KEY = "stop_id"
    schedule_id: UUID
    stop_id: UUID
    mission_id: UUID
    number: int
    meetings: int
    changed: int


class Party(Facts):
    """One side of a meeting, by id and company."""

    participant_id: UUID
    side: Side
    organization: str
    native_organization: str | None = None
    attendance: Attendance = "unknown"


class MeetingEvent(_Matching):
    """A meeting's whole state after a change; `revision` grows by one with each."""

    KEY = "meeting_id"

    meeting_id: UUID
    stop_id: UUID
    mission_id: UUID
    revision: int
    state: MeetingState
    starts_at: datetime
    ends_at: datetime
    delay_minutes: int = 0
    point: str
    parties: tuple[Party, ...]
    interpreter_id: UUID | None = None
    schedule_number: int
    occurred_at: datetime

    @property
    def concerned(self) -> tuple[UUID, ...]:
        """Everyone whose day this meeting is part of."""
        people = tuple(party.participant_id for party in self.parties)
        return (*people, self.interpreter_id) if self.interpreter_id else people


class MeetingScheduled(MeetingEvent):
    """The published schedule has this meeting."""

    TYPE = "matching.meeting.scheduled.v1"


class MeetingMoved(MeetingEvent):
    """The meeting has another time, table or interpreter.

    `former_interpreter_id` was released by the move.
    """

    TYPE = "matching.meeting.moved.v1"
    former_interpreter_id: UUID | None = None

    @property
    def concerned(self) -> tuple[UUID, ...]:
        """Everyone whose day this meeting is, or was until now, part of."""
        former = self.former_interpreter_id
        return super().concerned if former is None else (*super().concerned, former)


class MeetingDelayed(MeetingEvent):
    """The meeting starts later and ends as planned."""

    TYPE = "matching.meeting.delayed.v1"


class MeetingCalled(MeetingEvent):
    """The parties are asked to their table."""

    TYPE = "matching.meeting.called.v1"


class MeetingStarted(MeetingEvent):
    """The parties sit at their table."""

    TYPE = "matching.meeting.started.v1"


class MeetingFinished(MeetingEvent):
    """The meeting was held."""

    TYPE = "matching.meeting.finished.v1"


class MeetingMissed(MeetingEvent):
    """A party did not come."""

    TYPE = "matching.meeting.missed.v1"


class MeetingCancelled(MeetingEvent):
    """The meeting will not take place."""

    TYPE = "matching.meeting.cancelled.v1"


class RequestEvent(_Matching):
    """A request's whole state after a change, without what was written with it."""

    KEY = "request_id"

    request_id: UUID
    stop_id: UUID
    mission_id: UUID
    revision: int
    status: RequestStatus
    origin: RequestOrigin
    participant_id: UUID
    counterpart_id: UUID
    expires_at: datetime
    occurred_at: datetime


class RequestSubmitted(RequestEvent):
    """Somebody asks for a meeting, or the organiser does on that person's behalf."""

    TYPE = "matching.request.submitted.v1"


class RequestAccepted(RequestEvent):
    """Both want to meet; the next schedule looks for a slot."""

    TYPE = "matching.request.accepted.v1"


class RequestDeclined(RequestEvent):
    """Who was asked does not want this meeting."""

    TYPE = "matching.request.declined.v1"


class RequestCancelled(RequestEvent):
    """A request was taken back."""

    TYPE = "matching.request.cancelled.v1"


class RequestExpired(RequestEvent):
    """Nobody answered a request in time."""

    TYPE = "matching.request.expired.v1"


class RequestSuperseded(RequestEvent):
    """A newer request of the same person replaces this one."""

    TYPE = "matching.request.superseded.v1"


class MeetingReported(_Matching):
    """A side said whether its meeting was held; what it thinks stays private."""

    TYPE = "matching.meeting_report.submitted.v1"
    KEY = "report_id"

    report_id: UUID
    meeting_id: UUID
    stop_id: UUID
    mission_id: UUID
    revision: int
    side: Side
    was_held: bool
    occurred_at: datetime


class OutcomeEvent(_Matching):
    """Where a deal of two companies stands after a change, without its value."""

    KEY = "outcome_id"

    outcome_id: UUID
    stop_id: UUID
    mission_id: UUID
    meeting_id: UUID | None = None
    revision: int
    state: OutcomeState
    kind: OutcomeKind
    delegate_organization_id: UUID
    local_organization_id: UUID
    occurred_at: datetime


class OutcomeReported(OutcomeEvent):
    """Somebody states what came of a meeting."""

    TYPE = "matching.outcome.reported.v1"


class OutcomeVerified(OutcomeEvent):
    """The other side, or staff, confirms an outcome."""

    TYPE = "matching.outcome.verified.v1"


class OutcomeDisputed(OutcomeEvent):
    """The other side, or staff, denies an outcome."""

    TYPE = "matching.outcome.disputed.v1"


class OutcomeRetracted(OutcomeEvent):
    """An outcome is not counted any more."""

    TYPE = "matching.outcome.retracted.v1"
