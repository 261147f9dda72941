"""Deciding: approval, rejection, cancellation, offers taken, reinstatement, check-in."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.calling_up import Held, call_up, held
from services.registration.commands.telling import News, tell_all, tell_arrival
from services.registration.domain.line import Claim
from services.registration.domain.places import (
    HOLDS_A_PLACE,
    Decision,
    Status,
    arrived,
    decided,
    still_held,
)
from services.registration.store import places, rush
from services.registration.store import registrations as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, NotFound
from shared.idempotency import Answer, once
from shared.postgres import Connection, Database

Row = asyncpg.Record


async def decide(
    database: Database,
    registration_id: UUID,
    decision: Decision,
    who: Principal | None,
    now: datetime,
) -> Answer:
    """Decide about a registration and fill the place that becomes free, in one transaction.

    Raises `NotFound`, or `Conflict` where the state does not allow the decision.
    """

    async def effect(connection: Connection) -> Answer:
        return await decide_within(connection, registration_id, decision, who, now)

    return await once(database, None, effect)


async def decide_within(
    connection: Connection,
    registration_id: UUID,
    decision: Decision,
    who: Principal | None,
    now: datetime,
) -> Answer:
    """Decide as `decide` does, as a part of a transaction."""
    registration, item = await locked(connection, registration_id)
    before = Status(registration["status"])
    if decision is Decision.ACCEPT:
        still_held(registration["hold_until"], now)
    after = decided(before, decision, requires_approval=item.terms.requires_approval)
    if decision is Decision.REINSTATE:
        after = await _reinstate(connection, registration, item, now)
    else:
        await _move(connection, registration, item, after, now)
    await call_up(connection, item, now)
    await places.save(connection, [(item.id, item.line)], now)
    facts = {"from": before.value, "to": after.value}
    await note_about(connection, who, f"registration.{decision}", registration, facts, now)
    return Answer(content(registration, after), status=200)


async def _move(
    connection: Connection, registration: Row, item: Held, after: Status, now: datetime
) -> None:
    """Change a registration's state, and the counts with it."""
    before, keeps = Status(registration["status"]), after in HOLDS_A_PLACE
    if before in HOLDS_A_PLACE and not keeps:
        item.line.leave(registration["allotment_id"])
    elif before is Status.WAITLISTED:
        item.line.waiting -= 1
    # What was offered and is taken may wait for approval, and that has its own time.
    hold_until = item.terms.newcomer(now)[1] if after is Status.PENDING_APPROVAL else None
    allotment_id = registration["allotment_id"] if keeps else None
    await rush.set_statuses(connection, [(registration["id"], after, allotment_id, hold_until)])
    await tell_all(connection, [News(registration, after, hold_until)], now)


async def _reinstate(
    connection: Connection, registration: Row, item: Held, now: datetime
) -> Status:
    """Let somebody stand in line again: with a place if there is one for a newcomer."""
    if await store.is_erased(connection, registration["person_id"]):
        raise Conflict("This person was erased on request and cannot come back.", code="erased")
    claim = Claim(registration["partner_id"], is_walk_in=registration["source"] == "walk_in")
    seats = item.line.admit([claim])
    if seats is None:
        item.line.wait(1)
    status, hold_until = item.terms.newcomer(now) if seats else (Status.WAITLISTED, None)
    allotment_id = seats[0].allotment_id if seats else None
    await store.stand_again(connection, registration["id"], now)
    await rush.set_statuses(connection, [(registration["id"], status, allotment_id, hold_until)])
    await tell_all(connection, [News(registration, status, hold_until)], now)
    return status


async def check_in(
    database: Database, registration_id: UUID, who: Principal | None, now: datetime
) -> Answer:
    """Note that somebody arrived; a second time changes nothing.

    Raises `NotFound`, or `Conflict` unless the registration is confirmed.
    """

    async def effect(connection: Connection) -> Answer:
        return await check_in_within(connection, registration_id, who, now)

    return await once(database, None, effect)


async def check_in_within(
    connection: Connection, registration_id: UUID, who: Principal | None, now: datetime
) -> Answer:
    """Check in as `check_in` does, as a part of a transaction."""
    registration, _ = await locked(connection, registration_id)
    status = Status(registration["status"])
    arrived(status)
    at = registration["checked_in_at"]
    if at is None:
        at = now
        await store.check_in(connection, registration_id, now)
        await tell_arrival(connection, registration, now)
        await note_about(connection, who, "registration.check_in", registration, {}, now)
    return Answer(content(registration, status) | {"checked_in_at": at.isoformat()}, 200)


async def existing(connection: Connection, registration_id: UUID) -> Row:
    """Read a registration; raises `NotFound`."""
    registration = await store.one(connection, registration_id)
    if registration is None:
        raise NotFound("There is no such registration.")
    return registration


async def locked(connection: Connection, registration_id: UUID) -> tuple[Row, Held]:
    """Read a registration once its item is locked: what was read before may have changed."""
    item_id = (await existing(connection, registration_id))["programme_item_id"]
    item = await held(connection, item_id)
    return await existing(connection, registration_id), item


async def note_about(
    connection: Connection,
    who: Principal | None,
    action: str,
    registration: Row,
    details: Mapping[str, Any],
    now: datetime,
) -> None:
    """Note that `who` did something to a registration, as `note` does."""
    await note(
        connection,
        who,
        action,
        subject_id=registration["id"],
        mission_id=registration["mission_id"],
        stop_id=registration["stop_id"],
        details=details,
        now=now,
    )


def content(registration: Row, status: Status) -> dict[str, Any]:
    """Give what is answered about a registration, as JSON holds it."""
    at = registration["checked_in_at"]
    return {
        "id": str(registration["id"]),
        "status": status.value,
        "participant_id": str(registration["person_id"]),
        "checked_in_at": at.isoformat() if at else None,
    }
