"""Missions, partner organisations, stops, programme items, staff."""

from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter
from fastapi.responses import Response

from services.registration.answers import Engaged
from services.registration.bodies import (
    ItemBody,
    MissionBody,
    PartnerBody,
    StaffBody,
    StopBody,
)
from services.registration.commands import missions as commands
from services.registration.commands.signing_in import principal_of, sign_in_path
from services.registration.resources import Held
from services.registration.seeing import counted_partner
from services.registration.store import missions as store
from services.registration.store import people
from shared.access import Scope, may, require
from shared.http import Caller, Now, Visitor
from shared.idempotency import OptionalKey
from shared.made import Made, Slugged

UNTOLD = ("version", "hosts", "logo")
"""What is read with a row, and said elsewhere or not at all."""

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.post("/missions", status_code=201, response_model=Slugged)
async def add_mission(
    body: MissionBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Announce a mission."""
    require(who, "mission.write", Scope())
    answer = await commands.add_mission(held.database, body.model_dump(), who, key, now)
    return answer.response()


@router.get("/missions")
async def list_missions(
    held: Held, who: Visitor, slug: str | None = None
) -> dict[str, list[dict[str, Any]]]:
    """List missions, or find one by its slug. Rehearsals are for mission staff alone."""
    is_staff = who is not None and may(who, "mission.write", Scope(mission_id=who.mission_id))
    async with held.database.reading() as connection:
        rows = await store.missions(connection, with_rehearsals=is_staff, slug=slug)
    return {"items": [_public(row) for row in rows]}


@router.get("/missions/{mission_id}")
async def read_mission(mission_id: UUID, held: Held) -> dict[str, Any]:
    """Read a mission with its stops and their programme."""
    async with held.database.reading() as connection:
        mission = await commands.existing_mission(connection, mission_id)
        stops = await store.stops_of(connection, mission_id)
        items = await store.items_of(connection, mission_id)
        roles = await store.roles_of(connection, mission_id)
    return {
        **_public(mission),
        "stops": [
            {
                **_public(stop),
                "roles": [_public(role) for role in roles if role["stop_id"] == stop["id"]],
                "programme": [_public(item) for item in items if item["stop_id"] == stop["id"]],
            }
            for stop in stops
        ],
    }


@router.post("/missions/{mission_id}/partners", status_code=201, response_model=Made)
async def add_partner(
    mission_id: UUID, body: PartnerBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Add a partner organisation."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    facts = body.model_dump()
    answer = await commands.add_partner(held.database, mission_id, facts, who, key, now)
    return answer.response()


@router.post("/missions/{mission_id}/stops", status_code=201, response_model=Slugged)
async def add_stop(
    mission_id: UUID, body: StopBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Plan a stop."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    facts = body.model_dump()
    facts["held_on"] = facts.pop("date")
    answer = await commands.add_stop(held.database, mission_id, facts, who, key, now)
    return answer.response()


@router.post("/stops/{stop_id}/programme-items", status_code=201, response_model=Slugged)
async def add_item(
    stop_id: UUID, body: ItemBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Plan a programme item."""
    async with held.database.reading() as connection:
        stop = await commands.existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(mission_id=stop["mission_id"]))
    answer = await commands.add_item(held.database, stop_id, body.model_dump(), who, key, now)
    return answer.response()


@router.post("/missions/{mission_id}/staff", status_code=201, response_model=Engaged)
async def engage(
    mission_id: UUID, body: StaffBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Engage a member of staff or an interpreter; answers with the sign-in link."""
    require(who, "mission.write", Scope(mission_id=mission_id))
    facts = {
        "person": body.value(),
        "role": body.role,
        "stop_ids": body.stop_ids,
        "partner_id": body.partner_id,
    }
    answer = await commands.engage(held.database, mission_id, facts, who, key, now)
    async with held.database.reading() as connection:
        engaged = await principal_of(connection, UUID(answer.content["id"]))
    assert engaged is not None
    return answer.response(sign_in_path=sign_in_path(held.tokens, engaged, now))


@router.get("/missions/{mission_id}/staff")
async def list_staff(mission_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List who works on a mission."""
    require(who, "people.invite", Scope(mission_id=mission_id))
    async with held.database.reading() as connection:
        rows = await people.staff_of(connection, mission_id)
    return {"items": [dict(row) for row in rows]}


@router.get("/stops/{stop_id}/numbers")
async def numbers(stop_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Count people and places of a stop; a partner that does not host it counts its own people."""
    async with held.database.reading() as connection:
        stop = await commands.existing_stop(connection, stop_id)
        require(who, "board.read", Scope(mission_id=stop["mission_id"], stop_id=stop_id))
        own = counted_partner(who, stop)
        people_ = await store.headcount(connection, stop_id, own)
        items = await store.numbers(connection, stop_id, own)
    return {**dict(people_), "items": [dict(row) for row in items]}


def _public(row: asyncpg.Record) -> dict[str, Any]:
    """Give a row's fields as the API names them."""
    fields = {name: value for name, value in row.items() if name not in UNTOLD}
    if "held_on" in fields:
        fields["date"] = fields.pop("held_on")
    return fields
