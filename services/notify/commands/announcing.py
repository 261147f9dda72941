"""Announcing: staff writes to many at once, each over the channels that this reader hears."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from services.notify.channels.base import Reach
from services.notify.commands.planning import tell
from services.notify.domain.announcing import NOBODY, Announcement, audience
from services.notify.store import announcements, messages
from services.notify.store.messages import News
from shared.errors import Invalid
from shared.postgres import Database


async def heard_by(database: Database, one: Announcement) -> set[UUID]:
    """Say who would hear an announcement now."""
    async with database.reading() as connection:
        return audience(await announcements.meetings_on(connection, one.stop_id), one)


async def announce(
    database: Database,
    reach: Reach,
    one: Announcement,
    by: tuple[UUID, datetime],
    *,
    to_group: bool = False,
) -> int:
    """Tell everybody whom an announcement is for, and count them; again it tells nobody.

    `by` is who does so and when. `to_group` has the stop's group in WeCom told as well. Raises
    `Invalid` when nobody would hear it.
    """
    written_by, now = by
    async with database.transaction() as connection:
        people = audience(await announcements.meetings_on(connection, one.stop_id), one)
        if not people:
            raise Invalid("Nobody would hear this.", code="nobody_hears")
        if not await announcements.put(connection, one, written_by, now):
            return 0
        news = [_news(one, person) for person in sorted(people)]
        await tell(connection, news, now, reach.available)
        if to_group and "wecom" in reach.available:
            await messages.queue(connection, [(_news(one, NOBODY), uuid4(), "wecom")], now)
    return len(people)


async def try_out(
    database: Database, reach: Reach, one: Announcement, by: tuple[UUID, datetime]
) -> None:
    """Send an announcement to who writes it, and to nobody else."""
    written_by, now = by
    sample = replace(one, id=uuid4())
    async with database.transaction() as connection:
        await announcements.put(connection, sample, written_by, now)
        await tell(connection, [_news(sample, written_by)], now, reach.available)


def _news(one: Announcement, person: UUID) -> News:
    return News("announcement", person, one.mission_id, one.stop_id, announcement_id=one.id)
