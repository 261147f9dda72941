"""A meeting on the day: its states, and the commands that change them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from shared.errors import Conflict, Fault, Invalid
from shared.events.matching import Attendance

State = Literal["scheduled", "called", "in_progress", "completed", "no_show", "cancelled"]
Step = Literal["call", "start", "finish", "cancel"]

NOT_BEGUN: frozenset[State] = frozenset({"scheduled", "called"})

_OUTCOMES: Mapping[tuple[State, Step], State] = {
    ("scheduled", "call"): "called",
    ("scheduled", "start"): "in_progress",
    ("called", "start"): "in_progress",
    ("in_progress", "finish"): "completed",
    ("scheduled", "cancel"): "cancelled",
    ("called", "cancel"): "cancelled",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """When and where a meeting is, and who interprets."""

    starts_at: datetime
    ends_at: datetime
    point_id: UUID
    interpreter_id: UUID | None


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as its rules see it."""

    id: UUID
    stop_id: UUID
    mission_id: UUID
    session_id: UUID
    delegate_id: UUID
    local_id: UUID
    spot: Spot
    interpreter_needed: bool
    schedule_number: int
    state: State = "scheduled"
    revision: int = 1
    delay_minutes: int = 0
    delegate_attendance: Attendance = "unknown"
    local_attendance: Attendance = "unknown"
    locked: bool = False
    started_at: datetime | None = None
    finished_at: datetime | None = None
    intervention: int | None = None
    """Which of the stop's interventions put it elsewhere or ended it, the last one."""

    @property
    def people(self) -> tuple[UUID, UUID]:
        """The two who meet."""
        return self.delegate_id, self.local_id

    @property
    def resources(self) -> tuple[UUID, ...]:
        """Everything that it holds for its time."""
        spot = self.spot
        return (*self.people, spot.point_id, *filter(None, [spot.interpreter_id]))


def stepped(meeting: Meeting, step: Step, now: datetime) -> Meeting:
    """Take one step of the day; raises `Conflict` where the state does not allow it."""
    outcome = _OUTCOMES.get((meeting.state, step))
    if outcome is None:
        raise _illegal(meeting, step)
    changed = replace(meeting, state=outcome)
    if step == "start":
        return replace(
            changed, started_at=now, delegate_attendance="present", local_attendance="present"
        )
    return replace(changed, finished_at=now) if step == "finish" else changed


def missed(meeting: Meeting, absent: Sequence[UUID]) -> Meeting:
    """Note who did not come; raises `Conflict` once it has begun, `Invalid` for a stranger."""
    _must_not_have_begun(meeting, "no-show")
    faults = [
        Fault(f"/absent/{place}", "This is not one of the two who meet.")
        for place, person in enumerate(absent)
        if person not in meeting.people
    ]
    if faults:
        raise Invalid("Somebody is not part of this meeting.", faults=faults)

    def attendance(person: UUID) -> Attendance:
        return "absent" if person in absent else "present"

    return replace(
        meeting,
        state="no_show",
        delegate_attendance=attendance(meeting.delegate_id),
        local_attendance=attendance(meeting.local_id),
    )


def delayed(meeting: Meeting, minutes: int) -> Meeting:
    """Let a meeting start later and end as planned; raises `Conflict`, `Invalid` when too late."""
    _must_not_have_begun(meeting, "delay")
    if timedelta(minutes=minutes) >= meeting.spot.ends_at - meeting.spot.starts_at:
        fault = Fault("/minutes", "A delay is shorter than the meeting; move it instead.")
        raise Invalid("The delay is too long.", faults=[fault])
    return replace(meeting, delay_minutes=minutes)


def moved(meeting: Meeting, spot: Spot) -> Meeting:
    """Put a meeting elsewhere, locked there; raises `Conflict` once it has begun."""
    _must_not_have_begun(meeting, "move")
    return replace(meeting, spot=spot, state="scheduled", delay_minutes=0, locked=True)


def _must_not_have_begun(meeting: Meeting, command: str) -> None:
    if meeting.state not in NOT_BEGUN:
        raise _illegal(meeting, command)


def _illegal(meeting: Meeting, command: str) -> Conflict:
    return Conflict(
        f"A meeting that is {meeting.state} cannot be changed by: {command}.", code="illegal_state"
    )
