"""Setting up: a system is asked before it is kept, and its map is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import ValidationError

from services.registration.commands.connectors.finding import existing, note_done
from services.registration.commands.connectors.sealing import seal
from services.registration.commands.connectors.syncing import Syncer
from services.registration.connectors.asking import Failed
from services.registration.connectors.kinds import KINDS
from services.registration.connectors.port import Kind
from services.registration.domain.connecting import FieldMap, Push, Vocabulary
from services.registration.store import connectors as store
from services.registration.store import missions
from shared.access import Principal, Tokens
from shared.errors import Conflict, Fault, Invalid
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database
from shared.problems import pointer

Row = asyncpg.Record

CONNECTORS_MAX = 20

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


async def connect(
    database: Database, syncer: Syncer, tokens: Tokens, new: New, who: Principal, **asked: Any
) -> Answer:
    """Connect a system that answers; raises `Invalid` with the field that is wrong.

    `asked`: the request's `key` and `now`.
    """
    kind, now = KINDS[new.kind], asked["now"]
    key: Key | None = asked["key"]
    place = _place(kind, new.place)
    pushes = pushes_of(kind, new.pushes)
    await _answers(syncer, kind, place, new.token)

    async def effect(connection: Connection) -> Answer:
        if len(await store.of_partner(connection, new.partner_id)) >= CONNECTORS_MAX:
            raise Conflict(f"A partner has {CONNECTORS_MAX} connectors at most.", code="too_many")
        connector_id = new_id()
        mapped = new.field_map or {"items": {}, "fields": dict(kind.defaults)}
        if new.field_map is not None:
            await check_map(connection, new.stop_id, mapped)
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
        await note_done(connection, connector, who, "connected", now)
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


def pushes_of(kind: Kind, given: Sequence[Push]) -> list[str]:
    """Give what a system is to be told, in order; raises `Invalid` for what it cannot be."""
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


async def check_map(connection: Connection, stop_id: UUID, mapped: Mapping[str, Any]) -> None:
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
