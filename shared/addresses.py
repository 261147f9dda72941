"""Addresses that strangers may have us call: public ones alone, and those that the settings allow.

A name never decides, as it can be written in many ways and lead elsewhere a moment later: what it
leads to is looked at, and then that very address is called.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

import httpx2

URL_LENGTH_MAX = 2_000
PORTS = {"https": 443, "http": 80}

_HOST = re.compile(r"[A-Za-z0-9._:-]+")
"""A name, or an address without a zone."""

Address = IPv4Address | IPv6Address

# IANA's registries of special-purpose addresses (RFC 6890), where they are not globally reachable;
# with them multicast, the relays of 6to4, and the address by which Azure's machines ask for theirs.
# Written down, as what Python knows of them depends on its version.
_NOT_PUBLIC_V4 = tuple(
    ip_network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",
    )
)
# Of IPv6 this alone is handed out (RFC 4291, 2.4): what maps or translates to IPv4, local and
# multicast addresses are outside of it.
_HANDED_OUT_V6 = IPv6Network("2000::/3")
# Teredo and its neighbours, examples, 6to4, and examples again.
_NOT_PUBLIC_V6 = tuple(
    IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


class Blocked(Exception):
    """We do not call this; `code` says why: not_an_address, not_https or not_public."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def is_public(address: Address) -> bool:
    """Say whether an address is one of the Internet's, and nobody's own."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _NOT_PUBLIC_V4)
    return address in _HANDED_OUT_V6 and not any(address in one for one in _NOT_PUBLIC_V6)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `host` is as it is resolved, and named to the other side."""

    scheme: str
    host: str
    port: int
    path: bytes
    """With the query, percent-encoded."""

    @property
    def authority(self) -> str:
        """Give what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> Self:
        """Read a URL; raises `Blocked` for what is none of http and https, or names a user."""
        try:
            read = httpx2.URL(url)
            port = PORTS[read.scheme] if read.port is None else read.port
        except (httpx2.InvalidURL, KeyError, ValueError) as error:
            raise Blocked("not_an_address") from error
        host = read.raw_host.decode("ascii")
        is_plain = _HOST.fullmatch(host) and not read.userinfo and len(url) <= URL_LENGTH_MAX
        if not is_plain or not 0 < port < 2**16:
            raise Blocked("not_an_address")
        return cls(read.scheme, host, port, read.raw_path)


class Allowed:
    """What the settings allow beyond public addresses: hosts by name, and networks."""

    def __init__(self, entries: Sequence[str] = ()) -> None:
        """Read entries, each a network, an address or a host's name."""
        self._names = set()
        self._networks = []
        for entry in entries:
            try:
                self._networks.append(ip_network(entry))
            except ValueError:
                self._names.add(entry.lower().rstrip("."))

    @classmethod
    def read(cls, listed: str) -> Self:
        """Read a list with commas between its entries."""
        return cls([part.strip() for part in listed.split(",") if part.strip()])

    def check(self, target: Target) -> None:
        """Raise `Blocked` for what can be refused before anything is resolved."""
        literal = _literal(target.host)
        if literal is not None:
            self.check_addresses(target, [literal])
        if target.scheme != "https" and not self._is_listed(target, literal):
            raise Blocked("not_https")

    def check_addresses(self, target: Target, addresses: Sequence[Address]) -> None:
        """Raise `Blocked` unless all that a name leads to may be called."""
        if target.host.lower().rstrip(".") in self._names:
            return
        if not all(is_public(address) or self._has(address) for address in addresses):
            raise Blocked("not_public")

    def _is_listed(self, target: Target, literal: Address | None) -> bool:
        is_named = target.host.lower().rstrip(".") in self._names
        return is_named or (literal is not None and self._has(literal))

    def _has(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
