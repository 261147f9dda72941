"""Fitting: whether a version still fits what happened since it was made, and what does not.

The walls of the database see double bookings. This sees also what they cannot, and names it.
"""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID
from zoneinfo import ZoneInfo

from services.matching.commands import looking
from services.matching.commands.placing import Layout, layout
from services.matching.domain.explaining import Names, sentence
from services.matching.domain.fitting import misfits
from services.matching.domain.ground import SIDES, Ground, Misfit, Room, Site
from services.matching.domain.meetings import Meeting
from services.matching.domain.problem import Quota
from services.matching.domain.quotas import effective
from services.matching.domain.versions import Entry
from services.matching.store import barring, meetings, quotas, sessions, wishes
from shared.errors import Conflict, Fault
from shared.events.base import Bilingual, Side
from shared.postgres import Connection

CONFLICTS_MAX = 20
"""How many misfits a refusal names."""


async def refuse_misfits(
    connection: Connection,
    stop_id: UUID,
    entries: Sequence[Entry],
    current: Sequence[Meeting],
    since: int | None = None,
) -> None:
    """Refuse a version whose changes are not possible any more; the stop is locked.

    `since`: how many interventions there had been when it was made. Raises `Conflict`
    (`stale_schedule`) that names each meeting and what is in its way.
    """
    found = misfits(entries, await ground_of(connection, stop_id, entries, current, since))
    if found:
        raise stale(found, entries, await names(connection, stop_id, involved(entries, current)))


def stale(found: Sequence[Misfit], entries: Sequence[Entry], named: Names) -> Conflict:
    """Refuse a version for its misfits; each fault points to the entry."""
    places = {entry.people: place for place, entry in enumerate(entries)}
    faults = [
        Fault(f"/entries/{places[one.entry.people]}", sentence(one, named).en)
        for one in found[:CONFLICTS_MAX]
    ]
    more = f" And {len(found) - 1} more." if len(found) > 1 else ""
    detail = f"This schedule does not fit any more. {faults[0].detail}{more}"
    return Conflict(detail, code="stale_schedule", faults=faults)


async def ground_of(
    connection: Connection,
    stop_id: UUID,
    entries: Sequence[Entry],
    current: Sequence[Meeting],
    since: int | None = None,
) -> Ground:
    """Read all that a version of a stop stands on."""
    helpers = {entry.interpreter_id for entry in entries if entry.interpreter_id}
    pairs = [one.people for one in entries]
    return await ground(connection, stop_id, current, pairs, helpers, since)


async def ground(
    connection: Connection,
    stop_id: UUID,
    current: Sequence[Meeting],
    pairs: Iterable[tuple[UUID, UUID]],
    helpers: Iterable[UUID],
    since: int | None = None,
) -> Ground:
    """Read all that meetings of these pairs and interpreters stand on.

    `since`: how many interventions there had been when their version was made; None is all.
    """
    stop = await looking.existing_stop(connection, stop_id)
    found = await layout(connection, stop_id)
    rooms = _rooms(found)
    held = [*pairs, *(meeting.people for meeting in current if meeting.state != "cancelled")]
    sides = {person: side for pair in held for person, side in zip(pair, SIDES, strict=True)}
    resources = {*sides, *helpers, *(point for room in rooms.values() for point in room.points)}
    return Ground(
        current=current,
        wishes=await wishes.of_stop(connection, stop_id),
        barred=await barring.of_stop(connection, stop["mission_id"], stop_id),
        elsewhere=await meetings.pairs_elsewhere(connection, stop["mission_id"], stop_id),
        quotas=await limits(connection, stop_id, sides),
        rooms=rooms,
        taken=await meetings.bookings(connection, resources, without=[one.id for one in current]),
        site=_site(found),
        since=since,
    )


async def limits(
    connection: Connection, stop_id: UUID, people: Mapping[UUID, Side]
) -> dict[UUID, Quota]:
    """Read the quotas of those for whom it is another one than by default."""
    sides = await quotas.sides(connection, stop_id)
    return effective(sides, await quotas.parts(connection, stop_id), people)


async def names(connection: Connection, stop_id: UUID, people: Iterable[UUID]) -> Names:
    """Read what the people, points and times of a stop are called."""
    stop = await looking.existing_stop(connection, stop_id)
    rows = await meetings.companies(connection, people)
    return Names(
        companies={
            person: Bilingual(en=row["organization"], zh=row["native_organization"] or "")
            for person, row in rows.items()
        },
        points=await sessions.labels(connection, stop_id),
        zone=ZoneInfo(stop["timezone"]),
    )


def involved(entries: Iterable[Entry], current: Iterable[Meeting]) -> set[UUID]:
    """Give everybody of a version and of the meetings there are."""
    pairs = [*(entry.people for entry in entries), *(meeting.people for meeting in current)]
    return {person for pair in pairs for person in pair}


def _rooms(found: Layout) -> dict[UUID, Room]:
    """Give each session with its slots and points, of all its venues together."""
    rooms: dict[UUID, Room] = {}
    for session_id in {place.session_id for place in found.places}:
        places = [place for place in found.places if place.session_id == session_id]
        slots = {place.slot.starts_at: place.slot for place in places}
        rooms[session_id] = Room(
            session_id=session_id,
            slots=[slots[at] for at in sorted(slots)],
            points={point.id: point for place in places for point in place.points},
            people=places[0].people,
        )
    return rooms


def _site(found: Layout) -> Site:
    return Site(
        venues={
            (place.session_id, point.id): place.venue
            for place in found.places
            for point in place.points
        },
        ways=found.travel_minutes,
        owners=found.owners,
        precedences=found.precedences,
        rest=found.rest,
    )
