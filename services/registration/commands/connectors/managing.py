"""Managing connectors: set up, mapped, paused, woken, ended, and their conflicts decided."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.registration.commands.auditing import note
from services.registration.commands.connectors.sealing import hook_of, seal
from services.registration.commands.connectors.syncing import Syncer
from services.registration.connectors.asking import Failed
from services.registration.connectors.kinds import KINDS
from services.registration.connectors.port import Kind
from services.registration.domain.connecting import FieldMap, Push, Vocabulary
from services.registration.store import connectors as store
from services.registration.store import missions
from shared.access import Principal, Tokens
from shared.errors import Conflict, Fault, Invalid, NotFound, Stale
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database
from shared.problems import pointer

Row = asyncpg.Record
Resolution = Literal["take_theirs", "keep_ours", "try_again"]

CONNECTORS_MAX = 20
WAKE_AFTER = timedelta(seconds=1)
"""Calls of a system that come at once wake us once, when what they tell of is committed there."""

_FIELDS = {"not_allowed": "/token", "not_found": "/place"}
_DETAILS = {
    "blocked": "This address is not one that may be called: https and public, or one on the list.",
    "unreachable": "Nobody answers at this address.",
    "not_allowed": "The system does not take this token, or not for this event.",
    "not_found": "The system has no such event, form or list.",
    "too_many": "The system asks us to wait. Try again later.",
    "broken": "The system answers with an error of its own. Try again later.",
    "refused": "The system does not take our request.",
    "unreadable": "What answers at this address is not a system of this kind.",
}


@dataclass(frozen=True, slots=True)
class New:
    """A system to be connected to a stop."""

    kind: str
    mission_id: UUID
    stop_id: UUID
    partner_id: UUID
    place: Mapping[str, Any]
    token: str
    pushes: Sequence[Push]
    field_map: Mapping[str, Any] | None


async def existing(connection: Connection, connector_id: UUID, *, lock: bool = False) -> Row:
    """Read a connector that has not ended; raises `NotFound`."""
    connector = await store.one(connection, connector_id, lock=lock)
    if connector is None or connector["ended_at"] is not None:
        raise NotFound("There is no such connector.")
    return connector


async def existing_partner(connection: Connection, partner_id: UUID) -> Row:
    """Read a partner organisation; raises `NotFound`."""
    partner = await store.partner(connection, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


async def connect(
    database: Database, syncer: Syncer, tokens: Tokens, new: New, who: Principal, **asked: Any
) -> Answer:
    """Connect a system that answers; raises `Invalid` with the field that is wrong.

    `asked`: the request's `key` and `now`.
    """
    kind, now = KINDS[new.kind], asked["now"]
    key: Key | None = asked["key"]
    place = _place(kind, new.place)
    pushes = _pushes(kind, new.pushes)
    await _answers(syncer, kind, place, new.token)

    async def effect(connection: Connection) -> Answer:
        if len(await store.of_partner(connection, new.partner_id)) >= CONNECTORS_MAX:
            raise Conflict(f"A partner has {CONNECTORS_MAX} connectors at most.", code="too_many")
        connector_id = new_id()
        mapped = new.field_map or {"items": {}, "fields": dict(kind.defaults)}
        if new.field_map is not None:
            await _check_map(connection, new.stop_id, mapped)
        await store.add(
            connection,
            {
                "id": connector_id,
                "mission_id": new.mission_id,
                "stop_id": new.stop_id,
                "partner_id": new.partner_id,
                "kind": kind.name,
                "place": place,
                "token": seal(tokens, connector_id, new.token),
                "field_map": mapped,
                "pushes": pushes,
                "created_at": now,
            },
        )
        connector = await existing(connection, connector_id)
        await _note(connection, connector, who, "connected", now)
        return Answer({"id": str(connector_id), "revision": connector["revision"]})

    return await once(database, key, effect)


def _place(kind: Kind, given: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return kind.place.model_validate(given).model_dump()
    except ValidationError as error:
        faults = [
            Fault(pointer(("body", "place", *one["loc"])), one["msg"]) for one in error.errors()
        ]
        raise Invalid("The address or the event is wrong.", faults=faults) from None


def _pushes(kind: Kind, given: Sequence[Push]) -> list[str]:
    wrong = [
        Fault(f"/pushes/{place}", f"{kind.name} cannot be told of this: {one}.")
        for place, one in enumerate(given)
        if one not in kind.pushes
    ]
    if wrong:
        raise Invalid("The system cannot be told of this.", faults=wrong)
    return sorted({one.value for one in given})


async def _answers(syncer: Syncer, kind: Kind, place: Mapping[str, Any], token: str) -> None:
    """Ask the system before anything is kept; raises `Invalid`."""
    try:
        await syncer.open(kind, dict(place), token).vocabulary()
    except Failed as failed:
        fault = Fault(_FIELDS.get(failed.code, "/place/address"), _DETAILS[failed.code])
        raise Invalid("The system cannot be connected.", code=failed.code, faults=[fault]) from None


async def vocabulary(syncer: Syncer, connector: Row) -> Vocabulary:
    """Ask a system what there is to map; raises `Conflict` when it does not answer."""
    try:
        return await syncer.opened(connector).vocabulary()
    except Failed as failed:
        detail = _DETAILS.get(failed.code, "The token cannot be read any more: enter it again.")
        raise Conflict(detail, code=failed.code) from None


async def _check_map(connection: Connection, stop_id: UUID, mapped: Mapping[str, Any]) -> None:
    """Refuse a map with which nobody could be registered; raises `Invalid`."""
    stop = await missions.stop(connection, stop_id)
    assert stop is not None
    ours = {
        str(item["id"])
        for item in await missions.items_of(connection, stop["mission_id"])
        if item["stop_id"] == stop_id
    }
    faults = [
        Fault(f"/field_map/items/{product}", "This is not a programme item of this stop.")
        for product, item in mapped["items"].items()
        if item not in ours
    ]
    faults += [
        Fault(f"/field_map/fields/{name}", "A registration needs this: map a field, or fix it.")
        for name in FieldMap(**mapped).missing
    ]
    if faults:
        raise Invalid("The map is not complete.", faults=faults)


async def change(
    database: Database,
    tokens: Tokens,
    connector_id: UUID,
    changes: Mapping[str, Any],
    revision: int,
    **by: Any,
) -> int:
    """Change the token, what is told, or the map, and give the new revision; raises `Stale`.

    With another map all of it is read anew. `by`: `who` and `now`.
    """
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        if connector["revision"] != revision:
            raise Stale(f"This connector is at revision {connector['revision']}.")
        written: dict[str, Any] = {}
        if changes.get("token"):
            written["token"] = seal(tokens, connector_id, changes["token"])
        if changes.get("pushes") is not None:
            written["pushes"] = _pushes(KINDS[connector["kind"]], changes["pushes"])
        if changes.get("field_map") is not None:
            await _check_map(connection, connector["stop_id"], changes["field_map"])
            written["field_map"] = changes["field_map"]
            await store.read_anew(connection, connector_id)
        written |= {"next_at": by["now"], "failures": 0, "error": None}
        await store.change(connection, connector_id, written)
        await _note(connection, connector, by["who"], "changed", by["now"])
    return revision + 1


async def pause(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """Leave a system alone until somebody resumes."""
    await _put(database, connector_id, {"paused_at": now}, "paused", who=who, now=now)


async def resume(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """Go on where it was paused."""
    changes = {"paused_at": None, "next_at": now, "failures": 0, "error": None}
    await _put(database, connector_id, changes, "resumed", who=who, now=now)


async def disconnect(database: Database, connector_id: UUID, who: Principal, now: datetime) -> None:
    """End a connector and forget its token; who came by it stays."""
    changes = {"ended_at": now, "token": None}
    await _put(database, connector_id, changes, "disconnected", who=who, now=now)


async def _put(
    database: Database, connector_id: UUID, changes: Mapping[str, Any], what: str, **by: Any
) -> None:
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        await store.change(connection, connector_id, changes)
        await _note(connection, connector, by["who"], what, by["now"])


async def sync_now(database: Database, connector_id: UUID, now: datetime) -> None:
    """Look at a system as soon as somebody is free; what failed before does not matter."""
    async with database.transaction() as connection:
        await existing(connection, connector_id, lock=True)
        await store.wake(connection, connector_id, now)


async def woken(
    database: Database, tokens: Tokens, hook: tuple[UUID, str], body: bytes, now: datetime
) -> None:
    """Be woken by a system's own call, to the id and the secret of its path.

    Nothing of the body is believed. Raises `NotFound` for a path that is not ours.
    """
    connector_id, secret = hook
    async with database.transaction() as connection:
        connector = await store.one(connection, connector_id)
        known = hook_of(tokens, connector_id)
        if (
            not hmac.compare_digest(known.encode(), secret.encode())
            or connector is None
            or connector["ended_at"] is not None
        ):
            raise NotFound("There is no such webhook.")
        wakes = KINDS[connector["kind"]].wakes
        if wakes is not None and wakes(connector["place"], body):
            await store.wake(connection, connector_id, now + WAKE_AFTER)


async def resolve(
    database: Database,
    connector_id: UUID,
    remote_id: str,
    decision: Resolution,
    **by: Any,
) -> None:
    """Decide about a conflict; raises `NotFound` when there is none. `by`: `who` and `now`."""
    async with database.transaction() as connection:
        connector = await existing(connection, connector_id, lock=True)
        if decision == "keep_ours":
            found = await store.keep_ours(connection, connector_id, remote_id)
        else:
            takes_theirs = decision == "take_theirs"
            found = await store.ask_again(
                connection, connector_id, remote_id, takes_theirs=takes_theirs
            )
            await store.wake(connection, connector_id, by["now"])
        if not found:
            raise NotFound("There is no such conflict.")
        await _note(connection, connector, by["who"], decision, by["now"])


async def _note(
    connection: Connection, connector: Row, who: Principal, what: str, now: datetime
) -> None:
    await note(
        connection,
        who,
        f"connector.{what}",
        subject_id=connector["id"],
        mission_id=connector["mission_id"],
        stop_id=connector["stop_id"],
        details={"kind": connector["kind"]},
        now=now,
    )
