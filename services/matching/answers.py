"""What creating requests answer, for the document."""

from datetime import datetime
from uuid import UUID

from shared.made import Made


class Barred(Made):
    """Two who are kept apart, and the ids of their meetings that stand."""

    one_id: UUID
    other_id: UUID
    reason: str
    stated_at: datetime
    meetings: list[UUID]


class Requested(Made):
    """A request for a meeting."""

    stop_id: UUID
    participant_id: UUID
    counterpart_id: UUID
    status: str


class ScheduleAsked(Made):
    """A schedule that waits to be made."""

    stop_id: UUID
    state: str
    progress: str


class SessionMade(Made):
    """A session with its slots and points."""

    stop_id: UUID
    programme_item_id: UUID
    slug: str
