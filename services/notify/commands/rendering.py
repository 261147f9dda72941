"""Rendering: a queued message becomes text in its reader's language, at the moment it is sent."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from services.notify.channels.base import CalendarFile, Letter
from services.notify.channels.email import NOBODY
from services.notify.commands.calendar import Appointment, Change, calendar
from services.notify.domain.mail import Message, Never, NothingNew, NotYet
from services.notify.store import announcements, changes, facts
from shared.contacts import Contact
from shared.postgres import Connection
from shared.web.pages import day, local, zone_name

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "mails"),
    # Plain text: there is nothing to escape.
    autoescape=select_autoescape(enabled_extensions=()),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals |= {"local": local, "zone_name": zone_name, "day": day, "zone": ZoneInfo}

SUBJECT_PREFIX = {"en": "[Rehearsal] ", "zh": "【演练】"}


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What all mails have in common."""

    sender: str
    public_url: str

    @property
    def address(self) -> str:
        """Give the bare address of the sender."""
        return parseaddr(self.sender)[1]

    def link(self, contact: Contact, page: str = "") -> str:
        """Write the link that signs a person in and leads to a page."""
        onward = f"&next={quote(page, safe='')}" if page else ""
        return f"{self.public_url.rstrip('/')}{contact.sign_in_path}{onward}"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A letter as it goes out, and which change of which meeting it tells."""

    letter: Letter
    told: tuple[tuple[UUID, int, datetime], ...] = ()


async def render(
    connection: Connection,
    head: Letterhead,
    message: Message,
    contact: Contact | None,
    now: datetime,
) -> Rendered:
    """Write a letter. Raises `NotYet`, `Never` or `NothingNew` when there is none to send."""
    if contact is None:
        raise Never(NOBODY)
    mission = await facts.mission(connection, message.mission_id)
    if mission is None:
        raise NotYet("The mission is not known yet.")
    write = _Writing(connection, head, message, contact, mission, now)
    if message.kind == "schedule":
        return await write.schedule()
    if message.kind == "announcement":
        return await write.announcement()
    if message.kind.startswith("application_"):
        return await write.application()
    return await write.sign_in() if message.kind == "sign_in" else await write.registration()


@dataclass(frozen=True, slots=True)
class _Writing:
    connection: Connection
    head: Letterhead
    message: Message
    contact: Contact
    mission: dict[str, Any]
    now: datetime

    async def sign_in(self) -> Rendered:
        return Rendered(self._letter("sign_in", "", link=self.head.link(self.contact)))

    async def application(self) -> Rendered:
        status = self.message.kind.removeprefix("application_")
        page = "/applications"
        return Rendered(
            self._letter(
                "application", page, link=self.head.link(self.contact, page), status=status
            )
        )

    async def registration(self) -> Rendered:
        assert self.message.programme_item_id is not None
        item = await facts.item(self.connection, self.message.programme_item_id)
        stop = await self._stop()
        if item is None:
            raise NotYet("The programme item is not known yet.")
        return Rendered(
            self._letter(
                "registration",
                "",
                link=self.head.link(self.contact),
                status=self.message.kind,
                until=self.message.offered_until,
                stop=stop,
                item=item,
            )
        )

    async def announcement(self) -> Rendered:
        assert self.message.announcement_id is not None
        found = await announcements.read(self.connection, self.message.announcement_id)
        assert found is not None
        stop, page = await self._stop(), f"/day?stop={found.stop_id}"
        language = self.contact.language
        letter = self._letter(
            "announcement",
            page,
            link=self.head.link(self.contact, page),
            stop=stop,
            subject=found.subject.in_(language),
            body=found.body.in_(language),
        )
        # One announcement does not take another's place.
        return Rendered(replace(letter, topic=found.id))

    async def schedule(self) -> Rendered:
        stop = await self._stop()
        rows = await changes.calendar(self.connection, self.message.person_id, stop["id"])
        may_be_told = self.message.attempts > 1
        appointments = [
            _appointment(row, self.message.person_id)
            for row in rows
            # What was cancelled before anybody heard of it is no news.
            if row["is_on"] or row["told_revision"] is not None or may_be_told
        ]
        if self.message.is_lead and all(one.change == "known" for one in appointments):
            raise NothingNew
        page = f"/day?stop={stop['id']}"
        letter = self._letter(
            "schedule",
            page,
            link=self.head.link(self.contact, page),
            stop=stop,
            appointments=[one for one in appointments if one.is_on],
            cancelled=[one for one in appointments if one.change == "cancelled"],
            is_first=all(row["told_revision"] is None for row in rows),
        )
        attached = replace(letter, calendar=self._calendar(appointments, stop))
        told = rows if self.message.is_lead else ()
        return Rendered(
            attached,
            tuple((row["meeting_id"], row["changed_revision"], row["starts_at"]) for row in told),
        )

    async def _stop(self) -> dict[str, Any]:
        assert self.message.stop_id is not None
        stop = await facts.stop(self.connection, self.message.stop_id)
        if stop is None:
            raise NotYet("The stop is not known yet.")
        return stop

    def _letter(self, template: str, page: str, **context: object) -> Letter:
        language = self.contact.language
        known = {"mission": self.mission, "lang": language, "kind": self.message.kind, **context}
        text = TEMPLATES.get_template(f"{template}.{language}.txt").render(
            name=self.contact.name_in(language), **known
        )
        brief = TEMPLATES.get_template(f"brief.{language}.txt").render(known)
        subject, _, body = text.partition("\n\n")
        prefix = SUBJECT_PREFIX[language] if self.mission["is_rehearsal"] else ""
        return Letter(
            id=self.message.id,
            message_id=self.message.message_id,
            language=language,
            subject=prefix + " ".join(subject.split()),
            body=body,
            brief=prefix + " ".join(brief.split()),
            page=page or "/",
            topic=self.message.stop_id or self.message.mission_id,
            is_urgent=self.message.is_urgent,
            written_at=self.now,
        )

    def _calendar(self, appointments: list[Appointment], stop: dict[str, Any]) -> CalendarFile:
        place = (stop["venue"] or stop["city"]).in_(self.contact.language)
        organizer = (parseaddr(self.head.sender)[0] or "Tradewind", self.head.address)
        content = calendar(appointments, stop["timezone"], place, organizer, self.now)
        return CalendarFile(f"{stop['slug']}.ics", content)


def _appointment(row: asyncpg.Record, person_id: UUID) -> Appointment:
    told = row["told_revision"]
    change: Change = "known"
    if told is None or row["changed_revision"] > told:
        change = "cancelled" if not row["is_on"] else "new" if told is None else "changed"
    return Appointment.of(json.loads(row["live"]), person_id, change, is_on=row["is_on"])
