"""A mail server that takes every mail and keeps none: prints its port, and at the end their number.

A process of its own, so that its work is not counted as the sender's.
"""

import asyncio
import sys

from aiosmtpd.smtp import SMTP


class Sink:
    """Counts."""

    taken = 0

    async def handle_DATA(self, *given: object) -> str:  # noqa: N802  # aiosmtpd names its hooks so
        """Take one."""
        del given
        self.taken += 1
        return "250 Kept"


async def main() -> None:
    """Serve until the input ends."""
    sink, loop = Sink(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(sink, loop=loop), "127.0.0.1", 0)
    async with server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
    print(sink.taken, flush=True)


asyncio.run(main())
