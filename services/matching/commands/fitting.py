"""Fitting: whether a version still fits what happened since it was solved.

The walls of the database see double bookings. This sees what they cannot.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point
from services.matching.domain.versions import Differences, Entry, stale
from services.matching.store import facts, sessions, wishes
from shared.postgres import Connection


async def refuse_stale(
    connection: Connection, stop_id: UUID, changed: Iterable[Entry], current: Sequence[Meeting]
) -> None:
    """Refuse a version whose changes are not possible any more; the stop is locked.

    Raises `Conflict` (`stale_schedule`).
    """
    changed = list(changed)
    there = {meeting.id for meeting in current if meeting.state != "cancelled"}
    if any(entry.meeting_id and entry.meeting_id not in there for entry in changed):
        raise stale("A meeting was cancelled")
    stated = await wishes.of_stop(connection, stop_id)
    if any(stated.is_refused(entry.delegate_id, entry.local_id) for entry in changed):
        raise stale("The wishes changed")
    await _refuse_people_without_place(connection, stop_id, changed)
    await _refuse_closed_points(connection, stop_id, changed)


def changed_entries(entries: Iterable[Entry], found: Differences) -> list[Entry]:
    """Give the entries that add or move a meeting."""
    pairs = {pair for pair, _ in found.added} | {meeting.people for meeting, _ in found.moved}
    return [entry for entry in entries if (entry.delegate_id, entry.local_id) in pairs]


async def _refuse_people_without_place(
    connection: Connection, stop_id: UUID, changed: Iterable[Entry]
) -> None:
    rows = await facts.places(connection, stop_id)
    places = {(row["participant_id"], row["programme_item_id"]) for row in rows}
    found = await sessions.of_stop(connection, stop_id)
    items = {session["id"]: session["programme_item_id"] for session in found}
    for entry in changed:
        item = items[entry.session_id]
        if not places.issuperset({(entry.delegate_id, item), (entry.local_id, item)}):
            raise stale("Somebody in this schedule has cancelled")


async def _refuse_closed_points(
    connection: Connection, stop_id: UUID, changed: Iterable[Entry]
) -> None:
    closed = await sessions.closings(connection, stop_id)
    if any(
        not Point(entry.point_id, closed.get(entry.point_id)).is_open_until(entry.spot.ends_at)
        for entry in changed
    ):
        raise stale("A point was closed")
