"""Limits: how often one client may ask, as token buckets in the memory of a process.

A process that starts anew has forgotten everybody, and several processes count each for itself:
this keeps one client from taking what is there for all, and is no quota.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from shared.access import Principal
from shared.errors import TooMany

CLIENTS_MAX = 20_000
MINUTE = 60.0
HOUR = 3600.0
DAY = 24 * HOUR
# What a provider gives to one household (RFC 6177): within it addresses cost nothing.
_HOUSEHOLD_BITS = 64


class Limit:
    """So many in so many seconds for each client, `burst` of them at once; 0: no limit.

    Of more than `clients_max` clients, who came least lately is forgotten.
    """

    def __init__(
        self,
        count: int,
        seconds: float,
        *,
        burst: int | None = None,
        clients_max: int = CLIENTS_MAX,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._step = seconds / count if count else 0.0
        self._slack = self._step * ((burst or count) - 1)
        self._clients_max = clients_max
        self._clock = clock
        # By GCRA: when the bucket of each would be full again, and nothing else.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_seconds(self, client: str, weight: int = 1) -> float:
        """Count one request, or what weighs as many; gives 0, or how long it comes too early."""
        if not self._step:
            return 0.0
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now)
        early = full_at - now - self._slack + self._step * (weight - 1)
        if early > 0:
            return early
        self._full_at[client] = full_at + self._step * weight
        self._full_at.move_to_end(client)
        if len(self._full_at) > self._clients_max:
            self._full_at.popitem(last=False)
        return 0.0

    def give_back(self, client: str, weight: int) -> None:
        """Count so many less, as far as they are remembered."""
        if client in self._full_at:
            self._full_at[client] -= self._step * weight

    def take(self, client: str, weight: int = 1) -> None:
        """Count one request, or what weighs as many; raises `TooMany`."""
        if wait := self.wait_seconds(client, weight):
            raise TooMany("This is asked too often from here; try again later.", retry_seconds=wait)


def client_of(request: Request, who: Principal | None = None) -> str:
    """Name who asks: whose credential it is, else the address it comes from.

    The address is what the gateway saw: the server believes no header of anybody else.
    """
    return named(request.scope, who)


def named(scope: Scope, who: Principal | None) -> str:
    """Do the same for a request as the server has it."""
    if who is not None:
        return who.subject.hex
    client = scope.get("client")
    return _address(client[0]) if client else ""


async def client(request: Request) -> str:
    """Name who asks without a credential."""
    return client_of(request)


Client = Annotated[str, Depends(client)]


@lru_cache(maxsize=4096)
def _address(host: str) -> str:
    """Give an address as it is counted: of IPv6 the part that is one customer's."""
    if ":" not in host:
        return host
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - _HOUSEHOLD_BITS):x}::"
