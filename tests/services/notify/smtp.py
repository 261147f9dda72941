"""A real SMTP server for tests, which gives the answers it is told to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.smtp import SMTP


@dataclass
class Server:
    """What it answers, and what it took."""

    recipient: str = "250 OK"
    port: int = 0
    paths: list[str] = field(default_factory=list)
    taken: list[bytes] = field(default_factory=list)

    # aiosmtpd names its hooks so.
    async def handle_RCPT(self, *given: Any) -> str:  # noqa: N802
        _, _, envelope, address, _ = given
        if self.recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, *given: Any) -> str:  # noqa: N802
        _, _, envelope = given
        self.paths.append(envelope.mail_from)
        self.taken.append(envelope.content)
        return "250 Kept"


@asynccontextmanager
async def listening(**options: Any) -> AsyncIterator[Server]:
    """Listen on a free port; `options` are aiosmtpd's."""
    server, loop = Server(), asyncio.get_running_loop()
    opened = await loop.create_server(lambda: SMTP(server, loop=loop, **options), "127.0.0.1", 0)
    async with opened:
        server.port = opened.sockets[0].getsockname()[1]
        yield server
