"""Webhooks: who has which, and their secrets."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.notify.commands.feeding import Bell
from services.notify.domain.webhooks import ROTATION, SECRET_LENGTH, Scheme, Secret
from services.notify.store import feed, webhooks
from shared.access import Principal, Scope, require
from shared.addresses import Blocked
from shared.errors import Conflict, Fault, Forbidden, Invalid, NotFound, Stale
from shared.idempotency import Answer, Key, once
from shared.outward import Outward
from shared.postgres import Connection, Database
from shared.sealing import Seal

ENDPOINTS_MAX = 20
"""Of one partner."""

REFUSED = {
    "not_an_address": "This is not an address of the web.",
    "not_https": "Only addresses with https are called.",
    "not_public": "This address is not on the Internet. Ask whoever runs this installation.",
}


@dataclass(frozen=True, slots=True)
class Hooks:
    """What the feed and webhooks need of a process."""

    bell: Bell
    outward: Outward
    seal: Seal


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose webhooks: a partner's, or the mission's own."""

    mission_id: UUID
    partner_id: UUID | None


def owner_of(who: Principal, mission_id: UUID | None, partner_id: UUID | None) -> Owner:
    """Say whose webhooks somebody means; a partner means its own. Raises `Forbidden`, `Invalid`."""
    mission_id = who.mission_id or mission_id
    partner_id = partner_id or who.seen_partner
    require(who, "webhook.write", Scope(mission_id=mission_id, partner_id=partner_id))
    if mission_id is None:
        raise Invalid("Of which mission?", faults=[Fault("/mission_id", "Name the mission.")])
    return Owner(mission_id, partner_id)


async def existing(connection: Connection, who: Principal, id_: UUID) -> asyncpg.Record:
    """Read a webhook, for as long as the transaction lasts nobody else's.

    Raises `NotFound` and `Forbidden`.
    """
    row = await webhooks.lock(connection, id_)
    if row is None:
        raise NotFound("There is no such webhook.")
    scope = Scope(mission_id=row["mission_id"], partner_id=row["partner_id"])
    require(who, "webhook.write", scope)
    if not await _within(connection, who, [row]):
        raise Forbidden("This webhook tells of stops that are not yours.")
    return row


async def _within(
    connection: Connection, who: Principal, rows: Sequence[asyncpg.Record]
) -> list[asyncpg.Record]:
    """Give those of a partner's webhooks that somebody may know of.

    Who works for a partner at some of its stops, or has a key for those, must not send elsewhere
    what is told of the others.
    """
    if not who.is_partner:
        return list(rows)
    stops = await feed.stops_of(connection, who.partner_id)
    beyond = stops - set(who.stop_ids)
    return [
        row
        for row in rows
        if not beyond.intersection(stops if row["stop_ids"] is None else row["stop_ids"])
    ]


async def list_of(database: Database, who: Principal, owner: Owner) -> list[asyncpg.Record]:
    """List an owner's webhooks, the oldest first; to a partner's people those of their stops."""
    async with database.reading() as connection:
        rows = await webhooks.of(connection, owner.mission_id, owner.partner_id)
        return await _within(connection, who, rows)


async def read(database: Database, who: Principal, id_: UUID) -> asyncpg.Record:
    """Read a webhook; raises `NotFound` and `Forbidden`."""
    async with database.transaction() as connection:
        return await existing(connection, who, id_)


async def add(
    database: Database,
    hooks: Hooks,
    owner: Owner,
    facts: dict[str, Any],
    by: tuple[Principal, datetime],
    key: Key | None = None,
) -> tuple[asyncpg.Record, str]:
    """Add a webhook, and give it with its secret, which is never shown again.

    `facts`: url, name, types and scheme, and an id where it was made with a form. Sent again with
    its key it is there once, and its secret is empty then. Raises `Invalid`, `Conflict`, and
    `NotFound` where it was removed since.
    """
    who, now = by
    check(hooks.outward, facts["url"])
    id_ = facts.get("id") or uuid4()
    secret = ""

    async def effect(connection: Connection) -> Answer:
        nonlocal secret
        await webhooks.lock_owner(connection, owner.mission_id, owner.partner_id)
        if len(await webhooks.of(connection, owner.mission_id, owner.partner_id)) >= ENDPOINTS_MAX:
            raise Conflict(f"There are {ENDPOINTS_MAX} webhooks already.", code="too_many_webhooks")
        if await webhooks.read(connection, id_):
            raise Conflict("This webhook is there already.", code="webhook_exists")
        new = {
            "id": id_,
            "mission_id": owner.mission_id,
            "partner_id": owner.partner_id,
            "stop_ids": who.stop_ids if who.is_partner else None,
            "created_at": now,
            "created_by": who.subject,
        }
        await webhooks.add(connection, facts | new)
        secret = await _new_secret(connection, hooks.seal, id_, facts["scheme"])
        return Answer({"id": str(id_)})

    answer = await once(database, key, effect)
    row = await read(database, who, UUID(answer.content["id"]))
    return row, "" if answer.is_replayed else secret


async def edit(
    database: Database,
    hooks: Hooks,
    who: Principal,
    id_: UUID,
    change: tuple[dict[str, Any], int | None],
) -> asyncpg.Record:
    """Change address, name, types or state, decided on a revision; one that rested starts afresh.

    Without a revision it is decided on none.

    Raises `NotFound`, `Forbidden`, `Stale` and `Invalid`.
    """
    facts, revision = change
    if "url" in facts:
        check(hooks.outward, facts["url"])
    async with database.transaction() as connection:
        row = await existing(connection, who, id_)
        if revision not in (None, row["revision"]):
            raise Stale(f"The webhook has revision {row['revision']} now.")
        # Whoever mends a disabled one may leave it so.
        kept = {name: row[name] for name in ("url", "name", "types")}
        state = "paused" if row["state"] == "disabled" else row["state"]
        await webhooks.edit(connection, id_, kept | {"state": state} | facts)
        edited = await webhooks.read(connection, id_)
    assert edited is not None
    hooks.bell.queued.set()
    return edited


async def remove(database: Database, who: Principal, id_: UUID) -> None:
    """Remove a webhook and its log; raises `NotFound` and `Forbidden`."""
    async with database.transaction() as connection:
        await existing(connection, who, id_)
        await webhooks.remove(connection, id_)


async def rotate(
    database: Database, hooks: Hooks, who: Principal, id_: UUID, now: datetime
) -> tuple[str, datetime]:
    """Make a new secret, and say until when the one before signs as well.

    Raises `NotFound` and `Forbidden`.
    """
    until = now + ROTATION
    async with database.transaction() as connection:
        await existing(connection, who, id_)
        (scheme,) = await webhooks.expire_secrets(connection, id_, until, now)
        return await _new_secret(connection, hooks.seal, id_, scheme), until


def check(outward: Outward, url: str) -> None:
    """Raise `Invalid` for an address that will never be called."""
    try:
        outward.check(url)
    except Blocked as error:
        fault = Fault("/url", REFUSED[error.code])
        raise Invalid(REFUSED[error.code], code=error.code, faults=[fault]) from error


async def _new_secret(connection: Connection, seal: Seal, id_: UUID, scheme: Scheme) -> str:
    secret = Secret(scheme, os.urandom(SECRET_LENGTH))
    await webhooks.add_secret(connection, id_, scheme, seal.close(secret.key, id_.bytes))
    return secret.text()
