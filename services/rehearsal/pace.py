"""Pace: how fast simulated time goes by."""

import asyncio
import time
from datetime import datetime


class Pace:
    """Runs a day at some times real time, or as fast as it can be played."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[datetime, float] | None = None

    def begin(self, moment: datetime) -> None:
        """Let the clock of a new day start; the nights between days take no time."""
        self._began = (moment, time.monotonic())

    async def until(self, moment: datetime) -> None:
        """Wait until the day's clock shows a moment."""
        if not self._speed:
            return
        assert self._began is not None
        began, at = self._began
        due = at + (moment - began).total_seconds() / self._speed
        await asyncio.sleep(max(0.0, due - time.monotonic()))
