"""Telling: the event that says what became of a registration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import to_json

from services.registration.domain.places import Status
from services.registration.store import people, rush
from shared.events.base import Event
from shared.events.registration import (
    CheckInRetracted,
    ParticipantCancelled,
    ParticipantCheckedIn,
    ParticipantConfirmed,
    ParticipantEvent,
    ParticipantLapsed,
    ParticipantOffered,
    ParticipantPending,
    ParticipantRejected,
    ParticipantWaitlisted,
)
from shared.log import outbox
from shared.postgres import Connection

Row = asyncpg.Record
Profile = tuple[Mapping[str, Any], Sequence[Any]]
"""`OrganizationFacts` and what the organisation offers and needs, as JSON has them."""

_EVENTS = {
    Status.PENDING_APPROVAL: ParticipantPending,
    Status.WAITLISTED: ParticipantWaitlisted,
    Status.OFFER_EXPIRED: ParticipantLapsed,
    Status.REJECTED: ParticipantRejected,
    Status.CANCELLED: ParticipantCancelled,
}


@dataclass(slots=True)
class News:
    """What became of one registration.

    `registration` names its id, its item with item_kind and stop_id, and its person: person_id,
    mission_id, role, languages, organization_id, person_partner_id.
    """

    registration: Mapping[str, Any] | Row
    status: Status
    hold_until: datetime | None = None
    sequence: int | None = None
    """The version of a person who is new; None: the next one of a person on file."""
    correlation_id: str | None = None
    is_correction: bool = False
    """Whether the place was confirmed before, and its company has other facts now."""


async def tell(connection: Connection, registration: Row, status: Status, now: datetime) -> None:
    """Announce a registration's new state; locks its person."""
    await tell_all(connection, [News(registration, status)], now)


async def tell_all(
    connection: Connection,
    news: Sequence[News],
    now: datetime,
    profiles: Mapping[UUID, Profile] | None = None,
    *,
    is_last: bool = False,
) -> None:
    """Announce many in a few statements; locks the people on file, in order.

    `profiles`: those of organisations that need not be read again. `is_last`: nothing else is done
    before the commit.
    """
    known = dict(profiles or {})
    unread = {
        one.registration["organization_id"] for one in news if one.status is Status.CONFIRMED
    } - known.keys()
    if unread:
        known |= await _profiles(connection, unread)
    on_file = [one.registration["person_id"] for one in news if one.sequence is None]
    versions = await rush.next_versions(connection, on_file) if on_file else {}
    events = []
    for one in news:
        sequence = one.sequence
        if sequence is None:
            sequence = versions[one.registration["person_id"]]
            versions[one.registration["person_id"]] += 1
        events.append((_event(one, known), sequence, one.correlation_id))
    await outbox.append_all(connection, events, now=now, is_last=is_last)


def _event(news: News, profiles: Mapping[UUID, Profile]) -> Event | outbox.Written:
    registration = news.registration
    facts = _facts(registration)
    if news.status is Status.OFFERED:
        assert news.hold_until is not None
        return ParticipantOffered(**facts, offered_until=news.hold_until)
    if news.status is not Status.CONFIRMED:
        return _EVENTS[news.status](**facts)
    organization, listings = profiles[registration["organization_id"]]
    # As the model writes it: that takes ten times as long, and a rush tells nothing else.
    content = {
        **{name: _as_json(value) for name, value in facts.items()},
        "organization": organization,
        "languages": registration["languages"],
        "listings": listings,
        "is_correction": news.is_correction,
    }
    return outbox.Written(ParticipantConfirmed, registration["person_id"], to_json(content))


def _as_json(value: UUID | str | None) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def organization_facts(
    organization_id: UUID,
    *,
    name: str,
    native_name: str | None,
    country: str,
    sectors: Sequence[str],
    size: str | None,
) -> Mapping[str, Any]:
    """Give `OrganizationFacts` as JSON has them."""
    return {
        "organization_id": str(organization_id),
        "name": name,
        "native_name": native_name,
        "country": country,
        "sectors": sectors,
        "size": size,
    }


async def _profiles(connection: Connection, ids: set[UUID]) -> dict[UUID, Profile]:
    return {
        row["id"]: (
            organization_facts(
                row["id"],
                name=row["name"],
                native_name=row["native_name"],
                country=row["country"],
                sectors=row["sectors"],
                size=row["size"],
            ),
            row["listings"],
        )
        for row in await rush.profiles(connection, ids)
    }


async def tell_arrival(connection: Connection, registration: Row, now: datetime) -> None:
    """Announce that somebody was checked in; locks the person."""
    event = ParticipantCheckedIn(**_facts(registration), checked_in_at=now)
    await _announce(connection, event, now)


async def tell_no_arrival(connection: Connection, registration: Row, now: datetime) -> None:
    """Announce that a check-in was taken back; locks the person."""
    event = CheckInRetracted(
        **_facts(registration),
        checked_in_at=registration["checked_in_at"],
        undone_at=now,
        has_place=Status(registration["status"]) is Status.CONFIRMED,
    )
    await _announce(connection, event, now)


async def _announce(connection: Connection, event: ParticipantEvent, now: datetime) -> None:
    version = await people.next_version(connection, event.participant_id)
    await outbox.append(connection, event, sequence=version, now=now)


def _facts(registration: Mapping[str, Any] | Row) -> dict[str, Any]:
    return {
        "participant_id": registration["person_id"],
        "registration_id": registration["id"],
        "mission_id": registration["mission_id"],
        "stop_id": registration["stop_id"],
        "programme_item_id": registration["programme_item_id"],
        "item_kind": registration["item_kind"],
        "side": "delegation" if registration["role"] == "delegate" else "local",
        # Of the person: another partner may register anybody whose address it knows.
        "partner_id": registration["person_partner_id"],
    }
