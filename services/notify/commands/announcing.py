"""Announcing: staff writes to many at once, each over the channels that this reader hears."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID, uuid4

from services.notify.channels.base import Reach
from services.notify.commands.planning import tell
from services.notify.domain.announcing import NOBODY, Announcement, audience
from services.notify.store import announcements, messages, wishes
from services.notify.store.messages import News
from shared.access import Principal
from shared.auditing import note
from shared.errors import Fault, Invalid
from shared.postgres import Connection, Database


async def heard_by(database: Database, one: Announcement) -> set[UUID]:
    """Say who would hear an announcement now."""
    async with database.reading() as connection:
        people = audience(await announcements.meetings_on(connection, one.stop_id), one)
        return await _listening(connection, people)


async def announce(
    database: Database,
    reach: Reach,
    one: Announcement,
    by: tuple[Principal, datetime],
    *,
    to_group: bool = False,
) -> int:
    """Tell everybody whom an announcement is for, and count them; again it tells nobody.

    `by` is who does so and when. `to_group` has the stop's group in WeCom told as well. Raises
    `Invalid` when nobody would hear it.
    """
    who, now = by
    async with database.transaction() as connection:
        people = audience(await announcements.meetings_on(connection, one.stop_id), one)
        listening = await _listening(connection, people)
        if not listening:
            narrowed = next((n for n in ("organization", "side") if getattr(one, n)), "stop_id")
            fault = Fault(f"/{narrowed}", "Nobody there is reached by messages.")
            raise Invalid("Nobody would hear this.", code="nobody_hears", faults=[fault])
        if not await announcements.put(connection, one, who.subject, now):
            return 0
        news = [_news(one, person) for person in sorted(people)]
        await tell(connection, news, now, reach.available)
        if to_group and "wecom" in reach.available:
            await messages.queue(connection, [(_news(one, NOBODY), uuid4(), "wecom")], now)
        details = {"people": len(listening), "to_group": to_group}
        await _note(connection, "announcement.sent", one, by, details)
    return len(listening)


async def try_out(
    database: Database, reach: Reach, one: Announcement, by: tuple[Principal, datetime]
) -> None:
    """Send an announcement to who writes it, and to nobody else."""
    who, now = by
    sample = replace(one, id=uuid4())
    async with database.transaction() as connection:
        await announcements.put(connection, sample, who.subject, now)
        await tell(connection, [_news(sample, who.subject)], now, reach.available)
        await _note(connection, "announcement.tried", sample, by, {})


async def _listening(connection: Connection, people: Collection[UUID]) -> set[UUID]:
    """Say who of these people wants what is written to many."""
    wanted = await wishes.of_people(connection, people)
    return {person for person in people if wanted[person].announcements}


async def _note(
    connection: Connection,
    action: str,
    one: Announcement,
    by: tuple[Principal, datetime],
    details: Mapping[str, int],
) -> None:
    who, now = by
    await note(
        connection,
        who,
        action,
        subject_id=one.id,
        mission_id=one.mission_id,
        stop_id=one.stop_id,
        details={"side": one.side, "is_for_one_company": one.organization is not None, **details},
        now=now,
    )


def _news(one: Announcement, person: UUID) -> News:
    return News("announcement", person, one.mission_id, one.stop_id, announcement_id=one.id)
