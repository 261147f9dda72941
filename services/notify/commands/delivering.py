"""Delivering: what staff sees of messages, and what it does about those that did not arrive."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from services.notify.commands.knowing import Known, known
from services.notify.commands.letterhead import Letterhead
from services.notify.commands.rendering import render
from services.notify.domain.mail import ChannelName, Message, Never, NothingNew, NotYet
from services.notify.store import attempts, deliveries, messages
from services.notify.store.deliveries import Asked
from shared.access import Principal, Scope, require
from shared.auditing import note
from shared.contacts import Contact, Contacts
from shared.errors import Conflict, NotFound
from shared.events.base import Language
from shared.postgres import Connection, Database

NAMES_SECONDS_MAX = 3


@dataclass(frozen=True, slots=True)
class Told:
    """A message with its attempts."""

    row: Mapping[str, Any]
    attempts: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the desk tells somebody."""

    id: int
    contact: Contact
    text: str


async def log_of(database: Database, asked: Asked, limit: int) -> list[Told]:
    """Read messages and all that was tried."""
    async with database.reading() as connection:
        rows = await deliveries.find(connection, asked, limit)
        tried = await attempts.of_messages(connection, [row["id"] for row in rows])
    return [
        Told(dict(row), [dict(one) for one in tried if one["message"] == row["id"]]) for row in rows
    ]


async def people_called(
    database: Database, contacts: Contacts, stop_id: UUID, text: str
) -> list[UUID]:
    """Find who was written to about a stop, by a part of a name, a company or an address."""
    async with database.reading() as connection:
        people = await deliveries.people_of_stop(connection, stop_id)
    known = await contacts_of(contacts, people)
    wanted = text.casefold()
    return [
        person_id
        for person_id, one in known.items()
        if any(
            wanted in (part or "").casefold()
            for part in (
                one.name,
                one.native_name,
                one.organization,
                one.native_organization,
                one.email,
            )
        )
    ]


async def contacts_of(contacts: Contacts, people: Collection[UUID]) -> dict[UUID, Contact]:
    """Look people up; nobody while registration is away."""
    try:
        async with asyncio.timeout(NAMES_SECONDS_MAX):
            return await contacts.of(people)
    except (httpx2.HTTPError, TimeoutError):
        return {}


async def send_again(database: Database, who: Principal, id_: int, now: datetime) -> Message:
    """Try a failed message again; raises `NotFound`, `Forbidden` or `Conflict`."""
    async with database.transaction() as connection:
        message = await _existing(connection, who, id_)
        if not await deliveries.retry(connection, id_, now):
            raise Conflict("Only what failed is sent again.", code="message_not_failed")
        await _note(connection, who, "message.sent_again", message, now)
    return message


async def send_otherwise(
    database: Database,
    who: Principal,
    id_: int,
    way: tuple[ChannelName, Collection[str]],
    now: datetime,
) -> Message:
    """Say the same over another channel, `way[0]` of those in `way[1]`, at most once.

    Raises `NotFound`, `Forbidden` or `Conflict`.
    """
    channel, available = way
    async with database.transaction() as connection:
        message = await _existing(connection, who, id_)
        tried = await messages.channels_of(connection, message.notification_id)
        if channel in tried:
            raise Conflict("It goes over this channel already.", code="channel_used")
        if channel not in available:
            raise Conflict("This installation has no such channel.", code="channel_missing")
        await messages.copy(connection, id_, channel, now)
        await _note(connection, who, "message.sent_otherwise", message, now, instead=channel)
    return message


async def told_by_hand(database: Database, who: Principal, id_: int, now: datetime) -> Message:
    """Take somebody off the desk's sheet; raises `NotFound`, `Forbidden` or `Conflict`."""
    async with database.transaction() as connection:
        message = await _existing(connection, who, id_)
        if not await deliveries.mark_told(connection, id_, now):
            raise Conflict("Nobody is waiting for this.", code="message_not_waiting")
        await _note(connection, who, "message.told_by_hand", message, now)
    return message


async def sheet(
    database: Database,
    contacts: Contacts,
    head: Letterhead,
    stop_id: UUID,
    reading: tuple[Language, datetime],
) -> list[ByHand]:
    """Write what the desk has to tell by hand, in the desk's language."""
    async with database.reading() as connection:
        left = await deliveries.on_the_sheet(connection, stop_id)
        facts = await known(connection, left)
    people = await contacts_of(contacts, {message.person_id for message in left})
    return [
        ByHand(message.id, contact, _brief(facts, head, message, contact, reading))
        for message in left
        if (contact := people.get(message.person_id)) is not None
    ]


def _brief(
    facts: Known,
    head: Letterhead,
    message: Message,
    contact: Contact,
    reading: tuple[Language, datetime],
) -> str:
    language, now = reading
    spoken = contact.model_copy(update={"language": language})
    try:
        return render(facts, head, message, spoken, now).letter.brief
    except (NotYet, Never, NothingNew):
        return ""


async def _note(  # what an entry is made of
    connection: Connection,
    who: Principal,
    action: str,
    message: Message,
    now: datetime,
    **details: str,
) -> None:
    """Note what was done about a message; its subject is the person whom it is for."""
    await note(
        connection,
        who,
        action,
        subject_id=message.person_id,
        mission_id=message.mission_id,
        stop_id=message.stop_id,
        details={"message": message.id, "kind": message.kind, "channel": message.channel} | details,
        now=now,
    )


async def _existing(connection: Connection, who: Principal, id_: int) -> Message:
    message = await deliveries.read(connection, id_)
    if message is None:
        raise NotFound("There is no such message.")
    require(who, "messages.write", Scope(message.mission_id, message.stop_id))
    return replace(message, is_lead=False)
