"""Signing in: links that are sent or handed out become sessions."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.store import people
from shared.access import Principal, Tokens
from shared.auditing import note
from shared.errors import Unauthenticated
from shared.events.registration import SessionEnded, SignInRequested
from shared.log import outbox
from shared.postgres import Connection, Database


@dataclass(frozen=True, slots=True)
class Opened:
    """Whom a link signs in; `person` is None for a screen and for the operator."""

    who: Principal
    person: asyncpg.Record | None = None


async def principal_of(connection: Connection, person_id: UUID) -> Principal | None:
    """Say what a person may be, from what is on file now."""
    found = await on_file(connection, person_id)
    return found.who if found else None


async def on_file(connection: Connection, person_id: UUID) -> Opened | None:
    """Say whom a link of a person signs in now; None for somebody who is not on file."""
    person = await people.person(connection, person_id)
    if person is None:
        return None
    who = Principal(
        role=person["role"],
        subject=person_id,
        mission_id=person["mission_id"],
        stop_ids=await people.stops_of(connection, person_id),
        partner_id=person["partner_id"],
    )
    return Opened(who, person)


async def opened(database: Database, tokens: Tokens, link: str) -> Opened:
    """Say whom a link's token signs in, from what is on file now; raises `Unauthenticated`."""
    claimed = tokens.read(link, "link")
    async with database.reading() as connection:
        found = await on_file(connection, claimed.subject)
    if found is None and not _may_be_nobody(claimed):
        raise Unauthenticated("The person this link was made for is not here any more.")
    return found or Opened(claimed)


async def redeem(
    database: Database, tokens: Tokens, link: str, now: datetime
) -> tuple[Principal, str]:
    """Turn a link's token into a session; raises `Unauthenticated`."""
    found = await opened(database, tokens, link)
    return found.who, tokens.sign(found.who, "session", now)


def _may_be_nobody(claimed: Principal) -> bool:
    """Say whether a link needs no person behind it: a screen's, or the operator's."""
    is_operator = claimed.role == "mission_staff" and claimed.mission_id is None
    return is_operator or claimed.role == "screen"


async def ask_for_link(database: Database, mission_id: UUID, email: str, now: datetime) -> None:
    """Have a link sent to the address on file; says nothing about whether there is one."""
    async with database.transaction() as connection:
        person = await people.person_by_email(connection, mission_id, email)
        if person is not None:
            event = SignInRequested(person_id=person["id"], mission_id=mission_id)
            version = await people.next_version(connection, person["id"])
            await outbox.append(connection, event, sequence=version, now=now)


async def end(database: Database, who: Principal, now: datetime) -> None:
    """Tell that somebody signed out; who is not on file, such as a screen, leaves no trace."""
    async with database.transaction() as connection:
        person = await people.person(connection, who.subject)
        if person is not None:
            event = SessionEnded(person_id=person["id"], mission_id=person["mission_id"])
            version = await people.next_version(connection, person["id"])
            await outbox.append(connection, event, sequence=version, now=now)


async def hand_out(
    database: Database, tokens: Tokens, for_whom: Principal, who: Principal, now: datetime
) -> str:
    """Make the path of a sign-in link that `who` hands to somebody of one mission, and note it."""
    assert for_whom.mission_id is not None
    async with database.transaction() as connection:
        await note(
            connection,
            who,
            "link.made",
            subject_id=for_whom.subject,
            mission_id=for_whom.mission_id,
            stop_id=for_whom.stop_ids[0] if len(for_whom.stop_ids) == 1 else None,
            details={"role": for_whom.role},
            now=now,
        )
    return sign_in_path(tokens, for_whom, now)


def sign_in_path(tokens: Tokens, who: Principal, now: datetime) -> str:
    """Make the path of a sign-in link."""
    return f"/sign-in?token={tokens.sign(who, 'link', now)}"
