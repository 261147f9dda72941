"""Repairs of the running day: what happened, what is proposed, and what staff decides."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from services.matching.allowing import allow, allow_repair, end, shown
from services.matching.commands import repairing, reviewing
from services.matching.commands.repairing import Asking, Decision
from services.matching.repair_bodies import RepairBody, RepairRuleBody
from services.matching.resources import Held, Resources
from services.matching.store import absences
from services.matching.store import repairs as store
from shared.access import may
from shared.http import Caller, Now
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post("/repairs", status_code=201)
async def propose(
    body: RepairBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> dict[str, Any]:
    """Say what disturbs the day; answers with a repair."""
    await allow(held, who, body.stop_id)
    report = body.happened.model_dump()
    asking = Asking(who, now, key)
    repair_id = await repairing.propose(held.database, held.repair, body.stop_id, report, asking)
    return await shown(held, who, repair_id)


@router.get("/repairs")
async def list_repairs(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List a stop's repairs, the newest first; at most 50."""
    scope = await allow(held, who, stop_id)
    async with held.database.reading() as connection:
        rows = await store.of_stop(connection, stop_id)
        in_full = may(who, "schedule.write", scope)
        return {"items": await reviewing.views(connection, stop_id, rows, in_full=in_full)}


@router.get("/repairs/{repair_id}")
async def read_repair(repair_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read a repair: each meeting that it touches, now and then."""
    return await shown(held, who, repair_id)


@router.post("/repairs/{repair_id}/accept")
async def accept(repair_id: UUID, held: Held, who: Caller, key: OptionalKey, now: Now) -> Response:
    """Put a repair in force, whole or not at all."""
    decision = await _decision(held, Decision(repair_id, who, now, key))
    return (await repairing.accept(held.database, decision)).response()


@router.post("/repairs/{repair_id}/reject")
async def reject(repair_id: UUID, held: Held, who: Caller, key: OptionalKey, now: Now) -> Response:
    """Put a repair aside: nothing is changed."""
    decision = await _decision(held, Decision(repair_id, who, now, key))
    return (await repairing.reject(held.database, decision)).response()


@router.post("/repairs/{repair_id}/again", status_code=201)
async def again(
    repair_id: UUID, held: Held, who: Caller, key: OptionalKey, now: Now
) -> dict[str, Any]:
    """Propose anew for what was reported, on the day as it is now."""
    await allow_repair(held, who, repair_id)
    new_id = await repairing.again(held.database, held.repair, repair_id, Asking(who, now, key))
    return await shown(held, who, new_id)


@router.post("/repairs/{repair_id}/offers/{number}/accept")
async def take_offer(  # each is given by the framework
    *, repair_id: UUID, number: int, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Give a waiting wish the meeting that a repair left room for."""
    decision = await _decision(held, Decision(repair_id, who, now, key))
    return (await repairing.take_offer(held.database, decision, number)).response()


async def _decision(held: Resources, decision: Decision) -> Decision:
    """Check the right to decide, and say how much the answer may tell; raises as `allow`."""
    async with held.database.reading() as connection:
        row = await repairing.existing(connection, decision.repair_id)
    scope = await allow(held, decision.who, row["stop_id"])
    return replace(decision, in_full=may(decision.who, "schedule.write", scope))


@router.get("/repair-rules")
async def read_rule(stop_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read which repairs of a stop are accepted at once."""
    await allow(held, who, stop_id)
    async with held.database.reading() as connection:
        return {"stop_id": stop_id, "meetings_max": await store.rule(connection, stop_id)}


@router.put("/repair-rules")
async def set_rule(body: RepairRuleBody, held: Held, who: Caller) -> dict[str, Any]:
    """Say how many meetings a repair may move to be accepted at once."""
    await allow(held, who, body.stop_id, "schedule.write")
    await repairing.set_rule(held.database, body.stop_id, body.meetings_max)
    return body.model_dump()


@router.get("/absences")
async def list_absences(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List who and what is away at a stop, in order of time."""
    await allow(held, who, stop_id)
    async with held.database.reading() as connection:
        return {"items": [dict(row) for row in await absences.of_stop(connection, stop_id)]}


@router.post("/absences/{absence_id}/end", status_code=204)
async def end_absence(absence_id: UUID, held: Held, who: Caller) -> None:
    """Note that who was away is back, or will not be away."""
    await end(held, who, absence_id)
