"""Telling: the event that says what became of a registration."""

from datetime import datetime
from typing import Any

import asyncpg

from services.registration.domain.places import Status
from services.registration.store import people
from shared.events.registration import (
    OrganizationFacts,
    ParticipantCancelled,
    ParticipantCheckedIn,
    ParticipantConfirmed,
    ParticipantPending,
    ParticipantRejected,
    ParticipantWaitlisted,
)
from shared.log import outbox
from shared.postgres import Connection

Row = asyncpg.Record

_EVENTS = {
    Status.PENDING_APPROVAL: ParticipantPending,
    Status.WAITLISTED: ParticipantWaitlisted,
    Status.REJECTED: ParticipantRejected,
    Status.CANCELLED: ParticipantCancelled,
}


async def tell(connection: Connection, registration: Row, status: Status, now: datetime) -> None:
    """Announce a registration's new state; locks its person."""
    version = await people.next_version(connection, registration["person_id"])
    facts = _facts(registration)
    if status is Status.CONFIRMED:
        organization = await people.organization(connection, registration["organization_id"])
        confirmed = ParticipantConfirmed(
            **facts,
            organization=OrganizationFacts(
                organization_id=organization["id"],
                name=organization["name"],
                native_name=organization["native_name"],
                country=organization["country"],
                sectors=tuple(organization["sectors"]),
                size=organization["size"],
            ),
            languages=tuple(registration["languages"]),
            listings=await people.listings_of(connection, registration["organization_id"]),
            # Of the person: another partner may register anybody whose address it knows.
            partner_id=registration["person_partner_id"],
        )
        await outbox.append(connection, confirmed, sequence=version, now=now)
    else:
        await outbox.append(connection, _EVENTS[status](**facts), sequence=version, now=now)


async def tell_arrival(connection: Connection, registration: Row, now: datetime) -> None:
    """Announce that somebody was checked in; locks the person."""
    version = await people.next_version(connection, registration["person_id"])
    event = ParticipantCheckedIn(**_facts(registration), checked_in_at=now)
    await outbox.append(connection, event, sequence=version, now=now)


def _facts(registration: Row) -> dict[str, Any]:
    return {
        "participant_id": registration["person_id"],
        "registration_id": registration["id"],
        "mission_id": registration["mission_id"],
        "stop_id": registration["stop_id"],
        "programme_item_id": registration["programme_item_id"],
        "item_kind": registration["item_kind"],
        "side": "delegation" if registration["role"] == "delegate" else "local",
    }
