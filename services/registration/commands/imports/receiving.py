"""Receiving: a partner's list is read from its file, row by row, in one transaction."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import IO, Any
from uuid import UUID

import asyncpg

from services.registration.commands.bulk import written
from services.registration.commands.imports.lists import answer_codes, existing_place
from services.registration.domain.imports.comparing import Kind
from services.registration.domain.imports.heading import Heading, headed
from services.registration.domain.imports.lines import Line, Reading, unreadable
from services.registration.domain.imports.mapping import FieldMap, check_fields, placed
from services.registration.domain.imports.reading import read
from services.registration.store.imports import lists as store
from services.registration.store.imports import rows
from shared.access import Principal
from shared.auditing import note
from shared.events.base import Side
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

ROWS_MAX = 200_000
CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is for; `applies`: what is done as soon as it is checked."""

    item_id: UUID
    partner_id: UUID
    name: str
    side: Side = "local"
    fixed: dict[str, str] = field(default_factory=dict)
    applies: tuple[Kind, ...] = ()
    asks_first: bool = False
    """Whether somebody says what the columns mean before anything is checked."""


async def receive(
    database: Database,
    order: Order,
    file: IO[bytes],
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Take a list in, whole or not at all; answers 202 with its id.

    Raises `NotFound`, and `Invalid` for a file that cannot be read, naming the row.
    """

    async def effect(connection: Connection) -> Answer:
        place = await existing_place(connection, order.item_id, order.partner_id)
        reading, heading, lines = await asyncio.to_thread(_begun, file)
        meaning = await store.map_of(connection, order.partner_id)
        fixed = {**meaning.fixed, **order.fixed}
        columns = placed(heading, meaning)
        if not order.asks_first:
            check_fields(columns, fixed, await answer_codes(connection, order.item_id))
        import_id = new_id()
        known = FieldMap({}, fixed, meaning.values)
        await store.add(
            connection,
            _facts(import_id, place, order, known)
            | {
                "kind": reading.kind,
                "about": dict(reading.about) | {"header_row": heading.row},
                "headers": list(heading.headers),
                "placed": [name or "" for name in columns],
                "principal": written(who),
                "started_at": now,
            },
        )
        total = await _copy(connection, import_id, lines)
        await store.set_total(connection, import_id, total)
        await note(
            connection,
            who,
            "import.received",
            subject_id=import_id,
            mission_id=place["mission_id"],
            stop_id=place["stop_id"],
            details={"kind": reading.kind, "rows": total, "partner_id": order.partner_id},
            now=now,
        )
        state = "columns" if order.asks_first else "checking"
        return Answer({"id": str(import_id), "state": state, "total": total}, 202)

    return await once(database, key, effect)


def _begun(file: IO[bytes]) -> tuple[Reading, Heading, Iterator[Line]]:
    reading = read(file)
    heading, lines = headed(reading)
    return reading, heading, lines


def _facts(import_id: UUID, place: asyncpg.Record, order: Order, known: FieldMap) -> dict[str, Any]:
    return {
        "id": import_id,
        "mission_id": place["mission_id"],
        "stop_id": place["stop_id"],
        "programme_item_id": order.item_id,
        "partner_id": order.partner_id,
        "side": order.side,
        "name": order.name,
        "fixed": dict(known.fixed),
        "meant": {name: dict(values) for name, values in known.values.items()},
        "state": "columns" if order.asks_first else "checking",
        "applies": [kind.value for kind in order.applies],
        "total": 0,
    }


async def _copy(connection: Connection, import_id: UUID, lines: Iterator[Line]) -> int:
    """Write the rows chunk by chunk: memory holds one, and others are answered meanwhile."""
    total = 0
    while chunk := await asyncio.to_thread(_next, lines):
        total += len(chunk)
        if total > ROWS_MAX:
            last = chunk[-1].number
            raise unreadable("too_many_rows", f"A list has {ROWS_MAX} rows at most.", row=last)
        await rows.add(
            connection,
            [
                (
                    import_id,
                    line.number,
                    list(line.cells),
                    {str(k): v for k, v in line.marks.items()},
                )
                for line in chunk
            ],
        )
    if not total:
        raise unreadable("only_header", "There is no row below the header.")
    return total


def _next(lines: Iterator[Line]) -> Sequence[Line]:
    return list(islice(lines, CHUNK))
