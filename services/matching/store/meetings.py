"""Meetings and what they hold."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.matching.domain.meetings import Meeting, Spot
from shared.postgres import Connection, columns

Row = asyncpg.Record

# In the order of a meeting's fields, its spot's in their place.
MEETING = (
    "id, stop_id, mission_id, session_id, delegate_id, local_id, "
    "starts_at, ends_at, point_id, interpreter_id, interpreter_needed, schedule_number, "
    "state, revision, delay_minutes, delegate_attendance, local_attendance, locked, "
    "started_at, finished_at, intervention"
)

AWAY = (
    "UNION ALL SELECT resource_id, lower(during), upper(during) FROM absence "
    "WHERE resource_id = ANY($1::uuid[]) UNION ALL "
    # Whoever said when he or she is there is taken for the rest of the stop's sessions.
    "SELECT resource_id, lower(away), upper(away) FROM (SELECT resource_id, "
    "unnest(tstzmultirange(tstzrange(begins, ends)) - range_agg(during)) AS away "
    "FROM availability JOIN (SELECT stop_id, min(starts_at) AS begins, "
    "max(starts_at) + interval '1 day' AS ends FROM meeting_session GROUP BY stop_id) "
    "AS day USING (stop_id) WHERE resource_id = ANY($1::uuid[]) "
    "GROUP BY stop_id, resource_id, begins, ends) AS gaps"
)

BOOKED_AT_ONCE = 4_000
"""The day of thousands of people is more than one statement holds within its time."""


async def put(connection: Connection, meetings: Sequence[Meeting]) -> None:
    """Write meetings, new or changed; their bookings are written by `book`."""
    names = MEETING.split(", ")
    values = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    changes = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    await connection.executemany(
        f"INSERT INTO meeting ({MEETING}) VALUES ({values}) "  # noqa: S608
        f"ON CONFLICT (id) DO UPDATE SET {changes}",
        [_values(meeting) for meeting in meetings],
    )


def _values(meeting: Meeting) -> tuple[object, ...]:
    return (
        meeting.id,
        meeting.stop_id,
        meeting.mission_id,
        meeting.session_id,
        meeting.delegate_id,
        meeting.local_id,
        meeting.spot.starts_at,
        meeting.spot.ends_at,
        meeting.spot.point_id,
        meeting.spot.interpreter_id,
        meeting.interpreter_needed,
        meeting.schedule_number,
        meeting.state,
        meeting.revision,
        meeting.delay_minutes,
        meeting.delegate_attendance,
        meeting.local_attendance,
        meeting.locked,
        meeting.started_at,
        meeting.finished_at,
        meeting.intervention,
    )


async def book(connection: Connection, meetings: Sequence[Meeting]) -> None:
    """Hold what meetings need, and nothing else; a cancelled one holds nothing."""
    # All of them first: the wall of ways looks at what is there with each statement.
    await connection.execute(
        "DELETE FROM booking WHERE meeting_id = ANY($1::uuid[])", [one.id for one in meetings]
    )
    held = [
        (one.id, resource, one.spot.starts_at, one.spot.ends_at)
        for one in meetings
        if one.state != "cancelled"
        for resource in one.resources
    ]
    for first in range(0, len(held), BOOKED_AT_ONCE):
        await connection.execute(
            "INSERT INTO booking (meeting_id, resource_id, during) "
            "SELECT meeting_id, resource_id, tstzrange(starts_at, ends_at) FROM "
            "unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) "
            "AS held (meeting_id, resource_id, starts_at, ends_at)",
            *columns(held[first : first + BOOKED_AT_ONCE], 4),
        )


async def check_walls(connection: Connection) -> None:
    """Check now that nobody is in two places; raises `asyncpg.ExclusionViolationError`."""
    await connection.execute("SET CONSTRAINTS nobody_in_two_places IMMEDIATE")


async def one(connection: Connection, meeting_id: UUID, *, lock: bool = False) -> Meeting | None:
    """Read a meeting."""
    row = await connection.fetchrow(
        f"SELECT {MEETING} FROM meeting WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        meeting_id,
    )
    return read(row) if row else None


async def of_stop(connection: Connection, stop_id: UUID, *, lock: bool = False) -> list[Meeting]:
    """List a stop's meetings in order of time."""
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting WHERE stop_id = $1 "  # noqa: S608
        f"ORDER BY starts_at, id{' FOR UPDATE' if lock else ''}",
        stop_id,
    )
    return [read(row) for row in rows]


async def open_of_person(
    connection: Connection, participant_id: UUID, item_id: UUID
) -> list[Meeting]:
    """List the meetings not begun that somebody has at a programme item, locked."""
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting WHERE $1 IN (delegate_id, local_id) "  # noqa: S608
        "AND state IN ('scheduled', 'called') AND session_id IN "
        "(SELECT id FROM meeting_session WHERE programme_item_id = $2) ORDER BY id FOR UPDATE",
        participant_id,
        item_id,
    )
    return [read(row) for row in rows]


async def on_point(connection: Connection, point_id: UUID, since: datetime) -> list[Meeting]:
    """List the meetings not begun that stand on a point and end after a time."""
    rows = await connection.fetch(
        f"SELECT {MEETING} FROM meeting WHERE point_id = $1 AND ends_at > $2 "  # noqa: S608
        "AND state IN ('scheduled', 'called') ORDER BY starts_at, id",
        point_id,
        since,
    )
    return [read(row) for row in rows]


async def pairs_elsewhere(
    connection: Connection, mission_id: UUID, stop_id: UUID, person_id: UUID | None = None
) -> set[frozenset[UUID]]:
    """List the pairs that meet at another stop of the mission, all of them or one person's."""
    rows = await connection.fetch(
        "SELECT delegate_id, local_id FROM meeting "
        "WHERE mission_id = $1 AND stop_id <> $2 AND state <> 'cancelled' "
        "AND ($3::uuid IS NULL OR $3 IN (delegate_id, local_id))",
        mission_id,
        stop_id,
        person_id,
    )
    return {frozenset(row) for row in rows}


async def bookings(
    connection: Connection, resources: Iterable[UUID], without: Iterable[UUID] = ()
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    """Give when people, points and interpreters are taken by other meetings, or are away."""
    rows = await connection.fetch(
        "SELECT resource_id, lower(during) AS starts_at, upper(during) AS ends_at FROM booking "  # noqa: S608
        f"WHERE resource_id = ANY($1::uuid[]) AND NOT meeting_id = ANY($2::uuid[]) {AWAY}",
        list(resources),
        list(without),
    )
    return _by_resource(rows)


async def bookings_elsewhere(
    connection: Connection, resources: Iterable[UUID], mission_id: UUID, stop_id: UUID
) -> dict[UUID, list[tuple[datetime, datetime]]]:
    """Give when they are taken by meetings of the mission's other stops, or are away."""
    rows = await connection.fetch(
        "SELECT resource_id, lower(during) AS starts_at, upper(during) AS ends_at FROM meeting "  # noqa: S608
        "JOIN booking ON booking.meeting_id = meeting.id WHERE meeting.mission_id = $2 "
        f"AND meeting.stop_id <> $3 AND resource_id = ANY($1::uuid[]) {AWAY}",
        list(resources),
        mission_id,
        stop_id,
    )
    return _by_resource(rows)


def _by_resource(rows: Iterable[Row]) -> dict[UUID, list[tuple[datetime, datetime]]]:
    found: dict[UUID, list[tuple[datetime, datetime]]] = {}
    for row in rows:
        found.setdefault(row["resource_id"], []).append((row["starts_at"], row["ends_at"]))
    return found


async def companies(connection: Connection, people: Iterable[UUID]) -> dict[UUID, Row]:
    """Read which companies people are from."""
    rows = await connection.fetch(
        "SELECT id, side, organization, native_organization, partner_id FROM participant "
        "WHERE id = ANY($1::uuid[])",
        list(people),
    )
    return {row["id"]: row for row in rows}


async def languages(connection: Connection, people: Iterable[UUID]) -> list[list[str]]:
    """Read what each of these people speaks."""
    rows = await connection.fetch(
        "SELECT languages FROM participant WHERE id = ANY($1::uuid[])", list(people)
    )
    return [row["languages"] for row in rows]


def read(row: Any) -> Meeting:
    """Turn a row with the columns `MEETING` into a meeting."""
    fields: tuple[Any, ...] = (*row[:6], Spot(*row[6:10]), *row[10:])
    return Meeting(*fields)
