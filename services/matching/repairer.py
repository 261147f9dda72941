"""The repairer: finds a repair in a thread, while the service answers others."""

import asyncio
import sys
import time

from services.matching.domain.repair.day import Day, Disturbance
from services.matching.domain.repair.proposal import Proposal, repair

SWITCH_SECONDS = 0.0005
"""How long others wait for their turn while a repair is searched; usually it is ten times that."""


class Repairer:
    """Finds one repair at a time: the next waits for half a second at most."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def __call__(self, day: Day, disturbance: Disturbance) -> Proposal:
        """Find a repair."""
        async with self._turn:
            usual = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
            try:
                return await asyncio.to_thread(repair, day, disturbance, time.monotonic)
            finally:
                sys.setswitchinterval(usual)
