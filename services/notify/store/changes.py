"""What people were told of their meetings, and what is gathered before they are told more."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.notify.domain.mail import QUIET, WAIT_MAX
from services.notify.domain.rules import Turn
from services.notify.store.messages import News
from shared.postgres import Connection, columns


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody knows of a meeting that changes."""

    person_id: UUID
    told_starts_at: datetime | None
    """When it begins by what this person was told."""
    has_heard: bool
    """Whether this person was ever told of any meeting at the stop."""


async def heard(
    connection: Connection, people: Sequence[UUID], meeting_id: UUID, stop_id: UUID
) -> list[Heard]:
    """Say what people know of a meeting and of their day, each person once."""
    rows = await connection.fetch(
        "SELECT person.id AS person_id, "
        "(SELECT told_starts_at FROM told WHERE person_id = person.id AND meeting_id = $2), "
        "EXISTS (SELECT FROM told WHERE person_id = person.id AND stop_id = $3 "
        "AND told_revision IS NOT NULL) AS has_heard "
        "FROM (SELECT DISTINCT unnest($1::uuid[]) AS id) AS person",
        people,
        meeting_id,
        stop_id,
    )
    return [Heard(**row) for row in rows]


async def note_change(
    connection: Connection,
    turns: Mapping[UUID, Turn],
    meeting: tuple[UUID, UUID, UUID],
    revision: int,
    now: datetime,
) -> None:
    """Remember when people are to hear of a change of `meeting`: its id, stop and mission.

    What is told at once waits for more of its kind, and takes along what waited for a digest.
    """
    meeting_id, stop_id, mission_id = meeting
    people = list(turns)
    await connection.execute(
        "INSERT INTO told (person_id, meeting_id, stop_id, changed_revision) "
        "SELECT person_id, $2::uuid, $3::uuid, $4::bigint FROM unnest($1::uuid[]) AS person_id "
        "ON CONFLICT (person_id, meeting_id) DO UPDATE "
        "SET changed_revision = greatest(told.changed_revision, excluded.changed_revision)",
        people,
        meeting_id,
        stop_id,
        revision,
    )
    at_once = now + QUIET
    await connection.execute(
        "INSERT INTO notice (person_id, stop_id, mission_id, since, due_at, is_urgent) "
        "SELECT person_id, $2::uuid, $3::uuid, $4::timestamptz, due_at, is_urgent "
        "FROM unnest($1::uuid[], $5::timestamptz[], $6::boolean[]) "
        "AS turn (person_id, due_at, is_urgent) "
        "ON CONFLICT (person_id, stop_id) DO UPDATE SET "
        "since = CASE WHEN excluded.due_at <= $7 AND notice.due_at > notice.since + $8 "
        "THEN excluded.since ELSE notice.since END, "
        "due_at = CASE WHEN excluded.due_at > $7 THEN least(notice.due_at, excluded.due_at) "
        "WHEN notice.due_at > notice.since + $8 THEN excluded.due_at "
        "ELSE least(excluded.due_at, notice.since + $8) END, "
        "is_urgent = notice.is_urgent OR excluded.is_urgent",
        people,
        stop_id,
        mission_id,
        now,
        [max(at_once, turns[person].at) for person in people],
        [turns[person].is_urgent for person in people],
        at_once,
        WAIT_MAX,
    )


async def take_due_notices(connection: Connection, now: datetime) -> list[News]:
    """Take the notices that are due.

    One whose person still has an unsent schedule mail of that stop waits: that mail may have been
    rendered before the change.
    """
    rows = await connection.fetch(
        "WITH due AS (SELECT person_id, stop_id FROM notice WHERE due_at <= $1 "
        "AND NOT EXISTS (SELECT FROM message WHERE message.person_id = notice.person_id "
        "AND message.stop_id = notice.stop_id AND kind = 'schedule' AND channel = 'email' "
        "AND state = 'queued') "
        "ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED) "
        "DELETE FROM notice USING due WHERE notice.person_id = due.person_id "
        "AND notice.stop_id = due.stop_id "
        "RETURNING notice.person_id, notice.stop_id, notice.mission_id, notice.is_urgent",
        now,
    )
    return [News("schedule", **row) for row in rows]


async def calendars(
    connection: Connection, days: Collection[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], list[asyncpg.Record]]:
    """Read every meeting that people were ever to hear of, by person and stop, then by time."""
    rows = await connection.fetch(
        "SELECT day.person_id, day.stop_id, live_meeting.meeting_id, live_meeting.revision, live, "
        "people @> ARRAY[day.person_id] AND state <> 'cancelled' AS is_on, "
        "changed_revision, told_revision, starts_at "
        "FROM unnest($1::uuid[], $2::uuid[]) AS day (person_id, stop_id) "
        "JOIN told ON told.person_id = day.person_id AND told.stop_id = day.stop_id "
        "JOIN live_meeting ON live_meeting.meeting_id = told.meeting_id "
        "ORDER BY starts_at, live_meeting.meeting_id",
        *columns(list(days), 2),
    )
    found: dict[tuple[UUID, UUID], list[asyncpg.Record]] = {day: [] for day in days}
    for row in rows:
        found[row["person_id"], row["stop_id"]].append(row)
    return found


async def mark_told(
    connection: Connection, person_id: UUID, revisions: Sequence[tuple[UUID, int, datetime]]
) -> None:
    """Remember which change of each meeting somebody has been told of, and its beginning."""
    await connection.execute(
        "UPDATE told SET told_revision = heard.revision, told_starts_at = heard.starts_at "
        "FROM unnest($2::uuid[], $3::bigint[], $4::timestamptz[]) "
        "AS heard (meeting_id, revision, starts_at) "
        "WHERE told.person_id = $1 AND told.meeting_id = heard.meeting_id "
        "AND coalesce(told_revision, -1) <= heard.revision",
        person_id,
        *columns(revisions, 3),
    )
