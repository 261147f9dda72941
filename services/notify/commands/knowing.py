"""Knowing: what the messages of a batch are about, read once for all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from services.notify.domain.announcing import Announcement
from services.notify.domain.mail import Message
from services.notify.domain.rules import Wishes
from services.notify.domain.templates import Template, TemplateName
from services.notify.store import announcements, changes, facts, templates, wishes
from services.notify.store.facts import Facts
from services.notify.store.templates import Own
from shared.events.base import Language
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class Known:
    """All that letters are written from; what is not there was not known when it was read."""

    missions: Mapping[UUID, Facts]
    stops: Mapping[UUID, Facts]
    items: Mapping[UUID, Facts]
    announcements: Mapping[UUID, Announcement]
    wishes: Mapping[UUID, Wishes]
    templates: Own
    trials: Mapping[int, tuple[TemplateName, Language, Template]]
    days: Mapping[tuple[UUID, UUID], Sequence[asyncpg.Record]]
    """Meetings that somebody was ever to hear of, by person and stop."""


async def known(connection: Connection, batch: Sequence[Message]) -> Known:
    """Read what messages are about.

    What changes afterwards is told by the next message: what was told is what was read.
    """
    missions = {one.mission_id for one in batch}
    stops = {one.stop_id for one in batch if one.stop_id}
    items = {one.programme_item_id for one in batch if one.programme_item_id}
    said = {one.announcement_id for one in batch if one.announcement_id}
    tried = {one.id for one in batch if one.kind == "trial"}
    days = {(one.person_id, one.stop_id) for one in batch if one.kind == "schedule" and one.stop_id}
    return Known(
        missions=await facts.missions(connection, missions),
        stops=await facts.stops(connection, stops) if stops else {},
        items=await facts.items(connection, items) if items else {},
        announcements=await announcements.read_all(connection, said) if said else {},
        wishes=await wishes.of_people(connection, {one.person_id for one in batch}),
        templates=await templates.own(connection, missions),
        trials=await templates.trials(connection, tried) if tried else {},
        days=await changes.calendars(connection, days) if days else {},
    )
