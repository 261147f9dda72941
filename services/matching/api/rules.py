"""What a stop's schedule has to respect: ways, availabilities, orders and rests."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.matching.commands import looking, ruling
from services.matching.resources import Held, Resources
from services.matching.rule_bodies import AvailabilityBody, PrecedenceBody, RestBody, WaysBody
from services.matching.store import rules as store
from shared.access import Principal, Scope, require
from shared.errors import NotFound
from shared.http import Caller, IfMatch, etag

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/scheduling-rules")
async def read_rules(stop_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read all that a stop's schedule has to respect beside wishes, quotas and exclusions.

    `revisions` are those of ways and rest, `revision` that of somebody's times; 0: nothing is set.
    """
    await _require(held, who, stop_id)
    async with held.database.reading() as connection:
        rest = await store.rest(connection, stop_id)
        times = await ruling.availabilities(connection, stop_id)
        revisions = await store.revisions(connection, stop_id)
        return {
            "stop_id": stop_id,
            "ways": [dict(row) for row in await store.ways(connection, stop_id)],
            "availabilities": [
                {"person_id": one, "times": own, "revision": revisions.of(one)}
                for one, own in times.items()
            ],
            "precedences": [
                ruling.order_view(row) for row in await store.precedences(connection, stop_id)
            ],
            "rest": rest and rest.model_dump(),
            "revisions": {"ways": revisions.ways, "rest": revisions.rest},
        }


@router.put("/scheduling-rules/ways")
async def set_ways(
    body: WaysBody, held: Held, who: Caller, seen: IfMatch, response: Response
) -> dict[str, Any]:
    """Say how long the ways between a stop's venues take; what was said before is replaced."""
    await _require(held, who, body.stop_id)
    found, revision = await ruling.set_ways(held.database, body.model_dump(), seen)
    response.headers.update(etag(revision))
    return found


@router.put("/scheduling-rules/availabilities")
async def set_availability(
    body: AvailabilityBody, held: Held, who: Caller, seen: IfMatch, response: Response
) -> dict[str, Any]:
    """Say when a participant can have meetings, or an interpreter works."""
    await _require(held, who, body.stop_id)
    found, revision = await ruling.set_availability(held.database, body.model_dump(), seen)
    response.headers.update(etag(revision))
    return found


@router.put("/scheduling-rules/rest")
async def set_rest(
    body: RestBody, held: Held, who: Caller, seen: IfMatch, response: Response
) -> dict[str, Any]:
    """Say how long interpreters speak at a stretch at most."""
    await _require(held, who, body.stop_id)
    found, revision = await ruling.set_rest(held.database, body.model_dump(), seen)
    response.headers.update(etag(revision))
    return found


@router.post("/scheduling-rules/precedences", status_code=201)
async def add_precedence(body: PrecedenceBody, held: Held, who: Caller) -> dict[str, Any]:
    """Have one meeting before another, where both are held; a repeat changes nothing."""
    await _require(held, who, body.stop_id)
    return await ruling.add_precedence(held.database, body.model_dump())


@router.delete("/scheduling-rules/precedences/{precedence_id}", status_code=204)
async def drop_precedence(precedence_id: UUID, held: Held, who: Caller) -> None:
    """Let two meetings be in any order."""
    async with held.database.reading() as connection:
        row = await store.precedence(connection, precedence_id)
    if row is None:
        raise NotFound("There is no such order of meetings.")
    await _require(held, who, row["stop_id"])
    await ruling.drop_precedence(held.database, precedence_id)


async def _require(held: Resources, who: Principal, stop_id: UUID) -> None:
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "schedule.write", Scope(stop["mission_id"], stop_id))
