"""Ruling: what a stop's schedule has to respect beside wishes, quotas and exclusions."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from services.matching.commands import looking
from services.matching.domain.problem import Rest
from services.matching.store import facts as known
from services.matching.store import rules as store
from shared.errors import Fault, Invalid, NotFound, Stale
from shared.postgres import Connection, Database

Facts = Mapping[str, Any]


async def set_ways(database: Database, facts: Facts, seen: int) -> tuple[dict[str, Any], int]:
    """Say how long the ways between a stop's venues take, in place of what was `seen`.

    Gives what is so now, and its revision. Raises `NotFound` and `Stale`.
    """
    stop_id = facts["stop_id"]
    async with database.transaction() as connection:
        await looking.existing_stop(connection, stop_id, lock=True)
        check_revision(seen, (await store.revisions(connection, stop_id)).ways)
        ways = ((way["one"], way["other"], way["minutes"]) for way in facts["ways"])
        await store.put_ways(connection, stop_id, ways)
        found = [dict(row) for row in await store.ways(connection, stop_id)]
        revision = (await store.revisions(connection, stop_id)).ways
    return {"stop_id": stop_id, "ways": found}, revision


async def set_availability(
    database: Database, facts: Facts, seen: int
) -> tuple[dict[str, Any], int]:
    """Say when a participant can meet, or an interpreter works, in place of what was `seen`.

    Gives what is so now, and its revision. Raises `NotFound`, `Invalid` and `Stale`.
    """
    stop_id, person_id = facts["stop_id"], facts["person_id"]
    async with database.transaction() as connection:
        await looking.existing_stop(connection, stop_id, lock=True)
        helpers = {row["id"] for row in await known.interpreters(connection, stop_id)}
        if person_id not in helpers and not await known.profile_at(connection, stop_id, person_id):
            fault = Fault("/person_id", "No participant and no interpreter of this stop.")
            raise Invalid("Only who is at the stop has times there.", faults=[fault])
        check_revision(seen, (await store.revisions(connection, stop_id)).of(person_id))
        times = [(time["starts_at"], time["ends_at"]) for time in facts["times"]]
        await store.put_availability(connection, stop_id, person_id, times)
        found = (await availabilities(connection, stop_id)).get(person_id, [])
        revision = (await store.revisions(connection, stop_id)).of(person_id)
    return {**facts, "times": found}, revision


async def availabilities(connection: Connection, stop_id: UUID) -> dict[UUID, list[dict[str, Any]]]:
    """Give the times of everybody who has some at a stop."""
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in await store.availabilities(connection, stop_id):
        times = found.setdefault(row["resource_id"], [])
        times.append({"starts_at": row["starts_at"], "ends_at": row["ends_at"]})
    return found


async def add_precedence(database: Database, facts: Facts) -> dict[str, Any]:
    """Put one meeting before another; raises `NotFound`, and `Invalid` for one before itself."""
    pairs = (facts["first"], facts["second"])
    async with database.transaction() as connection:
        await looking.existing_stop(connection, facts["stop_id"], lock=True)
        if pairs[0] == pairs[1]:
            fault = Fault("/second", "This is the first meeting.")
            raise Invalid("A meeting is before another one.", faults=[fault])
        rows = await store.precedences(connection, facts["stop_id"])
        written = [store.pairs_of(row) for row in rows]
        first, second = ((pair["delegate_id"], pair["local_id"]) for pair in pairs)
        if (second, first) in written:
            fault = Fault("/second", "It is to be before the first one already.")
            raise Invalid("The two meetings have the other order.", faults=[fault])
        for place, pair in zip(("first", "second"), pairs, strict=True):
            for side in ("delegate_id", "local_id"):
                await _at_stop(connection, facts["stop_id"], pair[side], f"/{place}/{side}")
        row = await store.add_precedence(
            connection,
            {
                "id": uuid4(),
                "stop_id": facts["stop_id"],
                "first_delegate_id": first[0],
                "first_local_id": first[1],
                "second_delegate_id": second[0],
                "second_local_id": second[1],
            },
        )
        return order_view(row)


async def drop_precedence(database: Database, precedence_id: UUID) -> None:
    """Let two meetings be in any order; a repeat changes nothing."""
    async with database.transaction() as connection:
        await store.drop_precedence(connection, precedence_id)


def order_view(row: Any) -> dict[str, Any]:
    """Show an order of two meetings."""
    pairs = store.pairs_of(row)
    shown = [{"delegate_id": delegate, "local_id": local} for delegate, local in pairs]
    return {"id": row["id"], "stop_id": row["stop_id"], "first": shown[0], "second": shown[1]}


async def set_rest(database: Database, facts: Facts, seen: int) -> tuple[dict[str, Any], int]:
    """Say how interpreters rest at a stop; without a longest run there is no rule.

    Gives what is so now, and its revision. Raises `NotFound` and `Stale`.
    """
    rest = Rest.model_validate(facts) if facts["run_minutes_max"] else None
    async with database.transaction() as connection:
        await looking.existing_stop(connection, facts["stop_id"], lock=True)
        check_revision(seen, (await store.revisions(connection, facts["stop_id"])).rest)
        await store.put_rest(connection, facts["stop_id"], rest)
        revision = (await store.revisions(connection, facts["stop_id"])).rest
    return dict(facts), revision


def check_revision(seen: int, present: int) -> None:
    """Raise `Stale` where something changed since somebody decided."""
    if seen != present:
        raise Stale(f"This is at revision {present} by now; look again.")


async def _at_stop(connection: Connection, stop_id: UUID, person_id: UUID, pointer: str) -> None:
    try:
        await looking.existing_participant(connection, stop_id, person_id)
    except NotFound:
        fault = Fault(pointer, "This participant has no meetings at the stop.")
        raise Invalid("Only participants of the stop meet there.", faults=[fault]) from None
