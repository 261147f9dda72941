"""Exclusions and vetoes: who must not meet. Neither side is told."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from services.matching.acting import author
from services.matching.answers import Barred
from services.matching.commands import barring, looking
from services.matching.resources import Held
from services.matching.store import barring as store
from services.matching.wish_bodies import ExclusionBody, VetoBody
from shared.access import Scope, require
from shared.errors import Fault, Invalid
from shared.http import Caller, Now
from shared.idempotency import OptionalKey

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post("/exclusions", status_code=201, response_model=Barred)
async def exclude(
    body: ExclusionBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Keep two companies, or two people, apart."""
    require(who, "exclusion.write", Scope(body.mission_id, body.stop_id))
    if body.stop_id is not None:
        async with held.database.reading() as connection:
            stop = await looking.existing_stop(connection, body.stop_id)
        if stop["mission_id"] != body.mission_id:
            detail = "This stop is of another mission."
            raise Invalid(detail, faults=[Fault("/stop_id", detail)])
    answer = await barring.exclude(held.database, body.model_dump(), author(who), key, now)
    return answer.response()


@router.get("/exclusions")
async def list_exclusions(
    mission_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List a mission's exclusions with their reasons, lifted ones included."""
    require(who, "exclusion.write", Scope(mission_id))
    async with held.database.reading() as connection:
        found = await store.exclusions_of(connection, mission_id)
    return {"items": [barring.content(row) for row in found]}


@router.post("/exclusions/{exclusion_id}/lift")
async def lift_exclusion(exclusion_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Lift an exclusion."""
    async with held.database.reading() as connection:
        found = await barring.existing(connection, "exclusion", exclusion_id)
    require(who, "exclusion.write", Scope(found["mission_id"], found["stop_id"]))
    return await barring.lift(held.database, "exclusion", exclusion_id, author(who), now)


@router.post("/vetoes", status_code=201, response_model=Barred)
async def veto(body: VetoBody, held: Held, who: Caller, key: OptionalKey, now: Now) -> Response:
    """Veto a pair as a host of the stop, with a reason."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, body.stop_id)
    host = who.partner_id if who.partner_id in stop["hosts"] else None
    require(who, "veto.write", Scope(stop["mission_id"], body.stop_id, partner_id=host))
    more = {"mission_id": stop["mission_id"], "partner_id": host}
    facts = body.model_dump() | more
    return (await barring.veto(held.database, facts, author(who), key, now)).response()


@router.get("/vetoes")
async def list_vetoes(stop_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List a stop's vetoes, a partner its own, lifted ones included."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "veto.read", Scope(stop["mission_id"], stop_id, partner_id=who.partner_id))
    async with held.database.reading() as connection:
        found = await store.vetoes_of(connection, stop_id, who.seen_partner)
    return {"items": [barring.content(row) for row in found]}


@router.post("/vetoes/{veto_id}/lift")
async def lift_veto(veto_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Lift a partner's veto."""
    async with held.database.reading() as connection:
        found = await barring.existing(connection, "veto", veto_id)
        stop = await looking.existing_stop(connection, found["stop_id"])
    require(who, "veto.lift", Scope(stop["mission_id"], stop["id"]))
    return await barring.lift(held.database, "veto", veto_id, author(who), now)
