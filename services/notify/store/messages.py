"""The queue of mails, and what is gathered before it becomes one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.domain.mail import LEASE, QUIET, WAIT_MAX, ChannelName, Kind, Message
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class About:
    """What a mail about a registration is about."""

    stop_id: UUID
    programme_item_id: UUID
    offered_until: datetime | None = None


async def queue(
    connection: Connection,
    kind: Kind,
    person_id: UUID,
    mission_id: UUID,
    now: datetime,
    about: About | None = None,
) -> None:
    """Add a mail."""
    await connection.execute(
        "INSERT INTO message (kind, person_id, mission_id, stop_id, programme_item_id, "
        "next_attempt_at, created_at, offered_until) VALUES ($1, $2, $3, $4, $5, $6, $6, $7)",
        kind,
        person_id,
        mission_id,
        *((about.stop_id, about.programme_item_id) if about else (None, None)),
        now,
        about.offered_until if about else None,
    )


async def note_change(
    connection: Connection,
    people: Sequence[UUID],
    meeting: tuple[UUID, UUID, UUID],
    revision: int,
    now: datetime,
) -> None:
    """Remember that people are to hear of a change of `meeting`: its id, stop and mission."""
    meeting_id, stop_id, mission_id = meeting
    await connection.execute(
        "INSERT INTO told (person_id, meeting_id, stop_id, changed_revision) "
        "SELECT DISTINCT person_id, $2::uuid, $3::uuid, $4::bigint "
        "FROM unnest($1::uuid[]) AS person_id "
        "ON CONFLICT (person_id, meeting_id) DO UPDATE "
        "SET changed_revision = greatest(told.changed_revision, excluded.changed_revision)",
        people,
        meeting_id,
        stop_id,
        revision,
    )
    await connection.execute(
        "INSERT INTO notice (person_id, stop_id, mission_id, since, due_at) "
        "SELECT DISTINCT person_id, $2::uuid, $3::uuid, $4::timestamptz, $4 + $5::interval "
        "FROM unnest($1::uuid[]) AS person_id "
        "ON CONFLICT (person_id, stop_id) DO UPDATE "
        "SET due_at = least(excluded.due_at, notice.since + $6::interval)",
        people,
        stop_id,
        mission_id,
        now,
        QUIET,
        WAIT_MAX,
    )


async def queue_due_notices(connection: Connection, now: datetime) -> int:
    """Turn the notices that are due into mails and count them.

    One whose person still has an unsent schedule mail of that stop waits: that mail may have been
    rendered before the change.
    """
    rows = await connection.fetch(
        "WITH due AS (SELECT person_id, stop_id FROM notice WHERE due_at <= $1 "
        "AND NOT EXISTS (SELECT FROM message WHERE message.person_id = notice.person_id "
        "AND message.stop_id = notice.stop_id AND kind = 'schedule' AND state = 'queued') "
        "ORDER BY due_at LIMIT 500 FOR UPDATE SKIP LOCKED), "
        "gone AS (DELETE FROM notice USING due WHERE notice.person_id = due.person_id "
        "AND notice.stop_id = due.stop_id "
        "RETURNING notice.person_id, notice.stop_id, notice.mission_id) "
        "INSERT INTO message (kind, person_id, mission_id, stop_id, next_attempt_at, created_at) "
        "SELECT 'schedule', person_id, mission_id, stop_id, $1, $1 FROM gone RETURNING id",
        now,
    )
    return len(rows)


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
        "attempts, offered_until, notification_id, channel, is_urgent, "
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
        "changed_revision, told_revision "
        "FROM told JOIN live_meeting ON live_meeting.meeting_id = told.meeting_id "
        "WHERE told.person_id = $1 AND told.stop_id = $2 "
        "ORDER BY starts_at, live_meeting.meeting_id",
        person_id,
        stop_id,
    )


async def mark_told(
    connection: Connection, person_id: UUID, revisions: Sequence[tuple[UUID, int]]
) -> None:
    """Remember which change of each meeting somebody has been told of."""
    await connection.execute(
        "UPDATE told SET told_revision = greatest(told_revision, heard.revision) "
        "FROM unnest($2::uuid[], $3::bigint[]) AS heard (meeting_id, revision) "
        "WHERE told.person_id = $1 AND told.meeting_id = heard.meeting_id",
        person_id,
        [meeting_id for meeting_id, _ in revisions],
        [revision for _, revision in revisions],
    )


async def waiting(connection: Connection, now: datetime) -> timedelta:
    """Say how long the oldest unsent mail has waited."""
    oldest: Any = await connection.fetchval(
        "SELECT min(created_at) FROM message WHERE state = 'queued'"
    )
    return now - oldest if oldest else timedelta(0)


async def deliveries(
    connection: Connection,
    mission_id: UUID | None,
    person_id: UUID | None,
    after: int,
    limit: int,
) -> list[asyncpg.Record]:
    """List mails and what became of them, newest first; `after` is an id or 0, None is any."""
    return await connection.fetch(
        "SELECT id, message_id, kind, person_id, mission_id, stop_id, programme_item_id, state, "
        "attempts, next_attempt_at, created_at, sent_at, reason FROM message "
        "WHERE ($1::uuid IS NULL OR mission_id = $1) AND ($2::uuid IS NULL OR person_id = $2) "
        "AND ($3 = 0 OR id < $3) ORDER BY id DESC LIMIT $4",
        mission_id,
        person_id,
        after,
        limit,
    )
