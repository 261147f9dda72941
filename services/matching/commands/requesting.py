"""Requesting: asking for a meeting, answering in time, and what becomes of what nobody answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from pydantic_core import to_jsonable_python

from services.matching.commands import looking
from services.matching.commands.wishing import check_pair, final, on_behalf_of
from services.matching.domain import requests as domain
from services.matching.domain.requests import Author
from services.matching.store import facts as known
from services.matching.store import requests as store
from services.matching.store import wishes
from shared.errors import Conflict
from shared.events.matching import (
    RequestAccepted,
    RequestCancelled,
    RequestDeclined,
    RequestEvent,
    RequestExpired,
    RequestOrigin,
    RequestStatus,
    RequestSubmitted,
    RequestSuperseded,
)
from shared.idempotency import Answer, Key, once
from shared.log import outbox
from shared.postgres import Connection, Database
from shared.sweeping import in_batches

Facts = Mapping[str, Any]

BATCH_SIZE_MAX = 500

EVENTS: Mapping[RequestStatus, type[RequestEvent]] = {
    "pending": RequestSubmitted,
    "accepted": RequestAccepted,
    "declined": RequestDeclined,
    "cancelled": RequestCancelled,
    "expired": RequestExpired,
    "superseded": RequestSuperseded,
}


async def request(database: Database, facts: Facts, by: Author, key: Key, now: datetime) -> Answer:
    """Ask for a meeting; where the other side has asked, that request is accepted.

    Raises `NotFound`, `Invalid`, or `Conflict` when the two have agreed, and against an own no.
    """

    async def effect(connection: Connection) -> Answer:
        await check_pair(connection, facts)
        expires_at = domain.expiry(facts["expires_at"], now)
        await _refuse_own_no(connection, facts["stop_id"], facts["participant_id"], facts)
        await store.lock_pair(connection, facts)
        open_ = await _open(connection, facts, now)
        is_own = open_ is not None and open_["participant_id"] == facts["participant_id"]
        turn = domain.turn(open_["status"] if open_ else None, is_own=is_own)
        if open_ is not None and turn == "accept":
            agreed = await _change(connection, open_, "accepted", now, by, facts["message"])
            return Answer(content(agreed, now), status=200)
        if open_ is not None:
            await _change(connection, open_, "superseded", now, by)
        new = {**facts, "id": uuid4(), "requested_at": now, "expires_at": expires_at}
        await store.add(connection, new, by)
        row = await looking.existing_request(connection, new["id"])
        await _tell(connection, row, now)
        return Answer(content(row, now))

    return await once(database, key, effect)


async def answer(
    database: Database, request_id: UUID, answer_: domain.Answer, by: Author, now: datetime
) -> dict[str, Any]:
    """Accept, decline or cancel a request.

    Raises `NotFound`, or `Conflict` by its state, when its time is up, or against an own no.
    """
    async with database.transaction() as connection:
        found = await looking.existing_request(connection, request_id, lock=True)
        if domain.status_at(found["status"], found["expires_at"], now) != found["status"]:
            raise Conflict("This request has expired; ask anew.", code="expired")
        status = domain.answered(found["status"], answer_)
        if answer_ == "accept":
            other = {"counterpart_id": found["participant_id"]}
            await _refuse_own_no(connection, found["stop_id"], found["counterpart_id"], other)
        return content(await _change(connection, found, status, now, by), now)


async def expire(database: Database, now: datetime) -> int:
    """Let requests expire whose time is up, in batches, and count them."""

    async def some(connection: Connection) -> int:
        rows = await store.overdue(connection, now, BATCH_SIZE_MAX)
        for row in rows:
            await _change(connection, row, "expired", now)
        return len(rows)

    return await in_batches(database, some, size=BATCH_SIZE_MAX)


async def cancel_all_of(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Cancel the pending requests that somebody made or received."""
    for row in await store.pending_of(connection, person_id):
        await _change(connection, row, "cancelled", now)


def content(row: asyncpg.Record, now: datetime) -> dict[str, Any]:
    """Write a request as JSON can hold it; what is over by now is expired, swept or not."""
    shown = {
        **row,
        "status": domain.status_at(row["status"], row["expires_at"], now),
        "origin": _origin(row),
        "on_behalf_of": on_behalf_of(row["asked_by"], row["participant_id"]),
    }
    written: dict[str, Any] = to_jsonable_python(shown)
    return written


def _origin(row: asyncpg.Record) -> RequestOrigin:
    return domain.origin(
        row["asked_by"], row["participant_id"], is_recommended=row["is_recommended"]
    )


async def _refuse_own_no(
    connection: Connection, stop_id: UUID, person_id: UUID, other: Facts
) -> None:
    """Refuse what goes against an own no; what the other side said is not looked at."""
    if await wishes.refuses(connection, stop_id, person_id, other["counterpart_id"]):
        raise final()


async def _open(connection: Connection, facts: Facts, now: datetime) -> asyncpg.Record | None:
    """Give the pair's open request; one whose time is up expires here."""
    found = await store.open_of(connection, facts)
    if found and domain.status_at(found["status"], found["expires_at"], now) == "expired":
        await _change(connection, found, "expired", now)
        return None
    return found


async def _change(
    connection: Connection,
    found: asyncpg.Record,
    status: RequestStatus,
    now: datetime,
    by: Author | None = None,
    reply: str | None = None,
) -> asyncpg.Record:
    row = await store.change(connection, found["id"], status, now, by, reply)
    await _tell(connection, row, now)
    return row


async def _tell(connection: Connection, row: asyncpg.Record, now: datetime) -> None:
    stop = await known.stop(connection, row["stop_id"])
    assert stop is not None
    event = EVENTS[row["status"]](
        request_id=row["id"],
        stop_id=row["stop_id"],
        mission_id=stop["mission_id"],
        revision=row["revision"],
        status=row["status"],
        origin=_origin(row),
        participant_id=row["participant_id"],
        counterpart_id=row["counterpart_id"],
        expires_at=row["expires_at"],
        occurred_at=now,
    )
    await outbox.append(connection, event, sequence=row["revision"], now=now)
