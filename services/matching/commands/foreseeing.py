"""Foreseeing: days that may soon need a repair are read before anybody asks for one.

Nothing depends on it: a repair reads what is not kept yet.
"""

import asyncio
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog

from services.matching.commands.keeping import Days, Kept
from services.matching.store import facts, repairs
from shared.http import now
from shared.postgres import Database, is_outage

AHEAD = timedelta(hours=6)
"""From the evening before on, by the stop's own clock."""
LOOK_SECONDS = 5.0
REST_RATIO = 9
"""So many times as long as a look has taken there is none: a tenth of a processor is the most."""

log = structlog.get_logger()


async def foresee_for_ever(database: Database, days: Days) -> None:
    """Keep the days that are near up to date, one after the other."""
    while True:
        began = time.monotonic()
        await foresee(database, days, now())
        await asyncio.sleep(max(LOOK_SECONDS, REST_RATIO * (time.monotonic() - began)))


async def foresee(database: Database, days: Days, at: datetime) -> None:
    """Read each day that is near and has meetings, or what changed of it since."""
    async with database.reading() as connection:
        # No clock is further than a day from any other.
        first, last = (at - timedelta(days=1)).date(), (at + AHEAD + timedelta(days=1)).date()
        stops = await repairs.stops_of_days(connection, first, last)
    near = {stop["id"]: stop for stop in stops if _is_near(stop, at)}
    for stop_id, kept in days.ahead([*near]).items():
        # Whoever has its turn reads the same.
        if not kept.turn.locked():
            await _renew(database, kept, near[stop_id])


async def _renew(database: Database, kept: Kept, stop: facts.Row) -> None:
    try:
        async with kept.turn:
            await kept.renew(database, stop)
    except Exception as error:
        if is_outage(error):
            raise
        # Whoever asks for a repair of it is told; others go on.
        log.exception("day not read ahead", stop_id=str(stop["id"]))


def _is_near(stop: facts.Row, at: datetime) -> bool:
    """Say whether a stop's day is on, or begins within hours."""
    here = at.astimezone(ZoneInfo(stop["timezone"]))
    return stop["held_on"] in (here.date(), (here + AHEAD).date())
