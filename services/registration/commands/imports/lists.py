"""Partners' lists: found, given a meaning, chosen from, and cancelled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.commands.bulk import written
from services.registration.commands.missions import existing_item, existing_mission
from services.registration.commands.partners import existing as existing_partner
from services.registration.domain.imports.cells import letters_of
from services.registration.domain.imports.comparing import Kind
from services.registration.domain.imports.heading import Heading
from services.registration.domain.imports.mapping import (
    ANSWER,
    IGNORED,
    FieldMap,
    check_fields,
    column_of,
)
from services.registration.domain.imports.sectors import Sectors
from services.registration.domain.imports.synonyms import FIELDS, plain
from services.registration.store import partners, questions
from services.registration.store.imports import lists as store
from services.registration.store.imports import rows
from shared.access import Principal, Scope, may, require
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

Row = asyncpg.Record


async def existing(connection: Connection, import_id: UUID, *, lock: bool = False) -> Row:
    """Read a list; raises `NotFound`."""
    found = await store.one(connection, import_id, lock=lock)
    if found is None:
        raise NotFound("There is no such list.")
    return found


async def existing_place(connection: Connection, item_id: UUID, partner_id: UUID) -> Row:
    """Read the item that a partner's list is for; raises `NotFound`, or `Invalid`."""
    item = await existing_item(connection, item_id)
    partner = await existing_partner(connection, partner_id)
    if partner["mission_id"] != item["mission_id"]:
        fault = Fault("/partner_id", "This is not a partner of this mission.")
        raise Invalid("The partner is wrong.", faults=[fault])
    return item


def scope_of(found: Row) -> Scope:
    """Say what an action on a list touches."""
    return Scope(found["mission_id"], found["stop_id"], partner_id=found["partner_id"])


async def answer_codes(connection: Connection, item_id: UUID) -> list[str]:
    """List the codes of the questions that a list may have answers to."""
    return [row["code"] for row in await questions.of_item(connection, item_id)]


async def mean(
    database: Database,
    import_id: UUID,
    columns: Sequence[str | None],
    meaning: FieldMap,
    now: datetime,
) -> None:
    """Say what a list's columns and values mean, remember it for the partner, and check it all.

    `meaning.columns` is made here, of the headers. Raises `NotFound`, `Invalid` for a list that
    nobody could be registered from, and `Conflict` once something was applied.
    """
    async with database.transaction() as connection:
        found = await existing(connection, import_id, lock=True)
        _require(found, "columns", "checking", "checked")
        if len(columns) != len(found["headers"]):
            raise Invalid("Say of every column what it is.", code="columns")
        hidden = Heading(tuple(found["headers"]), 1).hidden
        columns = [None if place in hidden else name for place, name in enumerate(columns)]
        codes = await answer_codes(connection, found["programme_item_id"])
        check_fields(columns, meaning.fixed, codes)
        by_header = {
            plain(header): name or IGNORED
            for header, name in reversed(list(zip(found["headers"], columns, strict=True)))
            if plain(header)
        }
        known = await store.map_of(connection, found["partner_id"])
        after = known.remembering(FieldMap(by_header, meaning.fixed, meaning.values))
        await store.keep_map(connection, found["partner_id"], after, now)
        await rows.forget_gone(connection, import_id)
        placed = [name or "" for name in columns]
        whole = FieldMap({}, meaning.fixed, after.values)
        await store.set_meaning(connection, import_id, placed, whole)


async def check_again(database: Database, import_id: UUID) -> None:
    """Compare a list once more with what is on file by now; raises `NotFound`, `Conflict`."""
    async with database.transaction() as connection:
        found = await existing(connection, import_id, lock=True)
        _require(found, "checked")
        await rows.forget_gone(connection, import_id)
        meaning = FieldMap({}, found["fixed"], found["meant"])
        await store.set_meaning(connection, import_id, found["placed"], meaning)


@dataclass(frozen=True, slots=True)
class Choice:
    """Rows of some kinds, and of them these numbers alone where there are any."""

    kinds: Sequence[Kind]
    numbers: Sequence[int] | None = None


async def apply(
    database: Database,
    import_id: UUID,
    choice: Choice,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Apply the chosen rows of a list.

    Answers 202 with how many. Raises `NotFound`, or `Conflict` when another list of the same
    partner and item was applied since this one was checked, or nothing is chosen.
    """

    async def effect(connection: Connection) -> Answer:
        found = await existing(connection, import_id, lock=True)
        _require(found, "checked", "finished")
        if await store.applied_since(connection, found):
            raise Conflict(
                "Another list of this partner was applied since: check this one again.",
                code="list_changed",
            )
        chosen = await rows.choose(connection, import_id, choice.kinds, choice.numbers)
        if not chosen:
            raise Conflict("No row of this list is chosen.", code="nothing_chosen")
        # What is as it was is noted as such: the next list is compared with it.
        await rows.choose(connection, import_id, [Kind.SAME], None)
        details = {"rows": chosen, "kinds": list(choice.kinds)}
        await begin_applying(connection, found, who, details, now)
        return Answer({"id": str(import_id), "state": "applying", "chosen": chosen}, 202)

    return await once(database, key, effect)


async def begin_applying(
    connection: Connection, found: Row, who: Principal, details: Mapping[str, object], now: datetime
) -> None:
    """Let the chosen rows be applied."""
    await store.set_principal(connection, found["id"], written(who))
    await store.set_state(connection, found["id"], "applying", now)
    await note(
        connection,
        who,
        "import.applied",
        subject_id=found["id"],
        mission_id=found["mission_id"],
        stop_id=found["stop_id"],
        details={**details, "partner_id": found["partner_id"]},
        now=now,
    )


async def cancel(database: Database, import_id: UUID, who: Principal, now: datetime) -> None:
    """Stop a list: what was applied stays, the rest is not. Raises `NotFound`, `Conflict`."""
    async with database.transaction() as connection:
        # Waits for the rows that are being applied in this moment.
        found = await existing(connection, import_id, lock=True)
        if found["state"] == "cancelled":
            return
        _require(found, "columns", "checking", "checked", "applying")
        await store.set_state(connection, import_id, "cancelled", now)
        await note(
            connection,
            who,
            "import.cancelled",
            subject_id=import_id,
            mission_id=found["mission_id"],
            stop_id=found["stop_id"],
            details={"partner_id": found["partner_id"]},
            now=now,
        )


def _require(found: Row, *states: str) -> None:
    if found["state"] not in states or found["emptied_at"] is not None:
        raise Conflict(f"This list is {found['state']}.", code="illegal_state")


@dataclass(frozen=True, slots=True)
class Unknown:
    """A sector of a list that the mission does not have; `is_clear`: the first is what is meant."""

    value: str
    rows: int
    suggested: list[str]
    is_clear: bool


async def unknown_sectors(connection: Connection, found: Row, limit: int) -> list[Unknown]:
    """List the sectors of a list that the mission does not have, those of most rows first."""
    mission = await existing_mission(connection, found["mission_id"])
    sectors = Sectors(mission["sectors"], found["meant"].get("sectors", {}))
    return [
        Unknown(
            value := row["value"],
            row["number"],
            sectors.suggested(value),
            sectors.is_clear(value),
        )
        for row in await rows.unknown_values(connection, found["id"], "sector_unknown", limit)
    ]


def where(found: Row, name: str) -> str:
    """Say in which column of a list a field is: D, or as objects call it; nothing for none."""
    column = column_of(name, found["placed"])
    if column is None:
        return ""
    header: str = found["headers"][column]
    return f"“{header}”" if found["kind"] == "ndjson" else letters_of(column)


def through(found: Row, counts: Mapping[str, Mapping[str, int]]) -> tuple[int, int]:
    """Say how many rows of a list are through what is done with it, and of how many."""
    if found["state"] == "checking":
        done = found["checked_to"] - found["about"]["header_row"]
        return min(max(done, 0), found["total"]), found["total"]
    total = sum(counts["kinds"].values())
    return total - sum(counts["chosen"].values()), total


def may_see(who: Principal, found: Row) -> bool:
    """Say whether a list is somebody's to see."""
    return may(who, "import.write", scope_of(found))


async def require_partner(connection: Connection, who: Principal, partner_id: UUID) -> Row:
    """Read a partner whose lists somebody may send, wherever; raises `NotFound`, `Forbidden`."""
    partner = await existing_partner(connection, partner_id)
    stops = [row["id"] for row in await partners.stops_of(connection, partner_id)]
    scopes = [Scope(partner["mission_id"], stop_id, partner_id=partner_id) for stop_id in stops]
    if not any(may(who, "import.write", scope) for scope in scopes):
        require(who, "import.write", Scope(partner["mission_id"], partner_id=partner_id))
    return partner


async def keep_map(
    database: Database, partner_id: UUID, meaning: FieldMap, who: Principal, now: datetime
) -> None:
    """Write what a partner's columns and values mean; raises `NotFound`, `Forbidden`, `Invalid`."""
    async with database.transaction() as connection:
        partner = await require_partner(connection, who, partner_id)
        known = {*FIELDS, IGNORED}
        faults = [
            Fault(f"/columns/{header}", f"There is no field `{name}`.")
            for header, name in meaning.columns.items()
            if name not in known and not name.startswith(ANSWER)
        ]
        if faults:
            raise Invalid("Some fields are wrong.", faults=faults)
        await store.keep_map(connection, partner_id, meaning, now)
        await note(
            connection,
            who,
            "import.map_changed",
            subject_id=partner_id,
            mission_id=partner["mission_id"],
            details={"columns": len(meaning.columns)},
            now=now,
        )
