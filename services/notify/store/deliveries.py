"""The delivery log: each message over each channel, its attempts, and what staff does about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from services.notify.domain.mail import Kind, Message
from shared.postgres import Connection

Shown = Literal["all", "trouble", "waiting", "sent"]

PEOPLE_MAX = 2_000

_COLUMNS = (
    "message.id, message_id, notification_id, kind, channel, person_id, mission_id, stop_id, "
    "programme_item_id, state, attempts, next_attempt_at, created_at, sent_at, reason"
)
_OPEN = "by_hand.listed_at IS NOT NULL AND by_hand.told_at IS NULL"
_SHOWN: dict[Shown, str] = {
    "all": "true",
    "trouble": f"(state = 'failed' OR {_OPEN})",
    "waiting": "state = 'queued'",
    "sent": "state = 'sent'",
}
_EACH = ", ".join(f"count(*) FILTER (WHERE {rule}) AS {name}" for name, rule in _SHOWN.items())
_COUNTS = (
    f"SELECT {_EACH}, count(*) FILTER (WHERE {_OPEN}) AS by_hand FROM message "  # noqa: S608  # our own words
    "LEFT JOIN by_hand ON by_hand.message = message.id WHERE stop_id = $1"
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which messages somebody wants to see, newest first; None is any."""

    mission_id: UUID | None = None
    stop_id: UUID | None = None
    people: Sequence[UUID] | None = None
    shown: Shown = "all"
    after: int = 0
    """An id to go on with, or 0."""


async def find(connection: Connection, asked: Asked, limit: int) -> list[asyncpg.Record]:
    """List messages and what became of them.

    Of a stop's people that were asked for by name, messages about no stop are listed as well.
    """
    return await connection.fetch(
        f"SELECT {_COLUMNS}, announcement_id, by_hand.listed_at, by_hand.told_at "  # noqa: S608  # our own words
        "FROM message LEFT JOIN by_hand ON by_hand.message = message.id "
        "WHERE ($1::uuid IS NULL OR mission_id = $1) "
        "AND ($2::uuid IS NULL OR stop_id = $2 OR ($3::uuid[] IS NOT NULL AND stop_id IS NULL)) "
        "AND ($3::uuid[] IS NULL OR person_id = ANY($3)) AND ($4::bigint = 0 OR message.id < $4) "
        f"AND {_SHOWN[asked.shown]} ORDER BY message.id DESC LIMIT $5",
        asked.mission_id,
        asked.stop_id,
        asked.people,
        asked.after,
        limit,
    )


async def people_of_stop(connection: Connection, stop_id: UUID) -> list[UUID]:
    """List who was ever written to about a stop, at most `PEOPLE_MAX`."""
    rows = await connection.fetch(
        "SELECT DISTINCT person_id FROM message WHERE stop_id = $1 LIMIT $2", stop_id, PEOPLE_MAX
    )
    return [row["person_id"] for row in rows]


async def is_written_to(connection: Connection, stop_id: UUID, person_id: UUID) -> bool:
    """Say whether somebody was ever written to about a stop."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM message WHERE person_id = $2 AND stop_id = $1)",
        stop_id,
        person_id,
    )
    return bool(found)


async def counts(connection: Connection, stop_id: UUID) -> dict[str, int]:
    """Count a stop's messages as each view shows them."""
    row = await connection.fetchrow(_COUNTS, stop_id)
    assert row is not None
    return dict(row)


async def read(connection: Connection, id_: int) -> Message | None:
    """Read one message, for as long as the transaction lasts nobody else's."""
    row = await connection.fetchrow(
        "SELECT id, message_id, kind, person_id, mission_id, stop_id, programme_item_id, attempts, "
        "notification_id, offered_until, announcement_id, channel, is_urgent FROM message "
        "WHERE id = $1 FOR UPDATE",
        id_,
    )
    return Message(**row) if row else None


async def latest(connection: Connection, mission_id: UUID, kind: Kind, limit: int) -> list[Message]:
    """Read the last message of a kind to each of a mission's people, the latest first."""
    rows = await connection.fetch(
        "SELECT * FROM (SELECT DISTINCT ON (person_id) id, message_id, kind, person_id, "
        "mission_id, stop_id, programme_item_id, attempts, notification_id, offered_until, "
        "announcement_id, channel, is_urgent FROM message WHERE mission_id = $1 AND kind = $2 "
        "AND channel = 'email' ORDER BY person_id, id DESC) AS last ORDER BY id DESC LIMIT $3",
        mission_id,
        kind,
        limit,
    )
    return [Message(**row) for row in rows]


async def reader_of(connection: Connection, message_id: UUID) -> UUID | None:
    """Say whom a mail was for, by its Message-ID."""
    person_id: UUID | None = await connection.fetchval(
        "SELECT person_id FROM message WHERE message_id = $1 AND channel = 'email'", message_id
    )
    return person_id


async def sent_as(connection: Connection, message_id: UUID) -> Message | None:
    """Read a mail that was sent, by its Message-ID, for the length of the transaction."""
    id_ = await connection.fetchval(
        "SELECT id FROM message WHERE message_id = $1 AND channel = 'email' AND state = 'sent' "
        "FOR UPDATE",
        message_id,
    )
    return await read(connection, id_) if id_ is not None else None


async def retry(connection: Connection, id_: int, now: datetime) -> bool:
    """Queue a message anew that failed; False: it did not."""
    done = await connection.fetchval(
        "UPDATE message SET state = 'queued', attempts = 0, next_attempt_at = $2, reason = NULL, "
        "retried_at = $2 WHERE id = $1 AND state = 'failed' RETURNING true",
        id_,
        now,
    )
    return bool(done)


async def on_the_sheet(connection: Connection, stop_id: UUID) -> list[Message]:
    """Read what is still to be told by hand about a stop, the oldest first."""
    rows = await connection.fetch(
        "SELECT id, message_id, kind, person_id, mission_id, stop_id, programme_item_id, attempts, "
        "notification_id, offered_until, announcement_id, channel, is_urgent, false AS is_lead "
        "FROM by_hand JOIN message ON message.id = by_hand.message "
        "WHERE stop_id = $1 AND told_at IS NULL ORDER BY listed_at, id",
        stop_id,
    )
    return [Message(**row) for row in rows]


async def mark_told(connection: Connection, id_: int, now: datetime) -> bool:
    """Note that somebody was told by hand; False: nothing was on the sheet."""
    done = await connection.fetchval(
        "UPDATE by_hand SET told_at = $2 WHERE message = $1 AND told_at IS NULL RETURNING true",
        id_,
        now,
    )
    return bool(done)
