"""Keys of partners' systems: made, listed, revoked, and looked up by the other services."""

import secrets
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from services.registration.answers import KeyMade
from services.registration.bodies import Name
from services.registration.commands import keys as commands
from services.registration.resources import Held
from services.registration.seeing import partner_for
from services.registration.store import keys as store
from shared.access import KeyScope, Scope, require
from shared.http import Body, Caller, Moment, Now
from shared.idempotency import OptionalKey
from shared.keys import SECRET_BYTES, Shown, Standing, digest_of, written

router = APIRouter(prefix="/api/v1", tags=["registration"])
internal = APIRouter(include_in_schema=False)


class KeyBody(Body):
    """A key for a partner's system; without `stop_ids` it opens all stops of who makes it."""

    name: Name
    scopes: Annotated[list[KeyScope], Field(min_length=1, max_length=50)]
    stop_ids: Annotated[list[UUID], Field(min_length=1, max_length=100)] | None = None
    expires_at: Moment | None = None

    def facts(self, secret: bytes) -> dict[str, Any]:
        """Give what is kept of it."""
        scopes = list(dict.fromkeys(self.scopes))
        return self.model_dump() | {"scopes": scopes, "digest": digest_of(secret)}


class ShownBody(Body):
    """A key as another service was shown it."""

    id: UUID
    digest: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None


@router.post("/partners/{partner_id}/keys", status_code=201, response_model=KeyMade)
async def make_key(
    partner_id: UUID, body: KeyBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Make a key for a partner's system; `key` is answered once, and kept nowhere."""
    partner = await partner_for(held, who, "key.write", partner_id)
    secret = secrets.token_bytes(SECRET_BYTES)
    answer = await commands.make(held.database, partner, body.facts(secret), who, key, now)
    if answer.is_replayed:
        return answer.response()
    return answer.response(key=written(UUID(answer.content["id"]), secret))


@router.get("/partners/{partner_id}/keys")
async def list_keys(partner_id: UUID, held: Held, who: Caller) -> dict[str, list[dict[str, Any]]]:
    """List a partner's keys, also those that were revoked."""
    await partner_for(held, who, "key.write", partner_id)
    async with held.database.reading() as connection:
        rows = await store.of_partner(connection, partner_id)
    return {"items": [dict(row) for row in rows]}


@router.delete("/partners/{partner_id}/keys/{key_id}", status_code=204)
async def revoke_key(partner_id: UUID, key_id: UUID, held: Held, who: Caller, now: Now) -> None:
    """Revoke a key; it opens nothing any more after half a minute."""
    partner = await partner_for(held, who, "key.write", partner_id)
    await commands.revoke(held.database, partner, key_id, who, now)


@internal.post("/internal/keys")
async def look_up(body: ShownBody, held: Held, who: Caller, now: Now) -> Standing:
    """Say what a key opens that another service was shown."""
    require(who, "key.read", Scope())
    shown = Shown(body.id, bytes.fromhex(body.digest) if body.digest else None)
    return await commands.standing(held.database, shown, now)
