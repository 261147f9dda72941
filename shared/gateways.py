"""Gateways: who stands before us, and is believed about who asks."""

from functools import lru_cache
from ipaddress import ip_address, ip_network

from starlette.types import Scope

ADDRESS_LENGTH_MAX = 45
"""Of IPv6, with an address of IPv4 within."""
SCHEMES = frozenset({"http", "https"})


class Gateways:
    """Addresses and networks that are believed; `given` names them with commas between."""

    def __init__(self, given: str) -> None:
        networks = [ip_network(one.strip()) for one in given.split(",") if one.strip()]
        self._addresses = {str(one[0]) for one in networks if one.num_addresses == 1}
        self._networks = [one for one in networks if one.num_addresses > 1]
        self._is_within = lru_cache(maxsize=4096)(self._look)

    def tell(self, scope: Scope) -> None:
        """Write into a request who asks, and by which scheme, if a gateway says so.

        Each gateway adds whom it saw at the end of `X-Forwarded-For`: the last address that is not
        a gateway's own is the one that a gateway saw, and what stands before it anybody may have
        written (OWASP).
        """
        client = scope.get("client")
        if client is None or not self._is_ours(client[0]):
            return
        seen: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                seen += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-proto" and value.decode("latin-1").strip() in SCHEMES:
                scope["scheme"] = value.decode("latin-1").strip()
        while seen:
            address = _without_port(seen.pop().strip())
            if not (seen and self._is_ours(address)):
                if address:
                    scope["client"] = (address, 0)
                return

    def _is_ours(self, address: str) -> bool:
        if address in self._addresses:
            return True
        # An address of IPv4 has one spelling.
        may_be = bool(self._networks) or ":" in address
        return may_be and len(address) <= ADDRESS_LENGTH_MAX and self._is_within(address)

    def _look(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        return str(found) in self._addresses or any(found in one for one in self._networks)


def _without_port(address: str) -> str:
    """Give the address of `192.0.2.1:5000` and `[2001:db8::1]:5000`; anything else as it is."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
