"""Connectors: partners' own registration systems, read and told by us."""

from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response

from services.registration.commands.connectors import connecting, managing
from services.registration.connector_bodies import ConnectorBody, ConnectorChange, ResolutionBody
from services.registration.connector_views import listed, managed, ordered, shown, stops_managed
from services.registration.resources import Held
from services.registration.store import connector_links as links
from shared.http import Caller, IfMatch, Now, etag
from shared.idempotency import OptionalKey
from shared.made import Revised

PAGE = 100
CONFLICT = (
    "remote_id",
    "registration_id",
    "conflict",
    "conflict_fields",
    "conflict_at",
    "is_due",
)
WEBHOOK_BYTES_MAX = 65_536

router = APIRouter(prefix="/api/v1", tags=["registration"])

RemoteId = Annotated[str, Path(min_length=1, max_length=200)]


@router.post("/partners/{partner_id}/connectors", status_code=201, response_model=Revised)
async def connect(  # each is given by the framework
    *,
    partner_id: UUID,
    body: ConnectorBody,
    held: Held,
    who: Caller,
    key: OptionalKey,
    now: Now,
) -> Response:
    """Connect a partner's registration system to a stop. The token is never shown again."""
    new = ordered(who, await stops_managed(held, who, partner_id), body)
    answer = await connecting.connect(
        held.database, held.syncer, held.tokens, new, who, key=key, now=now
    )
    return answer.response()


@router.get("/partners/{partner_id}/connectors")
async def list_connectors(
    partner_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List a partner's connectors with their state."""
    rows = await listed(held, who, partner_id)
    return {"items": [shown(held, row) for row in rows]}


@router.get("/connectors/{connector_id}")
async def read_connector(connector_id: UUID, held: Held, who: Caller) -> Response:
    """Read a connector with its state and its map."""
    row = await managed(held, who, connector_id)
    return JSONResponse(jsonable_encoder(shown(held, row)), headers=etag(row["revision"]))


@router.patch("/connectors/{connector_id}")
async def change_connector(  # each is given by the framework
    *,
    connector_id: UUID,
    body: ConnectorChange,
    held: Held,
    who: Caller,
    revision: IfMatch,
    now: Now,
) -> Response:
    """Change the token, the map, or what is told; a new map reads everything anew."""
    await managed(held, who, connector_id)
    after = await managing.change(
        held.database, held.tokens, connector_id, body.changes(), revision, who=who, now=now
    )
    return JSONResponse({"id": str(connector_id), "revision": after}, headers=etag(after))


@router.delete("/connectors/{connector_id}", status_code=204)
async def disconnect(connector_id: UUID, held: Held, who: Caller, now: Now) -> None:
    """End a connector and forget its token; who came by it stays registered."""
    await managed(held, who, connector_id)
    await managing.disconnect(held.database, connector_id, who, now)


@router.get("/connectors/{connector_id}/fields")
async def read_fields(connector_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Ask the system which products and fields there are to map."""
    connector = await managed(held, who, connector_id)
    found = await connecting.vocabulary(held.syncer, connector)
    return {
        "products": [asdict(one) for one in found.products],
        "fields": [asdict(one) for one in found.fields],
    }


@router.post("/connectors/{connector_id}/sync", status_code=202)
async def sync(connector_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, str]:
    """Look at the system as soon as possible."""
    await managed(held, who, connector_id)
    await managing.sync_now(held.database, connector_id, now)
    return {"id": str(connector_id)}


@router.post("/connectors/{connector_id}/pause")
async def pause(connector_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, str]:
    """Leave the system alone until somebody resumes."""
    await managed(held, who, connector_id)
    await managing.pause(held.database, connector_id, who, now)
    return {"id": str(connector_id), "state": "paused"}


@router.post("/connectors/{connector_id}/resume")
async def resume(connector_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, str]:
    """Go on where it was paused."""
    await managed(held, who, connector_id)
    await managing.resume(held.database, connector_id, who, now)
    return {"id": str(connector_id), "state": "active"}


@router.get("/connectors/{connector_id}/conflicts")
async def list_conflicts(
    connector_id: UUID,
    held: Held,
    who: Caller,
    after: Annotated[str, Query(max_length=200)] = "",
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
) -> dict[str, Any]:
    """List where the system and we differ, with the reason and the fields.

    `next` is the `after` to go on with.
    """
    await managed(held, who, connector_id)
    async with held.database.reading() as connection:
        rows = await links.conflicts(connection, connector_id, after, limit)
    return {
        "items": [{name: row[name] for name in CONFLICT} for row in rows],
        "next": rows[-1]["remote_id"] if len(rows) == limit else None,
    }


@router.post("/connectors/{connector_id}/conflicts/{remote_id}")
async def resolve(  # each is given by the framework
    *,
    connector_id: UUID,
    remote_id: RemoteId,
    body: ResolutionBody,
    held: Held,
    who: Caller,
    now: Now,
) -> dict[str, str]:
    """Decide about a conflict: take theirs, keep ours, or try again."""
    await managed(held, who, connector_id)
    await managing.resolve(held.database, connector_id, remote_id, body.decision, who=who, now=now)
    return {"id": str(connector_id), "remote_id": remote_id, "decision": body.decision}


@router.post("/connectors/{connector_id}/webhooks/{secret}", status_code=202)
async def wake(
    connector_id: UUID,
    secret: Annotated[str, Path(max_length=100)],
    request: Request,
    held: Held,
    now: Now,
) -> dict[str, bool]:
    """Be called by the system itself: a reason to look, never data."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > WEBHOOK_BYTES_MAX:
            break
    body = bytes(content[:WEBHOOK_BYTES_MAX])
    await managing.woken(held.database, held.tokens, (connector_id, secret), body, now)
    return {"ok": True}
