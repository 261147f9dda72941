"""The repairer: finds a repair in a thread, while the service answers others."""

import asyncio
import time
from datetime import datetime

from services.matching.commands.aside import aside
from services.matching.commands.keeping import Days, Kept
from services.matching.domain.repair.day import Disturbance
from services.matching.domain.repair.proposal import Proposal, repair


class Repairer:
    """Finds one repair at a time: the next waits for half a second at most."""

    def __init__(self) -> None:
        self.days = Days()
        self._turn = asyncio.Lock()

    async def __call__(self, kept: Kept, disturbance: Disturbance, now: datetime) -> Proposal:
        """Find a repair of a day that is up to date; the caller has its turn."""
        async with self._turn:
            return await aside(_repaired, kept, disturbance, now)


def _repaired(kept: Kept, disturbance: Disturbance, now: datetime) -> Proposal:
    with kept.guard:
        day, chart = kept.day([pair.people for pair in disturbance.wanted], now)
        return repair(day, disturbance, time.monotonic, chart)
