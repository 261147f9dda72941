"""The embedded mailbox."""

from dataclasses import dataclass

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


async def find(
    connection: Connection, address: str, after: int, limit: int
) -> list[asyncpg.Record]:
    """List mails to addresses that contain `address`, newest first; `after` is an id or 0."""
    return await connection.fetch(
        "SELECT id, received_at, recipients, subject, message_id FROM mailbox_message "
        "WHERE ($1 = '' OR EXISTS (SELECT FROM unnest(recipients) AS recipient "
        "WHERE strpos(lower(recipient), lower($1)) > 0)) AND ($2::bigint = 0 OR id < $2) "
        "ORDER BY id DESC LIMIT $3",
        address,
        after,
        limit,
    )


async def read(connection: Connection, id_: int) -> asyncpg.Record | None:
    """Read one mail."""
    return await connection.fetchrow(
        "SELECT id, received_at, recipients, subject, message_id, content FROM mailbox_message "
        "WHERE id = $1",
        id_,
    )
