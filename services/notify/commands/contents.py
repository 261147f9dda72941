"""Contents: what a message has to say, before it is put into words."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from uuid import UUID

import asyncpg

from services.notify.channels.base import CalendarFile
from services.notify.commands import wording
from services.notify.commands.calendar import (
    Appointment,
    Change,
    Frame,
    calendar,
    invitation,
    method_of,
)
from services.notify.commands.knowing import Known
from services.notify.commands.letterhead import Letterhead
from services.notify.domain.links import as_a_name
from services.notify.domain.mail import Kind, Message, NothingNew, NotYet
from services.notify.domain.templates import Template, TemplateName
from services.notify.store.facts import Facts
from shared.contacts import Contact
from shared.events.base import Language
from shared.web.pages import day, local, on_day, zone_name

SAMPLE_PAGES: Mapping[TemplateName, str] = {
    "schedule": "/day",
    "schedule_changed": "/day",
    "announcement": "/day",
    "results": "/outcomes",
}
"""Where a made-up mail leads; the others: to their reader's own page."""


@dataclass(frozen=True, slots=True)
class Content:
    """Which mail it is, what is filled in there, and what goes with it."""

    template: TemplateName
    values: Mapping[str, str]
    page: str = "/"
    topic: UUID | None = None
    """None: its stop, or its mission."""
    words: Template | None = None
    """Those of a trial."""
    invitation: CalendarFile | None = None
    files: tuple[CalendarFile, ...] = ()
    told: tuple[tuple[UUID, int, datetime], ...] = ()
    """Which change of which meeting it tells, and when that begins."""


def content_of(
    known: Known, head: Letterhead, message: Message, contact: Contact, now: datetime
) -> Content:
    """Say what a message has to say; raises `NotYet` or `NothingNew`.

    Its mission is known.
    """
    about = _About(known, head, message, contact, now)
    of_its_own: Mapping[Kind, Callable[[], Content]] = {
        "schedule": about.schedule,
        "announcement": about.announcement,
        "results": about.results,
        "trial": about.trial,
    }
    if message.kind in of_its_own:
        return of_its_own[message.kind]()
    if message.kind == "sign_in":
        return Content("sign_in", about.person(""))
    if message.kind.startswith("application_"):
        page = "/applications"
        return Content(message.kind, about.person(page), page)
    return about.registration()


@dataclass(frozen=True, slots=True)
class _About:
    known: Known
    head: Letterhead
    message: Message
    contact: Contact
    now: datetime

    @property
    def language(self) -> Language:
        return self.contact.language

    def person(self, page: str) -> dict[str, str]:
        return {
            "name": as_a_name(self.contact.name_in(self.language)),
            "mission": self.known.missions[self.message.mission_id]["title"].in_(self.language),
            "link": self.head.link(self.contact, page),
        }

    def stop(self) -> Facts:
        assert self.message.stop_id is not None
        stop = self.known.stops.get(self.message.stop_id)
        if stop is None:
            raise NotYet("The stop is not known yet.")
        return stop

    def at_stop(self, stop: Facts, moment: datetime, page: str) -> dict[str, str]:
        return self.person(page) | stop_values(stop, moment, self.language)

    def trial(self) -> Content:
        name, language, template = self.known.trials[self.message.id]
        mission = self.known.missions[self.message.mission_id]["title"].in_(language)
        return replace(sample_of(name, mission, language), words=template)

    def registration(self) -> Content:
        stop = self.stop()
        assert self.message.programme_item_id is not None
        item = self.known.items.get(self.message.programme_item_id)
        if item is None:
            raise NotYet("The programme item is not known yet.")
        clock = partial(local, zone=stop["timezone"])
        values = self.at_stop(stop, item["starts_at"], "") | {
            "item": item["title"].in_(self.language),
            "time": f"{clock(item['starts_at'])}-{clock(item['ends_at'])}",
        }
        if self.message.offered_until:
            until = on_day(self.message.offered_until, stop["timezone"], self.language)
            values["until"] = until
        return Content(self.message.kind, values)

    def announcement(self) -> Content:
        assert self.message.announcement_id is not None
        said = self.known.announcements[self.message.announcement_id]
        stop, page = self.stop(), f"/day?stop={said.stop_id}"
        values = self.at_stop(stop, self.now, page) | {
            "subject": said.subject.in_(self.language),
            "body": said.body.in_(self.language),
            "unsubscribe": self.head.unsubscribe(self.message.person_id),
        }
        # One announcement does not take another's place.
        return Content("announcement", values, page, topic=said.id)

    def results(self) -> Content:
        mission_id = self.message.mission_id
        page = f"/outcomes?mission_id={mission_id}"
        unsubscribe = self.head.unsubscribe(self.message.person_id)
        # A newer one takes an older one's place, and nothing else's.
        values = self.person(page) | {"unsubscribe": unsubscribe}
        return Content("results", values, page, topic=mission_id)

    def schedule(self) -> Content:
        stop = self.stop()
        rows = self.known.days[self.message.person_id, stop["id"]]
        may_be_told = self.message.attempts > 1
        appointments = [
            _appointment(row, self.message.person_id)
            for row in rows
            # What was cancelled before anybody heard of it is no news.
            if row["is_on"] or row["told_revision"] is not None or may_be_told
        ]
        changes = [one for one in appointments if one.change != "known"]
        if self.message.is_lead and not changes:
            raise NothingNew
        is_first = all(row["told_revision"] is None for row in rows)
        page = f"/day?stop={stop['id']}"
        told = rows if self.message.is_lead else ()
        content = Content(
            "schedule" if is_first else "schedule_changed",
            self.at_stop(stop, _earliest(appointments, self.now), page)
            | self._meetings(appointments, stop, is_first=is_first),
            page,
            told=tuple(
                (row["meeting_id"], row["changed_revision"], row["starts_at"]) for row in told
            ),
        )
        return self._with_calendars(content, stop, appointments, changes)

    def _meetings(
        self, appointments: Sequence[Appointment], stop: Facts, *, is_first: bool
    ) -> dict[str, str]:
        clock = partial(local, zone=stop["timezone"])
        on = [one for one in appointments if one.is_on]
        off = [one for one in appointments if one.change == "cancelled"]
        return {
            "meetings": wording.meetings(on, self.language, clock, is_first=is_first),
            "cancelled": wording.cancelled(off, self.language, clock),
        }

    def _with_calendars(
        self,
        content: Content,
        stop: Facts,
        appointments: Sequence[Appointment],
        changes: Sequence[Appointment],
    ) -> Content:
        """Add a file of the whole day, and what calendars take in by themselves.

        One change is the letter itself to a calendar. Of several, those that an opened file would
        not change in every calendar go along, each alone.
        """
        frame = Frame(
            place=(stop["venue"] or stop["city"]).in_(self.language),
            organizer=self.head.organizer,
            attendee=(self.contact.name_in(self.language), self.contact.email),
            now=self.now,
        )
        slug = stop["slug"]
        whole = CalendarFile(f"{slug}.ics", "PUBLISH", calendar(appointments, frame))
        if len(changes) == 1:
            (one,) = changes
            invited = CalendarFile("invite.ics", method_of(one), invitation(one, frame))
            return replace(content, invitation=invited, files=(whole,))
        later = [one for one in changes if one.change != "new"]
        alone = (
            CalendarFile(f"{slug}-{number}.ics", method_of(one), invitation(one, frame))
            for number, one in enumerate(later, 1)
        )
        return replace(content, files=(whole, *alone))


def sample_of(name: TemplateName, mission: str, language: Language) -> Content:
    """Make up what a mail of a mission has to say, by its title."""
    page = SAMPLE_PAGES.get(name, "/")
    return Content(name, wording.samples(language) | {"mission": mission}, page)


def stop_values(stop: Facts, moment: datetime, language: Language) -> dict[str, str]:
    """Say where and when something is; `moment` decides what the zone is called."""
    city, venue = stop["city"].in_(language), stop["venue"] and stop["venue"].in_(language)
    places = [city, venue] if language == "zh" else [venue, city]
    return {
        "stop": stop["title"].in_(language),
        "city": city,
        "date": day(stop["held_on"], language),
        "place": ("，" if language == "zh" else ", ").join(filter(None, places)),
        "zone": zone_name(moment, stop["timezone"], language),
    }


def _earliest(appointments: Sequence[Appointment], now: datetime) -> datetime:
    return min((one.starts_at for one in appointments), default=now)


def _appointment(row: asyncpg.Record, person_id: UUID) -> Appointment:
    told = row["told_revision"]
    change: Change = "known"
    if told is None or row["changed_revision"] > told:
        change = "cancelled" if not row["is_on"] else "new" if told is None else "changed"
    return Appointment.of(json.loads(row["live"]), person_id, change, is_on=row["is_on"])
