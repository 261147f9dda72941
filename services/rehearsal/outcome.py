"""What a rehearsal found."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.rehearsal.files import Texts
from services.rehearsal.meetings import Meeting
from services.rehearsal.updates import Updates


@dataclass
class Incidents:
    """What went wrong at a stop, and what became of it; all are counts."""

    pressed_twice: int = 0
    cancelled: int = 0
    """Of people who cancelled before the day."""
    moved_up: int = 0
    """Of registrations that left the waiting list for their places."""
    walk_ins: int = 0
    walk_ins_waiting: int = 0
    absent: int = 0
    absent_missed: int = 0
    late: int = 0
    late_moved: int = 0
    late_delayed: int = 0
    late_missed: int = 0
    table_moved: int = 0
    table_cancelled: int = 0
    overruns: int = 0
    overrun_delayed: int = 0


@dataclass
class StopOutcome:
    """The numbers of a stop."""

    slug: str
    city: Texts
    registered: int = 0
    waitlisted: int = 0
    checked_in: int = 0
    meetings: list[Meeting] = field(default_factory=list)
    """As the installation shows them at the end."""
    scheduled: int = 0
    """Meetings in the published schedule."""
    moved: int = 0
    clashes: int = 0
    incidents: Incidents = field(default_factory=Incidents)
    refs: Mapping[str, str] = field(default_factory=dict)
    """Participants' refs by id."""

    def count(self, state: str) -> int:
        """Count the meetings in a state."""
        return sum(meeting.state == state for meeting in self.meetings)

    @property
    def held(self) -> list[Meeting]:
        """List the meetings that took place."""
        return [meeting for meeting in self.meetings if meeting.state == "completed"]


@dataclass
class Outcome:
    """The numbers of all stops, and every expectation that was not met."""

    stops: list[StopOutcome] = field(default_factory=list)
    updates: Updates = field(default_factory=Updates)
    failures: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """Give 0 when everything expected came true."""
        return 1 if self.failures else 0
