"""The queue of messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.notify.domain.mail import LEASE, ChannelName, Kind, Message, State
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
    connection: Connection, message_id: int, state: State, reason: str | None = None
) -> None:
    """Say why a mail is not sent, or did not arrive."""
    await connection.execute(
        "UPDATE message SET state = $2, reason = $3, sent_at = NULL WHERE id = $1",
        message_id,
        state,
        reason,
    )


async def put_off(connection: Connection, message_id: int, at: datetime, reason: str) -> None:
    """Try a mail again at a time, and say why it was not sent."""
    await connection.execute(
        "UPDATE message SET next_attempt_at = $2, reason = $3 WHERE id = $1",
        message_id,
        at,
        reason,
    )


async def waiting(connection: Connection, now: datetime) -> timedelta:
    """Say how long the oldest unsent mail has waited."""
    oldest: Any = await connection.fetchval(
        "SELECT min(created_at) FROM message WHERE state = 'queued'"
    )
    return now - oldest if oldest else timedelta(0)
