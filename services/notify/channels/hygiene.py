"""What keeps mail welcome: who cannot be reached is left alone, and no domain is rushed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from services.notify.channels.base import Later, Refused
from services.notify.store import suppressions
from shared.postgres import Database

MINUTE = timedelta(minutes=1)
DOMAINS_MAX = 10_000

Digest = Callable[[str], bytes]
"""Makes of an address what stands for it where no address may be."""


class Throttle:
    """So many mails a minute to one domain, evenly; 0: as many as there are."""

    def __init__(self, per_minute: int) -> None:
        self._gap = MINUTE / per_minute if per_minute else timedelta(0)
        self._free: dict[str, datetime] = {}

    def take(self, address: str, now: datetime) -> None:
        """Take the domain's turn; raises `Later` before it comes."""
        domain = address.rpartition("@")[2].casefold()
        free = self._free.get(domain, now)
        if free > now:
            raise Later(free)
        if len(self._free) >= DOMAINS_MAX:
            self._free = {name: at for name, at in self._free.items() if at > now}
        self._free[domain] = now + self._gap


class Hygiene:
    """The suppression list and the throttle, asked before each mail."""

    def __init__(self, database: Database, digest: Digest, throttle: Throttle) -> None:
        self._database = database
        self._digest = digest
        self._throttle = throttle

    async def check(self, person_id: UUID, address: str, now: datetime) -> None:
        """Raise `Refused` for an address that no mail reaches, `Later` for a domain's next turn."""
        async with self._database.reading() as connection:
            reason = await suppressions.why(connection, person_id, self.stands_for(address))
        if reason is not None:
            raise Refused(f"Suppressed, as mail came back: {reason}")
        self._throttle.take(address, now)

    async def suppress(self, person_id: UUID, address: str, reason: str, now: datetime) -> None:
        """Write to an address no more."""
        async with self._database.transaction() as connection:
            await suppressions.put(connection, person_id, self.stands_for(address), reason, now)

    def stands_for(self, address: str) -> bytes:
        """Give what stands for an address on the list."""
        return self._digest(address.casefold())
