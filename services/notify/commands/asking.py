"""Asking: those who met are asked again what came of it, in waves after a mission's last stop."""

from collections.abc import Collection
from datetime import datetime
from zoneinfo import ZoneInfo

from services.notify.commands.planning import WITHOUT_SETTINGS, tell
from services.notify.domain.mail import ChannelName
from services.notify.domain.rules import after_quiet
from services.notify.domain.waves import AGAIN, last_days, wave_due
from services.notify.store import waves, wishes
from services.notify.store.messages import News
from services.notify.store.waves import LastStop
from shared.postgres import Connection, Database
from shared.waves import ending

LOOK_SECONDS = 60


async def ask(
    database: Database, at: datetime, available: Collection[ChannelName] = WITHOUT_SETTINGS
) -> int:
    """Ask whoever is to be asked at a time, each once, and count them.

    One statement says where a wave is open, which reads stops and what was looked at. Meetings
    are read for those alone: when a wave comes due, whenever a meeting of its mission begins
    after that, once an hour for what was noted late, and when the rules or the last day change.
    Who is asked is noted in the transaction that queues the messages: after a crash there are
    both or neither.
    """
    async with database.reading() as connection:
        found = await waves.open_waves(connection, at, last_days(at))
    ordered = sorted(found, key=lambda last: ending(last.held_on, last.timezone))
    ends = {last.mission_id: last for last in ordered}
    count = 0
    for last in ends.values():
        if wave_due(last.held_on, ZoneInfo(last.timezone), at) == last.days:
            async with database.transaction() as connection:
                count += await _ask(connection, last, at, available)
    return count


async def _ask(
    connection: Connection, last: LastStop, at: datetime, available: Collection[ChannelName]
) -> int:
    rules = await wishes.rules_of(connection, last.mission_id)
    if not rules.asks_for_results:
        return 0
    # Quiet only for a wave that is made up for, or a mission that is quiet by day.
    told_at = after_quiet(at, rules, ZoneInfo(last.timezone))
    is_quiet = told_at > at
    is_first = await waves.look(connection, last, at, told_at if is_quiet else at + AGAIN)
    if is_quiet or not is_first:
        return 0
    people = await waves.begin(connection, last.mission_id, last.days, at)
    news = [News("results", person, last.mission_id, stop) for person, stop in people]
    await tell(connection, news, at, available)
    return len(news)
