"""Partner organisations: what they are called, what they are at a stop, and whom they brought."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from pydantic import Field, model_validator

from services.registration.bodies import BothNames, Code, RoleBody
from services.registration.commands import partners as commands
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.domain.logos import checked
from services.registration.resources import Held
from services.registration.seeing import counted_partner, partner_for, scope_of
from services.registration.store import partners as store
from shared.access import Scope, require
from shared.errors import Fault, Invalid, NotFound
from shared.http import Body, Caller, IfMatch, Now, etag

PNG = "image/png"
DAY_SECONDS = 24 * 3600
IfNoneMatch = Annotated[str | None, Header()]

router = APIRouter(prefix="/api/v1", tags=["registration"])


class PartnerChange(Body):
    """What changes about a partner; a field that is left out stays as it is."""

    name: BothNames | None = None
    kind: Code | None = None

    @model_validator(mode="after")
    def _not_nothing(self) -> "PartnerChange":
        for field in self.model_fields_set:
            if getattr(self, field) is None:
                raise ValueError(f"`{field}` cannot be null.")
        return self


class RolesBody(Body):
    """What partners are at a stop; the order is the order of names."""

    roles: Annotated[list[RoleBody], Field(max_length=50)]

    @model_validator(mode="after")
    def _once_each(self) -> "RolesBody":
        if len({role.partner_id for role in self.roles}) < len(self.roles):
            raise ValueError("A partner has one role at a stop.")
        return self


@router.get("/missions/{mission_id}/partners")
async def list_partners(
    mission_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List a mission's partners, with their roles."""
    require(who, "partner.read", Scope(mission_id))
    async with held.database.reading() as connection:
        await existing_mission(connection, mission_id)
        rows = await store.of_mission(connection, mission_id)
    return {"items": [_named(row) for row in rows]}


@router.get("/partners/{partner_id}")
async def read_partner(partner_id: UUID, held: Held, who: Caller) -> Response:
    """Read a partner with its roles; its revision is the ETag."""
    partner = await partner_for(held, who, "partner.read", partner_id)
    return await _shown(held, partner)


@router.patch("/partners/{partner_id}")
async def change_partner(
    partner_id: UUID, body: PartnerChange, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Change a partner's name or kind."""
    partner = await partner_for(held, who, "partner.read", partner_id)
    require(who, "mission.write", Scope(partner["mission_id"]))
    changes = body.model_dump(include=body.model_fields_set)
    changed = await commands.change(held.database, partner_id, changes, revision, who, now)
    return await _shown(held, changed)


@router.get("/stops/{stop_id}/roles")
async def read_roles(stop_id: UUID, held: Held) -> Response:
    """Read what partners are at a stop, in order of protocol; its revision is the ETag."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    return await _roles(held, stop)


@router.put("/stops/{stop_id}/roles")
async def set_roles(
    stop_id: UUID, body: RolesBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Say what partners are at a stop; their rights follow at once."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
    require(who, "mission.write", Scope(stop["mission_id"]))
    roles = [role.model_dump() for role in body.roles]
    changed = await commands.set_roles(held.database, stop_id, roles, revision, who, now)
    return await _roles(held, changed)


@router.get("/stops/{stop_id}/partners")
async def count_by_partner(
    stop_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """Count whom each partner brought to a stop; who does not host it sees its own line."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        require(who, "board.read", scope_of(stop))
        rows = await store.numbers(connection, stop_id, counted_partner(who, stop))
    return {"items": [dict(row) for row in rows]}


@router.get("/partners/{partner_id}/logo", response_class=Response)
async def read_logo(partner_id: UUID, held: Held, if_none_match: IfNoneMatch = None) -> Response:
    """Read a partner's logo, as the public page shows it."""
    async with held.database.reading() as connection:
        logo = await store.logo(connection, partner_id)
    if logo is None:
        raise NotFound("This partner has no logo.")
    tag = f'"{logo["digest"]}"'
    headers = {
        "ETag": tag,
        "Cache-Control": f"public, max-age={DAY_SECONDS}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if if_none_match is not None and tag in if_none_match:
        return Response(status_code=304, headers=headers)
    return Response(logo["content"], media_type=PNG, headers=headers)


@router.put("/partners/{partner_id}/logo", status_code=204)
async def set_logo(partner_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> None:
    """Set a partner's logo, a PNG image as the body."""
    partner = await partner_for(held, who, "partner.write", partner_id)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != PNG:
        fault = Fault("header/content-type", f"Send it as {PNG}.")
        raise Invalid("This cannot be a logo.", code="logo_wrong", faults=[fault])
    await commands.set_logo(held.database, partner, checked(await request.body()), who, now)


@router.delete("/partners/{partner_id}/logo", status_code=204)
async def remove_logo(partner_id: UUID, held: Held, who: Caller, now: Now) -> None:
    """Show a partner without a logo."""
    partner = await partner_for(held, who, "partner.write", partner_id)
    await commands.remove_logo(held.database, partner, who, now)


async def _shown(held: Held, partner: asyncpg.Record) -> Response:
    async with held.database.reading() as connection:
        stops = await store.stops_of(connection, partner["id"])
    roles = [{"stop_id": stop["id"], "role": stop["role"]} for stop in stops]
    content = jsonable_encoder(_named(partner) | {"roles": roles})
    return JSONResponse(content, headers=etag(partner["version"]))


async def _roles(held: Held, stop: asyncpg.Record) -> Response:
    async with held.database.reading() as connection:
        rows = await store.roles_at(connection, stop["id"])
    content = jsonable_encoder({"items": [_named(row) for row in rows]})
    return JSONResponse(content, headers=etag(stop["version"]))


def _named(row: asyncpg.Record) -> dict[str, Any]:
    """Give a partner as the API names it: with the address of its logo, if it has one."""
    fields = {name: value for name, value in row.items() if name != "version"}
    partner_id = fields.get("partner_id") or fields["id"]
    has_logo = fields.pop("logo") is not None
    return fields | {"logo": f"/api/v1/partners/{partner_id}/logo" if has_logo else None}
