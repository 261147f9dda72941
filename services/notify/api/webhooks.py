"""Webhooks: events told to partners' systems, signed, as soon as they happen."""

from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from services.notify.commands import webhook_log, webhooks
from services.notify.commands.webhook_sending import try_out
from services.notify.commands.webhooks import owner_of
from services.notify.resources import Held
from services.notify.store.webhook_deliveries import Shown
from services.notify.webhook_bodies import ReplayBody, WebhookBody, WebhookEdit
from shared.http import Caller, IfMatch, Now, etag
from shared.idempotency import OptionalKey

LIMIT_MAX = 200
ID_MAX = 2**63 - 1

Id = Annotated[int, Path(ge=1, le=ID_MAX)]

router = APIRouter(prefix="/api/v1/webhooks", tags=["webhooks"])


@router.get("")
async def all_webhooks(
    held: Held, who: Caller, partner_id: UUID | None = None, mission_id: UUID | None = None
) -> dict[str, Any]:
    """List a partner's webhooks, or the mission's own, and how they fare."""
    found = await webhooks.list_of(held.database, who, owner_of(who, mission_id, partner_id))
    return {"items": [_shown(row) for row in found]}


@router.post("", status_code=201)
async def add(  # each is given by the framework
    *,
    body: WebhookBody,
    held: Held,
    who: Caller,
    now: Now,
    key: OptionalKey,
    response: Response,
) -> dict[str, Any]:
    """Add a webhook; its secret is in this answer alone, and not in one that is repeated."""
    owner = owner_of(who, body.mission_id, body.partner_id)
    by = (who, now)
    row, secret = await webhooks.add(held.database, held.hooks, owner, body.facts(), by, key)
    if not secret:
        response.headers["Idempotent-Replayed"] = "true"
        return _tagged(row, response)
    return _tagged(row, response) | {"secret": secret}


@router.get("/{webhook_id}")
async def webhook(webhook_id: UUID, held: Held, who: Caller, response: Response) -> dict[str, Any]:
    """Read a webhook, and how it fares."""
    return _tagged(await webhooks.read(held.database, who, webhook_id), response)


@router.patch("/{webhook_id}")
async def edit(  # each is given by the framework
    *,
    webhook_id: UUID,
    body: WebhookEdit,
    held: Held,
    who: Caller,
    revision: IfMatch,
    response: Response,
) -> dict[str, Any]:
    """Change a webhook, pause it, or let it go on."""
    change = (body.facts(), revision)
    row = await webhooks.edit(held.database, held.hooks, who, webhook_id, change)
    return _tagged(row, response)


@router.delete("/{webhook_id}", status_code=204)
async def remove(webhook_id: UUID, held: Held, who: Caller) -> None:
    """Remove a webhook with its log."""
    await webhooks.remove(held.database, who, webhook_id)


@router.post("/{webhook_id}/rotate")
async def rotate(webhook_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Make a new secret; the one before signs as well for a day."""
    secret, until = await webhooks.rotate(held.database, held.hooks, who, webhook_id, now)
    return {"secret": secret, "former_until": until}


@router.post("/{webhook_id}/test")
async def test(webhook_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Send a test event now, and tell what came of it."""
    attempt = await try_out(held.database, held.hooks, who, webhook_id, now)
    return {
        "state": attempt.state,
        "status": attempt.status,
        "failure": attempt.failure,
        "milliseconds": attempt.milliseconds,
        "request_head": attempt.request_head,
        "response_head": attempt.response_head,
    }


@router.post("/{webhook_id}/replay", status_code=202)
async def replay(
    webhook_id: UUID, body: ReplayBody, held: Held, who: Caller, now: Now
) -> dict[str, int]:
    """Send again what was told since a time, or what was given up."""
    span = body.span(now)
    if span is None:
        count = await webhook_log.replay_failed(held.hooks, who, webhook_id, now)
    else:
        count = await webhook_log.replay(held.hooks, who, webhook_id, span, now)
    return {"queued": count}


@router.get("/{webhook_id}/deliveries")
async def deliveries(  # each is given by the framework
    *,
    webhook_id: UUID,
    held: Held,
    who: Caller,
    shown: Shown = "all",
    after: Annotated[int, Query(ge=0, le=ID_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 50,
) -> dict[str, Any]:
    """List a webhook's deliveries of thirty days, newest first, with their attempts.

    Those that wait are listed as they are sent: what holds others comes first. `next` is the
    `after` to go on with.
    """
    items = await webhook_log.log_of(held.database, who, webhook_id, (shown, after, limit))
    return {"items": items, "next": items[-1]["id"] if len(items) == limit else None}


@router.post("/{webhook_id}/deliveries/{delivery_id}/replay", status_code=204)
async def replay_one(webhook_id: UUID, delivery_id: Id, held: Held, who: Caller, now: Now) -> None:
    """Send one delivery again."""
    await webhook_log.replay_one(held.hooks, who, webhook_id, delivery_id, now)


@router.post("/{webhook_id}/deliveries/{delivery_id}/skip", status_code=204)
async def skip(webhook_id: UUID, delivery_id: Id, held: Held, who: Caller, now: Now) -> None:
    """Give up a delivery that waits, and send what waits behind it."""
    await webhook_log.skip(held.hooks, who, webhook_id, delivery_id, now)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    hidden = ("stop_ids", "created_by", "failures")
    return {name: value for name, value in row.items() if name not in hidden}


def _tagged(row: asyncpg.Record, response: Response) -> dict[str, Any]:
    response.headers.update(etag(row["revision"]))
    return _shown(row)
