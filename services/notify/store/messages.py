"""The queue of messages, and what is gathered before it becomes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.domain.mail import LEASE, QUIET, WAIT_MAX, ChannelName, Kind, Message, State
from services.notify.domain.rules import Turn
from shared.postgres import Connection, columns


@dataclass(frozen=True, slots=True)
class About:
    """What a message about a registration is about."""

    stop_id: UUID
    programme_item_id: UUID
    offered_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """Something that one person is to hear."""

    kind: Kind
    person_id: UUID
    mission_id: UUID
    stop_id: UUID | None = None
    programme_item_id: UUID | None = None
    offered_until: datetime | None = None
    is_urgent: bool = False
    announcement_id: UUID | None = None

    @classmethod
    def of(
        cls, kind: Kind, person_id: UUID, mission_id: UUID, about: About | None = None
    ) -> "News":
        """Make news about a registration, or about nothing in particular."""
        if about is None:
            return cls(kind, person_id, mission_id)
        return cls(
            kind,
            person_id,
            mission_id,
            about.stop_id,
            about.programme_item_id,
            about.offered_until,
        )


@dataclass(frozen=True, slots=True)
class Heard:
    """What somebody knows of a meeting that changes."""

    person_id: UUID
    told_starts_at: datetime | None
    """When it begins by what this person was told."""
    has_heard: bool
    """Whether this person was ever told of any meeting at the stop."""


async def queue(
    connection: Connection, messages: Sequence[tuple[News, UUID, ChannelName]], now: datetime
) -> None:
    """Add messages, each with its notification's id and its channel; never one twice."""
    rows = [
        (
            news.kind,
            news.person_id,
            news.mission_id,
            news.stop_id,
            news.programme_item_id,
            news.offered_until,
            news.is_urgent,
            notification_id,
            channel,
            news.announcement_id,
        )
        for news, notification_id, channel in messages
    ]
    await connection.execute(
        "INSERT INTO message (kind, person_id, mission_id, stop_id, programme_item_id, "
        "offered_until, is_urgent, notification_id, channel, announcement_id, next_attempt_at, "
        "created_at) SELECT *, $11::timestamptz, $11 "
        "FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], "
        "$6::timestamptz[], $7::boolean[], $8::uuid[], $9::text[], $10::uuid[]) "
        "ON CONFLICT (notification_id, channel) DO NOTHING",
        *columns(rows, 10),
        now,
    )


async def copy(connection: Connection, message: int, channel: ChannelName, now: datetime) -> None:
    """Queue what a message says over another channel, unless it goes over that already."""
    await connection.execute(
        "INSERT INTO message (kind, person_id, mission_id, stop_id, programme_item_id, "
        "offered_until, is_urgent, notification_id, announcement_id, channel, next_attempt_at, "
        "created_at) SELECT kind, person_id, mission_id, stop_id, programme_item_id, "
        "offered_until, is_urgent, notification_id, announcement_id, $2, $3::timestamptz, $3 "
        "FROM message WHERE id = $1 "
        "ON CONFLICT (notification_id, channel) DO NOTHING",
        message,
        channel,
        now,
    )


async def channels_of(connection: Connection, notification_id: UUID) -> dict[ChannelName, State]:
    """Say over which channels something goes, or went, and what became of each."""
    rows = await connection.fetch(
        "SELECT channel, state FROM message WHERE notification_id = $1", notification_id
    )
    return {row["channel"]: row["state"] for row in rows}


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


async def claim(
    connection: Connection, channel: ChannelName, now: datetime, *, limit: int
) -> list[Message]:
    """Take a channel's due messages for the length of a lease; of each person the oldest alone."""
    rows = await connection.fetch(
        "UPDATE message SET attempts = attempts + 1, next_attempt_at = $1::timestamptz + $2 "
        "WHERE id IN (SELECT id FROM message AS due WHERE state = 'queued' AND channel = $4 "
        "AND next_attempt_at <= $1 AND NOT EXISTS (SELECT FROM message AS earlier "
        "WHERE earlier.person_id = due.person_id AND earlier.channel = $4 "
        "AND earlier.state = 'queued' AND earlier.id < due.id) "
        "ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED) "
        "RETURNING id, message_id, kind, person_id, mission_id, stop_id, programme_item_id, "
        "attempts, offered_until, notification_id, announcement_id, channel, is_urgent, "
        "NOT EXISTS (SELECT FROM message AS lead WHERE lead.id < message.id "
        "AND lead.notification_id = message.notification_id) AS is_lead",
        now,
        LEASE,
        limit,
        channel,
    )
    return sorted((Message(**row) for row in rows), key=lambda message: message.id)


async def release(
    connection: Connection, ids: Sequence[int], at: datetime, *, is_uncounted: bool
) -> None:
    """Give claimed mails back, to be tried at a time; an uncounted attempt was none."""
    await connection.execute(
        "UPDATE message SET next_attempt_at = $2, attempts = attempts - $3::int "
        "WHERE id = ANY($1) AND state = 'queued'",
        ids,
        at,
        int(is_uncounted),
    )


async def end(
    connection: Connection, message_id: int, state: str, now: datetime, reason: str | None = None
) -> None:
    """Say what became of a mail."""
    await connection.execute(
        "UPDATE message SET state = $2, reason = $3, "
        "sent_at = CASE WHEN $2 = 'sent' THEN $4::timestamptz END WHERE id = $1",
        message_id,
        state,
        reason,
        now,
    )


async def put_off(connection: Connection, message_id: int, at: datetime, reason: str) -> None:
    """Try a mail again at a time, and say why it was not sent."""
    await connection.execute(
        "UPDATE message SET next_attempt_at = $2, reason = $3 WHERE id = $1",
        message_id,
        at,
        reason,
    )


async def calendar(connection: Connection, person_id: UUID, stop_id: UUID) -> list[asyncpg.Record]:
    """Read every meeting of a stop that somebody was ever to hear of, by time."""
    return await connection.fetch(
        "SELECT live_meeting.meeting_id, live_meeting.revision, live, "
        "people @> ARRAY[$1::uuid] AND state <> 'cancelled' AS is_on, "
        "changed_revision, told_revision, starts_at "
        "FROM told JOIN live_meeting ON live_meeting.meeting_id = told.meeting_id "
        "WHERE told.person_id = $1 AND told.stop_id = $2 "
        "ORDER BY starts_at, live_meeting.meeting_id",
        person_id,
        stop_id,
    )


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


async def waiting(connection: Connection, now: datetime) -> timedelta:
    """Say how long the oldest unsent mail has waited."""
    oldest: Any = await connection.fetchval(
        "SELECT min(created_at) FROM message WHERE state = 'queued'"
    )
    return now - oldest if oldest else timedelta(0)
