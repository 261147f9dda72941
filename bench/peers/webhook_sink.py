"""A receiver of webhooks that costs as little as one can: reads a request, answers 204.

Beside the benchmark as a process of its own: `python -m bench.peers.webhook_sink PORT`.
"""

import asyncio
import sys
from typing import cast

import uvloop

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
LENGTH = b"content-length:"


class Sink(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._came = b""

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._came += data
        while (end := self._came.find(b"\r\n\r\n")) >= 0:
            lines = self._came[:end].lower().split(b"\r\n")
            length = next(int(one[len(LENGTH) :]) for one in lines if one.startswith(LENGTH))
            if len(self._came) < end + 4 + length:
                return
            self._came = self._came[end + 4 + length :]
            self._transport.write(ANSWER)


async def main(port: int) -> None:
    """Listen for ever."""
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
