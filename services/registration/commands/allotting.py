"""Allotting: capacity, times and terms of an item, and the seats that are kept for some."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.calling_up import Held, call_up, held
from services.registration.commands.missions import check_partner
from services.registration.domain.line import Allotment, Terms
from services.registration.store import places
from shared.access import Principal
from shared.auditing import note
from shared.errors import Fault, Invalid, NotFound
from shared.idempotency import Answer, once
from shared.ids import new_id
from shared.postgres import Connection, Database

TERMS = ("requires_approval", "opens_at", "closes_at", "hold_seconds", "offer_seconds")


async def change_item(
    database: Database, item_id: UUID, changes: Mapping[str, Any], who: Principal, now: datetime
) -> Answer:
    """Change an item's capacity and terms, and call up those who wait where places become free.

    `changes`: capacity and those of `TERMS` that change. Raises `NotFound`, `Invalid`, `Conflict`.
    """

    async def effect(connection: Connection) -> Answer:
        item = await held(connection, item_id)
        terms = {name: changes.get(name, item.facts[name]) for name in TERMS}
        opens_at, closes_at = terms["opens_at"], terms["closes_at"]
        if opens_at and closes_at and closes_at <= opens_at:
            fault = Fault("/closes_at", "Registration closes after it opens.")
            raise Invalid("The times are wrong.", faults=[fault])
        await places.set_terms(connection, item_id, terms)
        if "capacity" in changes:
            item.line.resize(changes["capacity"])
        changed = Terms(
            requires_approval=terms["requires_approval"],
            hold_seconds=terms["hold_seconds"],
            offer_seconds=terms["offer_seconds"],
            starts_at=item.facts["starts_at"],
        )
        return await _done(connection, replace(item, terms=changed), who, now, changes)

    return await once(database, None, effect)


async def keep_seats(
    database: Database,
    item_id: UUID,
    partner_id: UUID | None,
    wanted: Mapping[str, Any],
    who: Principal,
    now: datetime,
) -> Answer:
    """Keep seats for a partner's invitees, or without a partner for walk-ins, or change how many.

    `wanted`: seats, releases_at. Raises `NotFound`, `Invalid`, `Conflict` when they are not free.
    """

    async def effect(connection: Connection) -> Answer:
        item = await held(connection, item_id)
        await check_partner(connection, item.facts["mission_id"], partner_id)
        found = _allotment(item, partner_id)
        if found is None:
            found = Allotment(new_id(), partner_id, seats=0, taken=0, is_released=False)
            await places.add_allotment(
                connection, found, programme_item_id=item_id, releases_at=wanted["releases_at"]
            )
            item.line.allotments.append(found)
        item.line.keep(found, wanted["seats"])
        await places.set_release(connection, found.id, wanted["releases_at"])
        return await _done(connection, item, who, now, wanted)

    return await once(database, None, effect)


async def release_seats(
    database: Database, item_id: UUID, partner_id: UUID | None, who: Principal, now: datetime
) -> Answer:
    """Free to all what an allotment has not used; raises `NotFound`."""

    async def effect(connection: Connection) -> Answer:
        item = await held(connection, item_id)
        found = _allotment(item, partner_id)
        if found is None:
            raise NotFound("No seats are kept here for them.")
        item.line.release(found)
        return await _done(connection, item, who, now, {"seats_released": True})

    return await once(database, None, effect)


async def places_of(
    connection: Connection, item: asyncpg.Record, own: UUID | None = None
) -> dict[str, Any]:
    """Tell an item's places: capacity, taken, kept, free, waiting, and each allotment.

    With `own`, of the allotments that partner's alone.
    """
    allotments = await places.allotments_of(connection, item["id"])
    kept = ("capacity", "taken", "reserved", "waiting", *TERMS)
    return {
        **{name: item[name] for name in kept},
        "free": item["capacity"] - item["taken"] - item["reserved"],
        "allotments": [dict(row) for row in allotments if own in (None, row["partner_id"])],
    }


def _allotment(item: Held, partner_id: UUID | None) -> Allotment | None:
    return next((one for one in item.line.allotments if one.partner_id == partner_id), None)


async def _done(
    connection: Connection,
    item: Held,
    who: Principal,
    now: datetime,
    changes: Mapping[str, Any],
) -> Answer:
    """Call up who waits, write the counts, note who did it, and tell what is true now."""
    called = await call_up(connection, item, now)
    await places.save(connection, [(item.id, item.line)], now)
    await note(
        connection,
        who,
        "programme_item.places",
        subject_id=item.id,
        mission_id=item.facts["mission_id"],
        stop_id=item.facts["stop_id"],
        details={name: _plain(value) for name, value in changes.items()} | {"called_up": called},
        now=now,
    )
    line = item.line
    return Answer(
        {
            "id": str(item.id),
            **{"capacity": line.capacity, "taken": line.taken, "reserved": line.reserved},
            **{"waiting": line.waiting, "free": line.free, "called_up": called},
        },
        status=200,
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
