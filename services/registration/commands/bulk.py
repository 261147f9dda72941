"""Deciding about many registrations as one job: row by row, each as if decided alone.

A job outlives the process. Whoever takes it over goes on with the rows nothing became of; what was
decided in the moment of a crash is found decided, and so is done.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands import deciding
from services.registration.domain.bulk import allows, is_there
from services.registration.domain.listing import Filter
from services.registration.domain.places import Decision, Status
from services.registration.store import bulk as store
from services.registration.store import lists
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

CHUNK = 25
LEASE = timedelta(seconds=30)
IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be decided: about everything that `wanted` matches, or a selection of it."""

    decision: Decision
    wanted: Filter
    among: Sequence[UUID] | None = None
    total: int | None = None
    """How many somebody saw who ordered it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do."""

    total: int
    by_status: dict[str, int]
    allowed: int


async def preview(connection: Connection, order: Order) -> Preview:
    """Count what an order is about, and of it what the states allow; inside `lists.planned`."""
    by_status = await lists.by_status(connection, order.wanted, order.among)
    return Preview(
        total=sum(by_status.values()),
        by_status=by_status,
        allowed=sum(
            number for status, number in by_status.items() if allows(Status(status), order.decision)
        ),
    )


async def start(
    database: Database, order: Order, who: Principal, key: Key | None, now: datetime
) -> Answer:
    """Order a job, who came first first; it is worked on as soon as it is committed.

    Raises `Conflict` when the list is not what was seen, `Invalid` for who is not in it.
    """

    async def effect(connection: Connection) -> Answer:
        job_id = new_id()
        await store.add(
            connection,
            {
                "id": job_id,
                "mission_id": order.wanted.mission_id,
                "stop_id": order.wanted.stop_id,
                "decision": order.decision.value,
                "principal": written(who),
                "started_at": now,
            },
        )
        total = await lists.enlist(connection, order.wanted, order.among, job_id)
        missing = await store.missing(connection, job_id, order.among or ())
        _check(order, missing, total)
        await note(
            connection,
            who,
            "bulk.started",
            subject_id=job_id,
            mission_id=order.wanted.mission_id,
            stop_id=order.wanted.stop_id,
            details={"decision": order.decision.value, "total": total},
            now=now,
        )
        return Answer({"id": str(job_id), "decision": order.decision.value, "total": total}, 202)

    return await once(database, key, effect)


def _check(order: Order, missing: set[UUID], total: int) -> None:
    faults = [
        Fault(f"/registration_ids/{place}", "This is not a registration of this list.")
        for place, registration_id in enumerate(order.among or ())
        if registration_id in missing
    ]
    if faults:
        raise Invalid("Some registrations are not in the list.", faults=faults)
    if order.total not in (None, total):
        raise Conflict(f"The list has {total} registrations now.", code="list_changed")


async def keep_working(database: Database) -> None:
    """Work on jobs for ever."""
    while True:
        if not await work(database, datetime.now(UTC)):
            await asyncio.sleep(IDLE_SECONDS)


async def work(database: Database, now: datetime) -> bool:
    """Decide about the next rows of a job; False when there is none that nobody works on."""
    async with database.transaction() as connection:
        job = await store.claim(connection, now, now + LEASE)
        if job is None:
            return False
        rows = await store.open_rows(connection, job["id"], CHUNK)
    who, decision = principal_of(job["principal"]), Decision(job["decision"])
    outcomes = []
    for row in rows:
        reason = await _decide(database, row["registration_id"], decision, who, now)
        outcomes.append((row["place"], "refused" if reason else "done", reason))
    async with database.transaction() as connection:
        await store.settle(connection, job["id"], outcomes)
        if len(rows) < CHUNK:
            await _finish(connection, job, who, now)
    return True


async def _decide(
    database: Database,
    registration_id: UUID,
    decision: Decision,
    who: Principal,
    now: datetime,
) -> str | None:
    """Decide about one and commit; gives the code of a refusal."""
    async with database.reading() as connection:
        found = await deciding.existing(connection, registration_id)
    if is_there(Status(found["status"]), decision):
        return None
    try:
        await deciding.decide(database, registration_id, decision, who, now)
    except (Conflict, NotFound) as refusal:
        return refusal.code
    return None


async def _finish(
    connection: Connection, job: asyncpg.Record, who: Principal, now: datetime
) -> None:
    if not await store.finish(connection, job["id"], now):
        return
    numbers = await store.job(connection, job["id"])
    assert numbers is not None
    await note(
        connection,
        who,
        "bulk.finished",
        subject_id=job["id"],
        mission_id=job["mission_id"],
        stop_id=job["stop_id"],
        details={name: numbers[name] for name in ("decision", "total", "done", "refused")},
        now=now,
    )


async def existing(connection: Connection, job_id: UUID, who: Principal) -> asyncpg.Record:
    """Read a job; raises `NotFound`, also for partner staff about what others ordered."""
    job = await store.job(connection, job_id)
    if job is None or (who.is_partner and job["principal"]["subject"] != str(who.subject)):
        raise NotFound("There is no such job.")
    return job


def written(who: Principal) -> dict[str, Any]:
    """Write who ordered a job, for whoever works on it later."""
    return {
        "role": who.role,
        "subject": str(who.subject),
        "mission_id": str(who.mission_id) if who.mission_id else None,
        "stop_ids": [str(stop_id) for stop_id in who.stop_ids],
        "partner_id": str(who.partner_id) if who.partner_id else None,
        "scopes": who.scopes,
    }


def principal_of(written: dict[str, Any]) -> Principal:
    """Read who ordered a job."""
    return Principal(
        role=written["role"],
        subject=UUID(written["subject"]),
        mission_id=UUID(written["mission_id"]) if written["mission_id"] else None,
        stop_ids=tuple(UUID(stop_id) for stop_id in written["stop_ids"]),
        partner_id=UUID(written["partner_id"]) if written["partner_id"] else None,
        scopes=tuple(written.get("scopes", ())),
    )
