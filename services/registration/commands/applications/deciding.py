"""Deciding: who is selected, who waits in reserve, who comes, and who moves up."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.applications import calls
from services.registration.commands.applications.applying import existing, locked
from services.registration.commands.applications.calls import Call
from services.registration.commands.applications.telling import tell
from services.registration.domain.applications import (
    HOLDS_A_PLACE,
    Action,
    Actor,
    Minimum,
    Status,
    check_in_time,
    check_message,
    decided,
)
from services.registration.store import applications as store
from services.registration.store import calls as call_store
from services.registration.store import letters
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Invalid
from shared.http import now as clock
from shared.postgres import Connection, Database

LAPSE_SECONDS = 30

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decides, on which revision, and what the other side is told with it."""

    action: Action
    actor: Actor
    who: Principal | None
    message: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """How many companies a mission has, and whether they are enough."""

    counts: dict[Status, int]
    confirmed: int
    held: int
    minimum: Minimum


async def standing(connection: Connection, call: Call, now: datetime) -> Standing:
    """Count a mission's companies against what it needs."""
    counts = await store.counts(connection, call.mission["id"])
    confirmed = counts.get(Status.CONFIRMED, 0)
    held = sum(counts.get(status, 0) for status in HOLDS_A_PLACE)
    return Standing(counts, confirmed, held, call.terms.minimum(confirmed, now))


async def decide(
    database: Database, application_id: UUID, decision: Decision, now: datetime
) -> dict[str, Any]:
    """Decide about an application and pass on the place that becomes free, in one transaction.

    Raises `NotFound`, `Stale`, `Forbidden`, `Invalid`, or `Conflict` where the state does not
    allow it, no place is free, or the time is over.
    """
    try:
        async with database.transaction() as connection:
            row = await locked(connection, application_id, decision.revision)
            await _decide(connection, row, decision, now)
            row = await existing(connection, application_id)
            return {
                "id": str(application_id),
                "status": row["status"],
                "revision": row["revision"],
            }
    except asyncpg.UniqueViolationError:
        raise Conflict("This company is selected already.", code="company_selected") from None


async def _decide(connection: Connection, row: Row, decision: Decision, now: datetime) -> None:
    status = decided(
        Status(row["status"]),
        decision.action,
        decision.actor,
        was_submitted=row["submitted_at"] is not None,
    )
    check_message(decision.action, decision.message)
    call = await calls.existing(connection, row["mission_id"])
    if status is Status.CONFIRMED:
        check_in_time(row["confirm_by"], now)
    if status is Status.SELECTED:
        await _check_place(connection, call, now)
    await _take(connection, row, (status, call), decision, now)


async def _take(
    connection: Connection, row: Row, to: tuple[Status, Call], decision: Decision, now: datetime
) -> None:
    """Lead an application to its next state, with all that follows from it."""
    status, call = to
    application_id, before = row["id"], Status(row["status"])
    starts_on = call.mission["starts_on"]
    confirm_by = call.terms.confirm_by(now, starts_on) if status is Status.SELECTED else None
    revision = await store.move(connection, application_id, status, now, confirm_by=confirm_by)
    who = decision.who
    await store.add_step(
        connection,
        application_id,
        (decision.action, status, decision.actor),
        (who.subject if who else None, decision.message),
        now,
    )
    if status is Status.CONFIRMED:
        # From now on the company's people are registered as delegates, this one among them.
        await store.set_role(connection, row["contact_id"], "delegate", row["organization_id"])
    await tell(connection, await existing(connection, application_id), revision, now)
    if decision.actor is not Actor.APPLICANT:
        await note(
            connection,
            who,
            f"application.{decision.action}",
            subject_id=application_id,
            mission_id=row["mission_id"],
            details={"status": status.value, "revision": revision},
            now=now,
        )
    if before in HOLDS_A_PLACE and status not in HOLDS_A_PLACE:
        await letters.revoke_all(connection, application_id, now)
        await _promote(connection, call, now)


async def _check_place(connection: Connection, call: Call, now: datetime) -> None:
    if not call.terms.may_offer(now, call.mission["starts_on"]):
        raise Conflict("The mission has begun: nobody is selected any more.", code="mission_begun")
    if not await _has_place(connection, call):
        raise Conflict("All places of this mission are given.", code="mission_full")


async def _has_place(connection: Connection, call: Call) -> bool:
    held = await store.places_held(connection, call.mission["id"])
    return held < call.terms.participants_max


async def _promote(connection: Connection, call: Call, now: datetime) -> None:
    """Offer the place that became free to the first in reserve: one for one."""
    mission = call.mission
    if not call.terms.may_offer(now, mission["starts_on"]) or not await _has_place(
        connection, call
    ):
        return
    row = await store.first_in_reserve(connection, mission["id"])
    if row is not None:
        decision = Decision(Action.SELECT, Actor.CLOCK, None)
        await _take(connection, row, (Status.SELECTED, call), decision, now)


async def lapse(database: Database, now: datetime) -> Sequence[UUID]:
    """End what was not confirmed in time, offer the places to the reserve, and say which ended.

    Each in a transaction of its own; run twice, or by two processes at once, it ends each once.
    """
    async with database.reading() as connection:
        due = await store.due(connection, now)
    ended = []
    for found in due:
        async with database.transaction() as connection:
            row = await locked(connection, found["id"])
            if row["status"] == Status.SELECTED and row["confirm_by"] <= now:
                await _decide(connection, row, Decision(Action.LAPSE, Actor.CLOCK, None), now)
                ended.append(found["id"])
    return ended


async def keep_lapsing(database: Database) -> None:
    """End what was not confirmed in time, for ever."""
    while True:
        await lapse(database, clock())
        await asyncio.sleep(LAPSE_SECONDS)


async def reorder(
    database: Database, mission_id: UUID, order: Sequence[UUID], who: Principal, now: datetime
) -> None:
    """Put the reserve list into an order; raises `Invalid` unless it names exactly who is on it."""
    async with database.transaction() as connection:
        await calls.existing(connection, mission_id)
        await call_store.lock(connection, mission_id)
        there = await store.reserve_list(connection, mission_id)
        if sorted(order) != sorted(there):
            raise Invalid("Name each application of the reserve list once, and no other.")
        await store.put_reserve_list(connection, mission_id, order)
        await note(
            connection,
            who,
            "reserve_list.ordered",
            subject_id=mission_id,
            mission_id=mission_id,
            details={"order": list(order)},
            now=now,
        )
