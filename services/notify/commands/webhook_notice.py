"""A notice to who added a webhook: it was switched off, and why."""

import tomllib
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import asyncpg

from services.notify.commands.planning import tell
from services.notify.domain.announcing import Announcement
from services.notify.domain.webhooks import Reason
from services.notify.store import announcements, feed
from services.notify.store.messages import News
from shared.events.base import Bilingual
from shared.postgres import Connection

_TEXTS = tomllib.loads(
    (Path(__file__).parent / "mails" / "webhooks.toml").read_text(encoding="utf-8")
)


async def tell_switched_off(
    connection: Connection, webhook: asyncpg.Record, reason: Reason, now: datetime
) -> None:
    """Write to who added a webhook; one that a partner's system added tells it by its state."""
    partner_id, author = webhook["partner_id"], webhook["created_by"]
    place = await feed.place_of(connection, partner_id) if partner_id else None
    # A key has stops of its own, and no address.
    if place is None or webhook["stop_ids"] is not None:
        return
    page = f"/partner/{partner_id}/webhooks/{webhook['id']}"
    one = Announcement(
        id=uuid4(),
        mission_id=webhook["mission_id"],
        stop_id=place["stop_id"],
        subject=Bilingual(**_TEXTS["subject"]),
        body=Bilingual(
            **{
                language: text.format(url=webhook["url"], page=page)
                for language, text in _TEXTS[reason].items()
            }
        ),
    )
    await announcements.put(connection, one, author, now)
    news = News("announcement", author, one.mission_id, one.stop_id, announcement_id=one.id)
    await tell(connection, [news], now)
