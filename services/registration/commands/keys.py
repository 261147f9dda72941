"""Keys: made for a partner's systems, revoked, and looked up when somebody shows one."""

import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from services.registration.store import keys as store
from services.registration.store import partners
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.keys import Holder, Shown, Standing, State
from shared.postgres import Connection, Database

KEYS_MAX = 50
USE_NOTED_EVERY = timedelta(minutes=1)
UNKNOWN = Standing(state="unknown")


async def make(
    database: Database,
    partner: asyncpg.Record,
    wanted: Mapping[str, Any],
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Make a key for a partner and answer with its id.

    `wanted`: name, digest, scopes, stop_ids, expires_at. Who works for the partner makes keys for
    the own stops alone. Raises `Invalid`, or `Conflict` when the partner has enough.
    """

    async def effect(connection: Connection) -> Answer:
        stop_ids = await _stops(connection, partner["id"], wanted["stop_ids"], who)
        expires_at = wanted["expires_at"]
        if expires_at is not None and expires_at <= now:
            fault = Fault("/expires_at", "A key expires in the future, or not at all.")
            raise Invalid("The key would never open anything.", faults=[fault])
        if await store.count_in_use(connection, partner["id"], now) >= KEYS_MAX:
            detail = f"A partner has {KEYS_MAX} keys in use at most. Revoke one first."
            raise Conflict(detail, code="too_many_keys")
        key_id = uuid4()
        facts = {"id": key_id, "partner_id": partner["id"], "created_at": now}
        await store.add(connection, {**wanted, **facts, "stop_ids": stop_ids})
        await note(
            connection,
            who,
            "key.made",
            subject_id=key_id,
            mission_id=partner["mission_id"],
            details={"partner_id": partner["id"], "scopes": wanted["scopes"]},
            now=now,
        )
        return Answer({"id": str(key_id)})

    return await once(database, key, effect)


async def _stops(
    connection: Connection, partner_id: UUID, wanted: list[UUID] | None, who: Principal
) -> list[UUID] | None:
    """Say for which stops a key is made; None: for all that the partner has, or will have."""
    its = {stop["id"] for stop in await partners.stops_of(connection, partner_id)}
    if who.is_partner:
        its &= set(who.stop_ids)
        wanted = sorted(its) if wanted is None else wanted
    faults = [
        Fault(f"/stop_ids/{place}", "This is not a stop of yours.")
        for place, stop_id in enumerate(wanted or ())
        if stop_id not in its
    ]
    if faults:
        raise Invalid("Some stops are wrong.", faults=faults)
    return wanted


async def revoke(
    database: Database, partner: asyncpg.Record, key_id: UUID, who: Principal, now: datetime
) -> None:
    """Revoke a partner's key; a second time changes nothing. Raises `NotFound`."""
    async with database.transaction() as connection:
        revoked_at = await store.revoke(connection, partner["id"], key_id, now)
        if revoked_at is None:
            raise NotFound("There is no such key.")
        if revoked_at == now:
            await note(
                connection,
                who,
                "key.revoked",
                subject_id=key_id,
                mission_id=partner["mission_id"],
                details={"partner_id": partner["id"]},
                now=now,
            )


async def standing(database: Database, shown: Shown, now: datetime) -> Standing:
    """Say what a key that is shown opens now, and note once a minute that it was used."""
    async with database.reading() as connection:
        key = await store.key(connection, shown.key_id)
        # Who has not the secret is told no more than that.
        if key is None or (shown.digest and not hmac.compare_digest(key["digest"], shown.digest)):
            return UNKNOWN
        state = _state(key, now)
        if state != "valid":
            return Standing(state=state)
        if key["last_used_at"] is None or key["last_used_at"] <= now - USE_NOTED_EVERY:
            await store.note_use(connection, shown.key_id, now, at_most_every=USE_NOTED_EVERY)
    return Standing(
        state="valid",
        holder=Holder(
            mission_id=key["mission_id"],
            partner_id=key["partner_id"],
            stop_ids=key["stop_ids"],
            scopes=key["scopes"],
            expires_at=key["expires_at"],
        ),
    )


def _state(key: asyncpg.Record, now: datetime) -> State:
    if key["revoked_at"] is not None:
        return "revoked"
    if key["expires_at"] is not None and key["expires_at"] <= now:
        return "expired"
    return "valid"
