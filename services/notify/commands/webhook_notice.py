"""A notice to a partner's staff, and to who added a webhook: it was switched off, and why."""

import tomllib
from datetime import datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from services.notify.commands.planning import tell
from services.notify.domain.announcing import Announcement
from services.notify.domain.webhooks import Reason
from services.notify.store import announcements, feed, staff
from services.notify.store.messages import News
from shared.events.base import Bilingual
from shared.postgres import Connection

_TEXTS = tomllib.loads(
    (Path(__file__).parent / "mails" / "webhooks.toml").read_text(encoding="utf-8")
)


async def tell_switched_off(
    connection: Connection, webhook: asyncpg.Record, reason: Reason, now: datetime
) -> None:
    """Write to who works for the partner at all that it tells of, and to who added the webhook."""
    partner_id = webhook["partner_id"]
    place = await feed.place_of(connection, partner_id) if partner_id else None
    if place is None:
        return
    news = []
    for person in sorted(await _readers(connection, webhook)):
        one = _announcement(webhook, place["stop_id"], reason)
        # Each reader's own: it is not listed with what staff writes to many.
        await announcements.put(connection, one, person, now)
        news.append(
            News("announcement", person, one.mission_id, one.stop_id, announcement_id=one.id)
        )
    await tell(connection, news, now)


async def _readers(connection: Connection, webhook: asyncpg.Record) -> set[UUID]:
    stops = await feed.stops_of(connection, webhook["partner_id"])
    if webhook["stop_ids"] is not None:
        # Added by a key, which has no address, or by one of those who are found.
        stops &= set(webhook["stop_ids"])
        return await staff.of_partner(connection, webhook["partner_id"], stops)
    found = await staff.of_partner(connection, webhook["partner_id"], stops)
    return found | {webhook["created_by"]}


def _announcement(webhook: asyncpg.Record, stop_id: UUID, reason: Reason) -> Announcement:
    page = f"/partner/{webhook['partner_id']}/webhooks/{webhook['id']}"
    return Announcement(
        id=uuid4(),
        mission_id=webhook["mission_id"],
        stop_id=stop_id,
        subject=Bilingual(**_TEXTS["subject"]),
        body=Bilingual(
            **{
                language: text.format(url=webhook["url"], page=page)
                for language, text in _TEXTS[reason].items()
            }
        ),
    )
