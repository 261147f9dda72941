"""Waiting for a moment, in a way that can be cancelled."""

import asyncio
import contextlib


async def moment(woken: asyncio.Event, seconds_max: float) -> None:
    """Wait until `woken` is set, or for a moment.

    Not by `asyncio.wait_for`: before Python 3.12 it loses a cancellation that comes just as the
    event is set, and the loop that was to end goes on for ever.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds_max):
            await woken.wait()
