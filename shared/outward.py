"""Outward: requests to addresses that strangers give, which must never lead into our own network.

https alone, but for hosts that the settings list. A name is resolved once for each connection; if
anything that it leads to is not public, nothing is called, and else that very address: what the
name leads to a moment later (DNS rebinding) does not matter. The certificate is the name's. No
redirect is followed, and neither time nor size of an answer is left to the other side.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any, Self

from shared.addresses import Address, Allowed, Target
from shared.authorities import authorities
from shared.wire import Answer, NoAnswer, Wire, request

SECONDS_MAX = 15.0
BYTES_MAX = 65_536
ADDRESSES_MAX = 4
CONNECT_SECONDS_MAX = 5.0
IDLE_SECONDS_MAX = 1.5
"""Shorter than servers wait: none should close a connection just as it is used."""
LIFE_SECONDS_MAX = 60.0
"""Then the name is resolved anew."""
IDLE_MAX = 64
"""Of one origin."""
RESOLVERS = 32

Resolve = Callable[[str, int], Awaitable[list[Address]]]
Origin = tuple[str, str, int]

HEADERS = {"User-Agent": "Tradewind", "Accept-Encoding": "identity"}


class Outward:
    """A client for strangers' addresses. Connections are kept for a moment, and used again."""

    def __init__(
        self,
        allowed: Allowed,
        resolve: Resolve,
        trusted: ssl.SSLContext | None = None,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._seconds_max = seconds_max
        self._trusted = trusted or authorities()
        self._idle: dict[Origin, list[tuple[Wire, asyncio.TimerHandle]]] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, allowed: Allowed) -> AsyncIterator[Self]:
        """Open a client, and close its connections at the end."""
        # Threads of its own: names that nobody answers for must keep nobody else waiting.
        threads = ThreadPoolExecutor(RESOLVERS, "resolver")
        outward = cls(allowed, resolver(threads))
        try:
            yield outward
        finally:
            outward.close()
            threads.shutdown(wait=False, cancel_futures=True)

    def check(self, url: str) -> Target:
        """Read an address; raises `Blocked` when it will never be called, whatever it leads to."""
        target = Target.of(url)
        self._allowed.check(target)
        return target

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        seconds_max: float | None = None,
        bytes_max: int = BYTES_MAX,
    ) -> Answer:
        """Send a request, and give its answer whatever its status.

        All of it takes at most `seconds_max`, else what this client was made with; of the content
        `bytes_max` bytes are read. Raises `Blocked` and `NoAnswer`.
        """
        target = self.check(url)
        sent = request(method, target, HEADERS | dict(headers or {}), content)
        try:
            async with asyncio.timeout(seconds_max or self._seconds_max):
                wire = self._kept(target) or await self._connect(target)
                answer = await wire.ask(sent, bytes_max)
        except TimeoutError:
            raise NoAnswer("timed_out") from None
        self._keep(target, wire)
        return answer

    def close(self) -> None:
        """Close the connections that wait for another request."""
        for wires in self._idle.values():
            for wire, expiry in wires:
                expiry.cancel()
                wire.close()
        self._idle.clear()

    def _kept(self, target: Target) -> Wire | None:
        wires = self._idle.get(_origin(target), [])
        while wires:
            wire, expiry = wires.pop()
            expiry.cancel()
            if wire.is_open:
                return wire
        self._idle.pop(_origin(target), None)
        return None

    def _keep(self, target: Target, wire: Wire) -> None:
        loop = asyncio.get_running_loop()
        wires = self._idle.setdefault(_origin(target), [])
        if len(wires) < IDLE_MAX and loop.time() - wire.opened_at < LIFE_SECONDS_MAX:
            expiry = loop.call_later(IDLE_SECONDS_MAX, self._expire, _origin(target))
            wires.append((wire, expiry))
        else:
            wire.close()

    def _expire(self, origin: Origin) -> None:
        """Close the one that was kept first; the last are used first."""
        wires = self._idle[origin]
        wires.pop(0)[0].close()
        if not wires:
            del self._idle[origin]

    async def _connect(self, target: Target) -> Wire:
        addresses = await self._resolve(target.host, target.port)
        self._allowed.check_addresses(target, addresses)
        code = "no_such_host"
        for address in addresses[:ADDRESSES_MAX]:
            try:
                return await self._connect_to(target, address)
            except ssl.SSLError:
                code = "not_trusted"
            except OSError:
                code = "not_connected"
        raise NoAnswer(code)

    async def _connect_to(self, target: Target, address: Address) -> Wire:
        tls: dict[str, Any] = {}
        if target.scheme == "https":
            tls = {"ssl": self._trusted, "server_hostname": target.host}
        loop = asyncio.get_running_loop()
        # A name may have several addresses: one that is silent must not take all the time.
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, wire = await loop.create_connection(Wire, str(address), target.port, **tls)
        return wire


def resolver(threads: ThreadPoolExecutor) -> Resolve:
    """Make a function that resolves names as this machine does."""

    async def resolve(host: str, port: int) -> list[Address]:
        try:
            # Not the loop's own: uvloop has four threads for all names.
            found = await asyncio.get_running_loop().run_in_executor(
                threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
        except (OSError, UnicodeError):
            raise NoAnswer("no_such_host") from None
        return [ip_address(address[0]) for *_, address in found]

    return resolve


def _origin(target: Target) -> Origin:
    return (target.scheme, target.host, target.port)
