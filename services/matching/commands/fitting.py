"""Fitting: whether a version still fits what happened since it was solved.

The walls of the database see double bookings. This sees what they cannot.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from services.matching.domain.meetings import Meeting
from services.matching.domain.options import Point
from services.matching.domain.problem import DEFAULT_QUOTAS
from services.matching.domain.quotas import effective
from services.matching.domain.versions import Differences, Entry, is_fixed, stale
from services.matching.store import barring, facts, quotas, sessions, wishes
from shared.events.base import Side
from shared.postgres import Connection

SIDES: tuple[Side, Side] = ("delegation", "local")


async def refuse_stale(
    connection: Connection,
    stop_id: UUID,
    entries: Sequence[Entry],
    found: Differences,
    current: Sequence[Meeting],
) -> None:
    """Refuse a version whose changes are not possible any more; the stop is locked.

    Raises `Conflict` (`stale_schedule`).
    """
    changed = changed_entries(entries, found)
    there = {meeting.id for meeting in current if meeting.state != "cancelled"}
    if any(entry.meeting_id and entry.meeting_id not in there for entry in changed):
        raise stale("A meeting was cancelled")
    stated = await wishes.of_stop(connection, stop_id)
    if any(stated.is_refused(entry.delegate_id, entry.local_id) for entry in changed):
        raise stale("The wishes changed")
    await _refuse_barred(connection, stop_id, entries, current)
    await _refuse_too_many(connection, stop_id, entries, current)
    await _refuse_people_without_place(connection, stop_id, changed)
    await _refuse_closed_points(connection, stop_id, changed)


def changed_entries(entries: Iterable[Entry], found: Differences) -> list[Entry]:
    """Give the entries that add or move a meeting."""
    pairs = {pair for pair, _ in found.added} | {meeting.people for meeting, _ in found.moved}
    return [entry for entry in entries if (entry.delegate_id, entry.local_id) in pairs]


async def _refuse_barred(
    connection: Connection, stop_id: UUID, entries: Iterable[Entry], current: Iterable[Meeting]
) -> None:
    """Refuse also what would stay as it is; what is fixed no version can leave out."""
    fixed = {meeting.people for meeting in current if is_fixed(meeting)}
    stop = await facts.stop(connection, stop_id)
    assert stop is not None
    barred = await barring.of_stop(connection, stop["mission_id"], stop_id)
    pairs = {(entry.delegate_id, entry.local_id) for entry in entries} - fixed
    if any(barred.why(*pair) for pair in pairs):
        raise stale("An exclusion or a veto was added")


async def _refuse_too_many(
    connection: Connection, stop_id: UUID, entries: Iterable[Entry], current: Iterable[Meeting]
) -> None:
    now = {meeting.people: meeting for meeting in current if meeting.state != "cancelled"}
    wanted = {(entry.delegate_id, entry.local_id) for entry in entries}
    held = wanted | {pair for pair, meeting in now.items() if is_fixed(meeting)}
    counts = Counter(person for pair in held for person in pair)
    sides = {person: side for pair in held for person, side in zip(pair, SIDES, strict=True)}
    of_sides = await quotas.sides(connection, stop_id)
    limits = effective(of_sides, await quotas.parts(connection, stop_id), sides)
    # Who has too many already is not made worse by what stays.
    for person in {person for pair in wanted - now.keys() for person in pair}:
        most = limits.get(person, DEFAULT_QUOTAS[sides[person]]).maximum
        if most is not None and counts[person] > most:
            raise stale("The quotas changed")


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
