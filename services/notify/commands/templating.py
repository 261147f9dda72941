"""Templating: a mission's mails in words of its own, looked at and tried out before they count."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4

from services.notify.channels.markup import page_of
from services.notify.commands.contents import content_of, sample_of
from services.notify.commands.knowing import known
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.wording import BUILT_IN, link_words
from services.notify.domain.mail import Kind, Message, NothingNew, NotYet
from services.notify.domain.templates import (
    PLACES,
    Template,
    TemplateName,
    Texts,
    Trouble,
    filled,
    troubles,
)
from services.notify.store import deliveries, facts, messages, templates
from services.notify.store.messages import News
from shared.access import Principal
from shared.auditing import note
from shared.contacts import Contact
from shared.errors import Fault, Invalid, NotFound, Stale
from shared.events.base import Language
from shared.postgres import Connection, Database

VERSIONS_MAX = 20
EXAMPLES_MAX = 20

Place = tuple[UUID, TemplateName]
"""A mission, and one of its mails."""


@dataclass(frozen=True, slots=True)
class Edited:
    """A mail as a mission has it."""

    texts: Texts
    version: int
    """0: nobody ever changed it."""
    is_own: bool
    versions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Preview:
    """A mail as it reads, as text and as the page of HTML that most mail programs show."""

    text: Template
    page: str


def existing_name(name: str) -> TemplateName:
    """Give the name of a mail there is; raises `NotFound`."""
    if name not in PLACES:
        raise NotFound("There is no such mail.")
    return cast("TemplateName", name)


async def overview(database: Database, mission_id: UUID) -> dict[str, Mapping[str, Any]]:
    """Say which mails a mission changed, by name; raises `NotFound`."""
    async with database.reading() as connection:
        await _existing(connection, mission_id)
        changed = await templates.changed(connection, mission_id)
    return {name: dict(row) for name, row in changed.items()}


async def edited(database: Database, place: Place, version: int | None = None) -> Edited:
    """Read a mail, as it is or as some version had it; raises `NotFound`."""
    mission_id, name = place
    async with database.reading() as connection:
        await _existing(connection, mission_id)
        rows = await templates.versions(connection, mission_id, name, VERSIONS_MAX)
        last = rows[0]["version"] if rows else 0
        wanted = last if version is None else version
        own = await templates.read(connection, mission_id, name, wanted)
    return Edited(
        texts=own or BUILT_IN[name],
        version=last,
        is_own=bool(rows and rows[0]["is_own"]),
        versions=[dict(row) for row in rows],
    )


async def save(
    database: Database,
    who: Principal,
    place: Place,
    change: tuple[int, Texts | None],
    now: datetime,
) -> int:
    """Write a mail anew, given the version it was decided on, and give the new one.

    No texts: our words again. Raises `NotFound`, `Invalid` naming each wrong line, or `Stale`.
    """
    mission_id, name = place
    seen, texts = change
    _check(name, texts or {})
    async with database.transaction() as connection:
        await _existing(connection, mission_id)
        if not await templates.put(connection, (*place, seen + 1), texts, (who.subject, now)):
            raise Stale("This mail was changed meanwhile: read it again.")
        await note(
            connection,
            who,
            "template.saved" if texts else "template.reset",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"template": name, "version": seen + 1},
            now=now,
        )
    return seen + 1


async def try_out(
    database: Database, who: Principal, place: Place, texts: Texts, now: datetime
) -> None:
    """Send a mail in each language to who writes it, saved or not.

    Raises `NotFound`, or `Invalid` naming each wrong line.
    """
    mission_id, name = place
    _check(name, texts)
    async with database.transaction() as connection:
        await _existing(connection, mission_id)
        for tried in texts.items():
            notification_id = uuid4()
            news = News("trial", who.subject, mission_id)
            await messages.queue(connection, [(news, notification_id, "email")], now)
            await templates.put_trial(connection, notification_id, name, tried)
        await note(
            connection,
            who,
            "template.tried",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"template": name},
            now=now,
        )


async def examples(database: Database, place: Place) -> list[Message]:
    """Give the last messages of a mission that this mail was for, each to somebody else."""
    mission_id, name = place
    kind: Kind = "schedule" if name == "schedule_changed" else name
    async with database.reading() as connection:
        return await deliveries.latest(connection, mission_id, kind, EXAMPLES_MAX)


async def preview(
    database: Database,
    place: Place,
    texts: Texts,
    example: tuple[Letterhead, Message, Contact] | None,
    now: datetime,
) -> dict[Language, Preview]:
    """Fill a mail in with made-up values, or with those of a message to somebody.

    Raises `NotFound`, or `Invalid` naming each wrong line.
    """
    mission_id, name = place
    _check(name, texts)
    async with database.reading() as connection:
        mission = await _existing(connection, mission_id)
        facts_known = await known(connection, [example[1]]) if example else None
    found: dict[Language, Preview] = {}
    for language, template in texts.items():
        content = sample = sample_of(name, mission["title"].in_(language), language)
        if example and facts_known:
            head, message, contact = example
            spoken = contact.model_copy(update={"language": language})
            told = replace(message, is_lead=False)
            # What is not known yet, the sample says.
            with suppress(NotYet, NothingNew):
                content = content_of(facts_known, head, told, spoken, now)
        # Whoever has its reader's links can do what he or she can: they stay the sample's.
        own = {place: sample.values[place] for place in ("link", "unsubscribe")}
        values = {**sample.values, **content.values, **own}
        text = filled(template, values)
        link = (values["link"], link_words(content.page, language))
        found[language] = Preview(text, page_of(text, language, link))
    return found


def as_faults(found: Sequence[Trouble]) -> list[Fault]:
    """Say what is wrong in a template, for who reads JSON."""
    said = {
        "unknown": "{what} is none of the places of this mail.",
        "stray": "{what} belongs to no place.",
        "missing": "This mail is of no use without {what}.",
    }
    return [
        Fault(
            f"/{one.language}/{one.field}",
            (f"Line {one.line}: " if one.line else "") + said[one.fault].format(what=one.what),
        )
        for one in found
    ]


def _check(name: TemplateName, texts: Texts) -> None:
    if found := troubles(name, texts):
        raise Invalid("It could not be sent so.", code="template_wrong", faults=as_faults(found))


async def _existing(connection: Connection, mission_id: UUID) -> facts.Facts:
    mission = await facts.mission(connection, mission_id)
    if mission is None:
        raise NotFound("There is no such mission.")
    return mission
