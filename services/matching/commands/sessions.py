"""Planning where and when meetings are held."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.matching.commands import looking
from services.matching.domain.meetings import Meeting
from services.matching.store import facts as known
from services.matching.store import meetings
from services.matching.store import sessions as store
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def add_session(database: Database, facts: Facts, key: Key | None) -> Answer:
    """Plan a meeting session.

    Raises `NotFound` for an unknown item, `Invalid` for one without meetings, `Conflict` when the
    slug is taken or a point is in use by another session at the same time.
    """

    async def effect(connection: Connection) -> Answer:
        item = await known.item(connection, facts["programme_item_id"])
        if item is None or await known.stop(connection, item["stop_id"], lock=True) is None:
            raise NotFound("There is no such programme item.")
        if item["kind"] != "matchmaking":
            fault = Fault("/programme_item_id", "Meetings are held at matchmaking items alone.")
            raise Invalid("This item has no meetings.", faults=[fault])
        session_id = uuid4()
        session = {**facts, "id": session_id, "stop_id": item["stop_id"]}
        try:
            await store.add(connection, session)
        except asyncpg.UniqueViolationError:
            raise Conflict(f"The slug {facts['slug']} is taken.", code="slug_taken") from None
        points = [
            await store.add_point(connection, item["stop_id"], uuid4(), point)
            for point in facts["points"]
        ]
        await store.use_points(connection, session_id, points)
        await _refuse_shared_points(connection, session)
        return Answer({"id": str(session_id)})

    return await once(database, key, effect)


async def _refuse_shared_points(connection: Connection, session: Facts) -> None:
    """Keep sessions that overlap at different points: a table is counted once for each time."""
    mine = store.slots(session)
    points = {point["id"] for point in await store.points_of(connection, session["id"])}
    for other in await store.of_stop(connection, session["stop_id"]):
        if other["id"] == session["id"]:
            continue
        shared = points & {p["id"] for p in await store.points_of(connection, other["id"])}
        theirs = store.slots(other)
        is_before = mine[-1].ends_at <= theirs[0].starts_at
        is_after = theirs[-1].ends_at <= mine[0].starts_at
        if shared and not (is_before or is_after):
            raise Conflict(
                f"The session {other['slug']} uses some of these points at the same time.",
                code="point_in_use",
            )


async def close_point(
    database: Database, session_id: UUID, point_id: UUID, from_slot: int
) -> tuple[datetime, list[Meeting]]:
    """Take a point out of use from a slot on, and give the meetings that must go elsewhere."""
    async with database.transaction() as connection:
        session = await looking.existing_session(connection, session_id)
        # No meeting is put there in the same moment.
        await known.stop(connection, session["stop_id"], lock=True)
        if point_id not in {p["id"] for p in await store.points_of(connection, session_id)}:
            raise NotFound("This session has no such point.")
        slots = store.slots(session)
        if from_slot > len(slots):
            fault = Fault("/from_slot", f"The session has {len(slots)} slots.")
            raise Invalid("There is no such slot.", faults=[fault])
        at = await store.close_point(connection, point_id, slots[from_slot - 1].starts_at)
        return at, await meetings.on_point(connection, point_id, at)
