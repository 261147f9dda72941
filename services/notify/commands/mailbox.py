"""The embedded mailbox: a real SMTP server whose mails go into a table, and reading them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import default
from typing import Any
from uuid import UUID

import asyncpg

from services.notify.store import mailbox
from shared.errors import NotFound
from shared.postgres import OUTAGE, Database

HOST = "127.0.0.1"


@asynccontextmanager
async def receiving(database: Database) -> AsyncIterator[int]:
    """Take mails on a free port of this machine, and give the port."""
    # Optional: only a process with a mailbox has it.
    from aiosmtpd.smtp import SMTP

    loop = asyncio.get_running_loop()
    handler = _Keeper(database)
    server = await loop.create_server(
        lambda: SMTP(handler, hostname="mailbox.localhost", loop=loop, enable_SMTPUTF8=True),
        HOST,
        0,
    )
    async with server:
        yield server.sockets[0].getsockname()[1]


class _Keeper:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def handle_DATA(  # noqa: N802  # aiosmtpd names its hooks so
        self, server: object, session: object, envelope: Any
    ) -> str:
        del server, session
        # Headers alone, as plain text: the mail is parsed when somebody opens it.
        headers = BytesHeaderParser().parsebytes(envelope.content)
        received = mailbox.Received(
            recipients=tuple(envelope.rcpt_tos),
            subject=str(make_header(decode_header(headers["Subject"] or ""))),
            message_id=str(headers["Message-ID"] or ""),
            content=bytes(envelope.content),
        )
        try:
            async with self._database.transaction() as connection:
                await mailbox.put(connection, received)
        except OUTAGE:
            return "451 The mailbox is away; try again."
        return "250 Kept"


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail as its reader sees it."""

    id: int
    received_at: Any
    recipients: tuple[str, ...]
    subject: str
    text: str
    page: str | None
    """The same as HTML."""
    calendar: bytes | None


async def find(
    database: Database, address: str, after: int, limit: int, mission_id: UUID | None = None
) -> list[asyncpg.Record]:
    """List mails to addresses that contain `address`, newest first; `after` is an id or 0.

    Those of one mission, or where that is None of all.
    """
    async with database.reading() as connection:
        return await mailbox.find(connection, mission_id, address, after, limit)


async def opened(database: Database, id_: int, mission_id: UUID | None = None) -> Opened:
    """Read a mail, of one mission or of any; raises `NotFound`."""
    async with database.reading() as connection:
        row = await mailbox.read(connection, mission_id, id_)
    if row is None:
        raise NotFound("There is no such mail.")
    mail = message_from_bytes(row["content"], policy=default)
    assert isinstance(mail, EmailMessage)
    body, page = mail.get_body(("plain",)), mail.get_body(("html",))
    calendars = [part for part in mail.iter_attachments() if part.get_filename()]
    return Opened(
        id=row["id"],
        received_at=row["received_at"],
        recipients=tuple(row["recipients"]),
        subject=row["subject"],
        text=body.get_content() if body else "",
        page=page.get_content() if page else None,
        calendar=calendars[0].get_payload(decode=True) if calendars else None,  # type: ignore[arg-type]  # bytes: it is a leaf
    )
