"""The embedded mailbox."""

from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class Received:
    """A mail as the SMTP server took it."""

    recipients: tuple[str, ...]
    subject: str
    message_id: str
    content: bytes


async def put(connection: Connection, mail: Received) -> None:
    """Keep a mail."""
    await connection.execute(
        "INSERT INTO mailbox_message (recipients, subject, message_id, content) "
        "VALUES ($1, $2, $3, $4)",
        mail.recipients,
        mail.subject,
        mail.message_id,
        mail.content,
    )


# The mission of a mail is that of the message which it carries in its name.
_OF_MISSION = (
    "($1::uuid IS NULL OR EXISTS (SELECT FROM message WHERE message.mission_id = $1 "
    "AND message.message_id = substring(mailbox_message.message_id "
    "FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')::uuid))"
)


async def find(
    connection: Connection, mission_id: UUID | None, address: str, after: int, limit: int
) -> list[asyncpg.Record]:
    """List mails to addresses that contain `address`, newest first; `after` is an id or 0.

    Those of one mission, or where that is None of all.
    """
    return await connection.fetch(
        "SELECT id, received_at, recipients, subject, message_id FROM mailbox_message "  # noqa: S608
        "WHERE ($2 = '' OR EXISTS (SELECT FROM unnest(recipients) AS recipient "
        "WHERE strpos(lower(recipient), lower($2)) > 0)) AND ($3::bigint = 0 OR id < $3) "
        f"AND {_OF_MISSION} ORDER BY id DESC LIMIT $4",
        mission_id,
        address,
        after,
        limit,
    )


async def read(connection: Connection, mission_id: UUID | None, id_: int) -> asyncpg.Record | None:
    """Read one mail, of one mission or of any."""
    return await connection.fetchrow(
        "SELECT id, received_at, recipients, subject, message_id, content "  # noqa: S608
        "FROM mailbox_message "
        f"WHERE id = $2 AND {_OF_MISSION}",
        mission_id,
        id_,
    )
