"""Wishing: preferences and requests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from pydantic_core import to_jsonable_python

from services.matching.commands import looking
from services.matching.domain import wishes as domain
from services.matching.store import wishes as store
from shared.errors import Conflict, Fault, Invalid
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def state_preference(database: Database, facts: Facts, now: datetime) -> None:
    """Take a preference in; raises `NotFound`, `Invalid` for one's own side, or `Conflict`."""
    async with database.transaction() as connection:
        await _check_pair(connection, facts)
        if not await store.put_preference(connection, facts, now):
            raise Conflict("A no_thanks is final.", code="final")


async def request(database: Database, facts: Facts, key: Key, now: datetime) -> Answer:
    """Ask for a meeting. Raises `NotFound`, `Invalid`, or `Conflict` when the pair has asked."""

    async def effect(connection: Connection) -> Answer:
        await _check_pair(connection, facts)
        request_id = uuid4()
        try:
            async with connection.transaction():
                await store.add_request(
                    connection, {**facts, "id": request_id, "requested_at": now}
                )
        except asyncpg.UniqueViolationError:
            raise Conflict(
                "These two have an open or accepted request already.", code="already_requested"
            ) from None
        return Answer(request_content(await looking.existing_request(connection, request_id)))

    return await once(database, key, effect)


async def answer(
    database: Database, request_id: UUID, answer_: domain.Answer, now: datetime
) -> dict[str, Any]:
    """Accept, decline or cancel a request; raises `NotFound`, or `Conflict` by its state."""
    async with database.transaction() as connection:
        found = await looking.existing_request(connection, request_id, lock=True)
        status = domain.answered(found["status"], answer_)
        await store.answer(connection, request_id, status, now)
        return request_content(await looking.existing_request(connection, request_id))


def request_content(row: asyncpg.Record) -> dict[str, Any]:
    """Write a request as JSON can hold it."""
    content: dict[str, Any] = to_jsonable_python(dict(row))
    return content


async def _check_pair(connection: Connection, facts: Facts) -> None:
    one = await looking.existing_participant(connection, facts["stop_id"], facts["participant_id"])
    two = await looking.existing_participant(connection, facts["stop_id"], facts["counterpart_id"])
    if one["side"] == two["side"]:
        fault = Fault("/counterpart_id", "Meetings are between the delegation and local people.")
        raise Invalid("Both are of one side.", faults=[fault])
