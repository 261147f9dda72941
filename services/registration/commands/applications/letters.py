"""Invitation letters: issued to a company's delegates, taken back, and checked by anybody."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.applications import calls
from services.registration.commands.applications.applying import existing, locked
from services.registration.commands.applications.calls import Call
from services.registration.domain.applications import HOLDS_A_PLACE, Status
from services.registration.domain.letters import as_written, number
from services.registration.store import letters as store
from services.registration.store import missions
from shared.access import Principal, Tokens
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

Row = asyncpg.Record
Facts = Mapping[str, Any]

PURPOSE = "invitation letter"


@dataclass(frozen=True, slots=True)
class Invitation:
    """Who is invited, by whom, and what the client calls this request."""

    invitee: Facts
    """full_name, native_name, position, valid_until."""
    who: Principal
    key: Key | None = None


async def issue(
    database: Database,
    tokens: Tokens,
    application_id: UUID,
    invitation: Invitation,
    now: datetime,
) -> Answer:
    """Issue a letter to a delegate of a company that has a place, and give its id and number.

    Raises `NotFound`, `Invalid`, and `Conflict` when the company has no place.
    """

    async def effect(connection: Connection) -> Answer:
        row = await locked(connection, application_id)
        if Status(row["status"]) not in HOLDS_A_PLACE:
            raise Conflict("Only a company that has a place is invited.", code="no_place")
        call = await calls.existing(connection, row["mission_id"])
        invitee = invitation.invitee
        _check_validity(invitee["valid_until"], call.mission["ends_on"])
        letter_id = new_id()
        serial = await store.next_serial(connection, row["mission_id"])
        digest = tokens.digest(PURPOSE, f"{letter_id} {serial}")
        written = number(now.year, serial, digest)
        await store.add(
            connection,
            {
                "id": letter_id,
                "number": written,
                "application_id": application_id,
                "mission_id": row["mission_id"],
                "serial": serial,
                "content": await _content(connection, call, row, invitee),
                "valid_until": invitee["valid_until"],
                "issued_at": now,
                "issued_by": invitation.who.subject,
            },
        )
        await note(
            connection,
            invitation.who,
            "letter.issued",
            subject_id=letter_id,
            mission_id=row["mission_id"],
            details={"application_id": application_id, "serial": serial},
            now=now,
        )
        content = {"id": str(letter_id), "number": written, "page": f"/letters/{written}"}
        return Answer(content)

    return await once(database, invitation.key, effect)


async def revoke(database: Database, letter_id: UUID, who: Principal, now: datetime) -> Row:
    """Take a letter back for good; a second time changes nothing. Raises `NotFound`."""
    async with database.transaction() as connection:
        letter = await existing_letter(connection, letter_id)
        await store.revoke(connection, letter_id, now)
        await note(
            connection,
            who,
            "letter.revoked",
            subject_id=letter_id,
            mission_id=letter["mission_id"],
            now=now,
        )
        return await existing_letter(connection, letter_id)


async def existing_letter(connection: Connection, letter_id: UUID) -> Row:
    """Read a letter; raises `NotFound`."""
    letter = await store.one(connection, letter_id)
    if letter is None:
        raise NotFound("There is no such letter.")
    return letter


async def of_whom(connection: Connection, letter_id: UUID) -> tuple[Row, Row]:
    """Read a letter and the application it belongs to; raises `NotFound`."""
    letter = await existing_letter(connection, letter_id)
    return letter, await existing(connection, letter["application_id"])


async def verify(connection: Connection, typed: str) -> Row | None:
    """Find a letter by its number as somebody typed it from paper; None for a forged one."""
    return await store.by_number(connection, as_written(typed))


def _check_validity(valid_until: date, ends_on: date) -> None:
    if valid_until < ends_on:
        fault = Fault("/valid_until", "A letter is valid until the end of the mission at least.")
        raise Invalid("The letter would end before the mission.", faults=[fault])


async def _content(connection: Connection, call: Call, row: Row, invitee: Facts) -> dict[str, Any]:
    """Gather all that a letter says, as it is today: a letter on paper does not change."""
    mission, company = call.mission, row["content"]["company"]
    roles = await missions.roles_of(connection, mission["id"])
    return {
        "mission": {
            "slug": mission["slug"],
            "title": mission["title"],
            "organizer": mission["organizer"],
            "starts_on": mission["starts_on"].isoformat(),
            "ends_on": mission["ends_on"].isoformat(),
        },
        "company": {name: company[name] for name in ("name", "native_name")},
        "invitee": {name: invitee[name] for name in ("full_name", "native_name", "position")},
        "stops": [
            {
                "city": stop["city"],
                "title": stop["title"],
                "held_on": stop["held_on"].isoformat(),
                "hosts": [role["name"] for role in roles if role["stop_id"] == stop["id"]][:3],
            }
            for stop in call.stops
        ],
    }
