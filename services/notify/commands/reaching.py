"""Reaching: who cannot be written to, and writing to somebody again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notify.channels.hygiene import Hygiene
from services.notify.commands.delivering import contacts_of
from services.notify.domain import unsubscribing
from services.notify.store import audit, suppressions, wishes
from shared.access import Principal
from shared.auditing import note
from shared.contacts import Contact, Contacts
from shared.errors import Conflict, NotFound
from shared.postgres import Database

LISTED_MAX = 500


@dataclass(frozen=True, slots=True)
class Unreached:
    """Somebody whose address no mail reaches."""

    row: Mapping[str, Any]
    contact: Contact | None
    """None: while registration is away."""
    has_new_address: bool
    """Written to again, as the address is another one now."""


async def unreached(
    database: Database, contacts: Contacts, hygiene: Hygiene, mission_id: UUID
) -> list[Unreached]:
    """List who of a mission cannot be written to, the latest first."""
    async with database.reading() as connection:
        rows = await suppressions.of_mission(connection, mission_id, LISTED_MAX)
    people = await contacts_of(contacts, {row["person_id"] for row in rows})
    return [
        Unreached(
            dict(row),
            contact := people.get(row["person_id"]),
            contact is not None and hygiene.stands_for(contact.email) != row["address"],
        )
        for row in rows
    ]


async def lift(
    database: Database, who: Principal, mission_id: UUID, person_id: UUID, now: datetime
) -> None:
    """Write to somebody's address again; raises `Conflict` when nothing stands in the way."""
    async with database.transaction() as connection:
        if not await suppressions.lift(connection, mission_id, person_id):
            raise Conflict("This address is written to already.", code="not_suppressed")
        await note(
            connection,
            who,
            "suppression.lifted",
            subject_id=person_id,
            mission_id=mission_id,
            now=now,
        )


async def trail(
    database: Database, mission_id: UUID, before: UUID | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Read what staff did about a mission's messages, the latest first."""
    async with database.reading() as connection:
        rows = await audit.page(connection, mission_id, before=before, limit=limit)
    return [dict(row) for row in rows]


async def want(database: Database, key: bytes, token: str, *, are_wanted: bool) -> None:
    """Take from a link that somebody wants what is written to many, or not; raises `NotFound`."""
    person_id = unsubscribing.read(key, token) if key else None
    if person_id is None:
        raise NotFound("This link is not one of ours.")
    async with database.transaction() as connection:
        await wishes.put_announcements(connection, person_id, are_wanted=are_wanted)


async def is_wanted(database: Database, key: bytes, token: str) -> bool:
    """Say whether who has a link wants what is written to many; raises `NotFound`."""
    person_id = unsubscribing.read(key, token) if key else None
    if person_id is None:
        raise NotFound("This link is not one of ours.")
    async with database.reading() as connection:
        return (await wishes.of_people(connection, [person_id]))[person_id].announcements
