"""Asking: those who met are asked again what came of it, in waves after a mission's last stop."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notify.commands.planning import WITHOUT_SETTINGS, tell
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import after_quiet
from services.notify.domain.waves import wave_due
from services.notify.store import waves, wishes
from services.notify.store.messages import News
from services.notify.store.waves import LastStop
from shared.postgres import Connection, Database

LOOK_SECONDS = 60


async def ask(
    database: Database, at: datetime, available: Collection[ChannelName] = WITHOUT_SETTINGS
) -> int:
    """Ask whoever is to be asked at a time, each once, and count them.

    Who is asked is noted in the transaction that queues the messages: after a crash there are
    both or neither.
    """
    async with database.reading() as connection:
        ends = await waves.last_stops(connection)
    count = 0
    for last in ends:
        days = wave_due(last.held_on, ZoneInfo(last.timezone), at)
        if days is not None:
            async with database.transaction() as connection:
                count += await _ask(connection, last, days, at, available)
    return count


async def _ask(
    connection: Connection,
    last: LastStop,
    days: int,
    at: datetime,
    available: Collection[ChannelName],
) -> int:
    rules = await wishes.rules_of(connection, last.mission_id)
    if after_quiet(at, rules, ZoneInfo(last.timezone)) > at:
        # Only a wave that is made up for, or a mission that is quiet by day: it waits.
        return 0
    people = await waves.begin(connection, last.mission_id, days, at)
    news = [News("results", person, last.mission_id, stop) for person, stop in people]
    await tell(connection, news, at, available)
    return len(news)
