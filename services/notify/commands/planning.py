"""Planning: something to tell becomes messages, by the rules of its mission and people's wishes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID, uuid4

from services.notify.domain.mail import ChannelName, Message
from services.notify.domain.rules import chosen, is_told_enough, second
from services.notify.store import changes, messages, wishes
from services.notify.store.messages import News
from shared.postgres import Connection

WITHOUT_SETTINGS: Collection[ChannelName] = ("email", "print")
"""Channels that are there with any settings."""


async def tell(
    connection: Connection,
    told: Sequence[News],
    now: datetime,
    available: Collection[ChannelName] = WITHOUT_SETTINGS,
) -> None:
    """Queue news of one mission, each for one person, over the channels that its reader hears."""
    if not told:
        return
    rules = await wishes.rules_of(connection, told[0].mission_id)
    wanted = await wishes.of_people(connection, {news.person_id for news in told})
    await messages.queue(
        connection,
        [
            (news, notification_id, channel)
            for news in told
            for notification_id in [uuid4()]
            for channel in chosen(news.kind, wanted[news.person_id], rules, available)
        ],
        now,
    )


async def tell_due(
    connection: Connection, now: datetime, available: Collection[ChannelName]
) -> None:
    """Queue what was gathered until now."""
    by_mission: dict[UUID, list[News]] = {}
    for news in await changes.take_due_notices(connection, now):
        by_mission.setdefault(news.mission_id, []).append(news)
    for told in by_mission.values():
        await tell(connection, told, now, available)


async def tell_otherwise(
    connection: Connection, failed: Message, now: datetime, available: Collection[ChannelName]
) -> ChannelName | None:
    """Queue a message that failed for good over another channel, and say which.

    None: there is no other, or this person is told enough.
    """
    tried = await messages.channels_of(connection, failed.notification_id)
    others = [state for channel, state in tried.items() if channel != failed.channel]
    if is_told_enough(failed.channel, others):
        return None
    rules = await wishes.rules_of(connection, failed.mission_id)
    wanted = await wishes.of_people(connection, [failed.person_id])
    channel = second(failed.kind, tried, wanted[failed.person_id], rules, available)
    if channel is not None:
        await messages.copy(connection, failed.id, channel, now)
    return channel
