"""Deciding: approval, rejection, cancellation, check-in, and who moves up the waiting list."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.telling import tell, tell_arrival
from services.registration.domain.places import (
    HOLDS_A_PLACE,
    Decision,
    Status,
    arrived,
    decided,
    granted,
)
from services.registration.store import missions
from services.registration.store import registrations as store
from shared.errors import NotFound
from shared.idempotency import Answer, once
from shared.postgres import Connection, Database

Row = asyncpg.Record


async def decide(
    database: Database, registration_id: UUID, decision: Decision, now: datetime
) -> Answer:
    """Decide about a registration and fill the place that becomes free, in one transaction.

    Raises `NotFound`, or `Conflict` where the state does not allow the decision.
    """

    async def effect(connection: Connection) -> Answer:
        registration = await _locked(connection, registration_id)
        before = Status(registration["status"])
        after = decided(before, decision)
        await store.set_status(connection, registration_id, after)
        await tell(connection, registration, after, now)
        if before in HOLDS_A_PLACE and after not in HOLDS_A_PLACE:
            await missions.count_places(connection, registration["programme_item_id"], taken=-1)
        elif before is Status.WAITLISTED:
            await missions.count_places(connection, registration["programme_item_id"], waiting=-1)
        await _promote(connection, registration["programme_item_id"], now)
        return Answer(_content(registration, after), status=200)

    return await once(database, None, effect)


async def check_in(database: Database, registration_id: UUID, now: datetime) -> Answer:
    """Note that somebody arrived; a second time changes nothing.

    Raises `NotFound`, or `Conflict` unless the registration is confirmed.
    """

    async def effect(connection: Connection) -> Answer:
        registration = await _locked(connection, registration_id)
        status = Status(registration["status"])
        arrived(status)
        at = registration["checked_in_at"]
        if at is None:
            at = now
            await store.check_in(connection, registration_id, now)
            await tell_arrival(connection, registration, now)
        return Answer(_content(registration, status) | {"checked_in_at": at.isoformat()}, 200)

    return await once(database, None, effect)


async def existing(connection: Connection, registration_id: UUID) -> Row:
    """Read a registration; raises `NotFound`."""
    registration = await store.one(connection, registration_id)
    if registration is None:
        raise NotFound("There is no such registration.")
    return registration


async def _locked(connection: Connection, registration_id: UUID) -> Row:
    """Read a registration once its item is locked: what was read before may have changed."""
    item_id = (await existing(connection, registration_id))["programme_item_id"]
    await missions.lock_item(connection, item_id)
    return await existing(connection, registration_id)


async def _promote(connection: Connection, item_id: UUID, now: datetime) -> None:
    """Give free places to those who wait longest."""
    item = await missions.lock_item(connection, item_id)
    for _ in range(min(item["capacity"] - item["taken"], item["waiting"])):
        registration = await store.first_waiting(connection, item_id)
        if registration is None:
            return
        status = granted(requires_approval=item["requires_approval"])
        await store.set_status(connection, registration["id"], status)
        await missions.count_places(connection, item_id, taken=1, waiting=-1)
        await tell(connection, registration, status, now)


def _content(registration: Row, status: Status) -> dict[str, Any]:
    at = registration["checked_in_at"]
    return {
        "id": str(registration["id"]),
        "status": status.value,
        "participant_id": str(registration["person_id"]),
        "checked_in_at": at.isoformat() if at else None,
    }
