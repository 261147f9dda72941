"""The repairer: finds a repair while the service answers others."""

import asyncio
import time

from services.matching.domain.repair.day import Day, Disturbance
from services.matching.domain.repair.proposal import Proposal, repair


async def in_a_thread(day: Day, disturbance: Disturbance) -> Proposal:
    """Find a repair beside the event loop."""
    return await asyncio.to_thread(repair, day, disturbance, time.monotonic)
