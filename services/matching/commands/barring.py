"""Barring: the organiser keeps two apart, a host vetoes a pair, and both can be lifted."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from pydantic_core import to_jsonable_python

from services.matching.commands.wishing import check_pair
from services.matching.domain.barring import Barred, Pair
from services.matching.domain.meetings import NOT_BEGUN, Meeting
from services.matching.domain.requests import Author
from services.matching.store import barring as store
from services.matching.store import meetings
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def exclude(
    database: Database, facts: Facts, by: Author, key: Key | None, now: datetime
) -> Answer:
    """Keep two companies or two people apart; answers with the meetings that they have already.

    Raises `Invalid` for who does not take part or is of one side, `Conflict` for what is excluded.
    """

    async def effect(connection: Connection) -> Answer:
        await store.lock_stops(connection, facts["mission_id"], facts["stop_id"])
        await _check_sides(connection, facts)
        new = {**facts, "id": uuid4(), "stated_at": now}
        row = await _added(connection, "exclusion", new, by)
        barred = Barred(**await _only(connection, new))
        one = facts["stop_id"]
        stops = [one] if one else await store.stop_ids(connection, facts["mission_id"])
        standing = [m for stop in stops for m in await _standing(connection, stop, barred)]
        return Answer(content(row) | {"meetings": [str(meeting.id) for meeting in standing]})

    return await once(database, key, effect)


async def veto(
    database: Database, facts: Facts, by: Author, key: Key | None, now: datetime
) -> Answer:
    """Veto a pair at a stop; answers with the meeting that they have already.

    Raises `NotFound`, `Invalid` for two of one side, and `Conflict` for what is vetoed.
    """

    async def effect(connection: Connection) -> Answer:
        await store.lock_stops(connection, facts["mission_id"], facts["stop_id"])
        await check_pair(connection, facts)
        ids = {"one_id": facts["participant_id"], "other_id": facts["counterpart_id"]}
        new = {**facts, **ids, "id": uuid4(), "stated_at": now}
        row = await _added(connection, "veto", new, by)
        barred = Barred(vetoed=frozenset([frozenset(ids.values())]))
        standing = await _standing(connection, facts["stop_id"], barred)
        return Answer(content(row) | {"meetings": [str(meeting.id) for meeting in standing]})

    return await once(database, key, effect)


async def lift(
    database: Database, table: store.Table, found_id: UUID, by: Author, now: datetime
) -> dict[str, Any]:
    """Lift an exclusion or a veto; raises `Conflict` where it was lifted before."""
    async with database.transaction() as connection:
        row = await store.lift(connection, table, found_id, by, now)
        if row is None:
            raise Conflict("This was lifted before.", code="illegal_state")
        return content(row)


async def existing(connection: Connection, table: store.Table, found_id: UUID) -> asyncpg.Record:
    """Read an exclusion or a veto; raises `NotFound`."""
    row = await store.one(connection, table, found_id)
    if row is None:
        raise NotFound(f"There is no such {table}.")
    return row


async def refuse_barred(connection: Connection, meeting: Meeting) -> None:
    """Raise `Conflict` (`barred`) when the two of a meeting are kept apart by now."""
    barred = await store.of_stop(connection, meeting.mission_id, meeting.stop_id)
    if barred.why(*meeting.people):
        detail = "These two are not to meet any more. Cancel this meeting."
        raise Conflict(detail, code="barred")


def content(row: asyncpg.Record) -> dict[str, Any]:
    """Write an exclusion or a veto as JSON can hold it."""
    written: dict[str, Any] = to_jsonable_python(dict(row))
    return written


async def _added(
    connection: Connection, table: store.Table, new: Facts, by: Author
) -> asyncpg.Record:
    try:
        async with connection.transaction():
            return await store.add(connection, table, new, by)
    except asyncpg.UniqueViolationError:
        raise Conflict("These two are kept apart already.", code="already_barred") from None


async def _check_sides(connection: Connection, facts: Facts) -> None:
    found = {
        name: await store.sides(connection, facts["mission_id"], facts["kind"], facts[name])
        for name in ("one_id", "other_id")
    }
    detail = f"None of the {facts['kind']} that take part in this mission."
    faults = [Fault(f"/{name}", detail) for name, sides in found.items() if not sides]
    if not faults and len(found["one_id"] | found["other_id"]) == 1:
        faults = [Fault("/other_id", "Both are of one side, and would not meet.")]
    if faults:
        raise Invalid("These two cannot be kept apart.", faults=faults)


async def _only(connection: Connection, new: Facts) -> dict[str, Any]:
    pair: Pair = frozenset((new["one_id"], new["other_id"]))
    if new["kind"] == "people":
        return {"people": frozenset([pair])}
    company_of = await store.companies(connection, new["mission_id"])
    return {"companies": frozenset([pair]), "company_of": company_of}


async def _standing(connection: Connection, stop_id: UUID, barred: Barred) -> Sequence[Meeting]:
    """List the meetings not begun that the next version leaves out, or that staff must cancel."""
    return [
        meeting
        for meeting in await meetings.of_stop(connection, stop_id)
        if meeting.state in NOT_BEGUN and barred.why(*meeting.people)
    ]
