"""Applying: chosen rows are registered, changed and cancelled as anybody else would be.

A chunk of new people is one transaction with what is said of its rows: whoever takes a list over
after a crash finds each row either done and told so, or untouched.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.bulk import principal_of
from services.registration.commands.deciding import decide_within
from services.registration.commands.drafting import Entry, Submission
from services.registration.commands.editing import edit_within
from services.registration.commands.editing_facts import Editor
from services.registration.commands.imports.meaning import (
    edit_of,
    field_at,
    ours_of,
    sign_up_of,
)
from services.registration.commands.questions import Forms, answered
from services.registration.commands.registering import RACES
from services.registration.commands.seating import refused, seat_all
from services.registration.domain.imports.comparing import Kind
from services.registration.domain.places import IS_OVER, Decision, Status
from services.registration.store.imports import hosted, lists, rows
from shared.access import Principal, Scope, may
from shared.errors import Refusal
from shared.idempotency import ATTEMPTS_MAX, Answer, Key
from shared.postgres import Connection, Database

CHUNK = 250
CHANGES_MAX = 25
"""So many changes in one transaction: each locks a person and all that is registered."""

Row = asyncpg.Record
Settled = tuple[int, str, str | None, str | None, UUID | None, UUID | None]


async def apply_some(database: Database, forms: Forms, found: Row, now: datetime) -> None:
    """Apply the next chosen rows of a list in one transaction, and end it after the last."""
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            async with database.transaction() as connection:
                await _apply_some(connection, database, forms, found["id"], now)
        except RACES:
            if attempt == ATTEMPTS_MAX:
                raise
        else:
            return


async def _apply_some(
    connection: Connection, database: Database, forms: Forms, import_id: UUID, now: datetime
) -> None:
    # Whoever cancels waits for this chunk.
    found = await lists.one(connection, import_id, lock=True)
    if found is None or found["state"] != "applying":
        return
    chunk = await rows.open_rows(connection, import_id, CHUNK)
    if not chunk:
        await lists.set_state(connection, import_id, "finished", now)
        return
    first = Kind(chunk[0]["kind"])
    run = list(takewhile(lambda row: row["kind"] == first, chunk))
    if first is Kind.NEW:
        settled = await _register(connection, database, forms, found, run, now)
    elif first is Kind.SAME:
        settled = [_settled(row, "unchanged") for row in run]
    else:
        changes = run[:CHANGES_MAX]
        settled = [await _change(connection, found, row, now) for row in changes]
    await rows.settle(connection, import_id, settled)
    await _mirror(connection, found, {row["row"]: row for row in run}, settled)
    await lists.release(connection, import_id)


async def _register(
    connection: Connection,
    database: Database,
    forms: Forms,
    found: Row,
    run: Sequence[Row],
    now: datetime,
) -> list[Settled]:
    """Seat new people in the order of the list, each with a place, or waiting for one."""
    settled: list[Settled] = []
    entries: list[Entry] = []
    seated: list[Row] = []
    for row in run:
        sign_up = sign_up_of(row["fields"], found["side"], found["partner_id"])
        try:
            sign_up = await answered(forms, database, found["programme_item_id"], sign_up)
        except Refusal as refusal:
            settled.append(_refused(row, refused(refusal)))
            continue
        entries.append(Entry(found["programme_item_id"], sign_up))
        seated.append(row)
    if entries:
        key = Key(f"import {found['id']}", str(run[0]["row"]), b"")
        one = Submission(tuple(entries), key, now, is_list=True)
        (answer,) = await seat_all(connection, [one])
        if not isinstance(answer, Answer):
            raise answer
        for row, result in zip(seated, answer.content["results"], strict=True):
            settled.append(_registered(row, result))
    return settled


def _registered(row: Row, result: dict[str, Any]) -> Settled:
    if "id" not in result:
        return _refused(row, result)
    is_new = result["status_code"] == 201  # noqa: PLR2004  # as the API says it
    code = None if is_new else "already_registered"
    status = str(result["status"]) if is_new else "already_registered"
    ids = (UUID(result["id"]), UUID(result["participant_id"]))
    return (row["row"], status, code, None, *ids)


def _refused(row: Row, result: dict[str, Any]) -> Settled:
    faults = result.get("errors") or [{"pointer": ""}]
    place = faults[0]["pointer"].strip("/").split("/")
    name = field_at(place) if place != [""] else ""
    return _settled(row, "refused", result["code"], f"/{name}" if name else None)


async def _change(connection: Connection, found: Row, row: Row, now: datetime) -> Settled:
    """Take over a change, or cancel who is gone; a refusal leaves nothing of it behind."""
    who = principal_of(found["principal"])
    on_file = (await hosted.on_file(connection, [row["registration_id"]]))[row["registration_id"]]
    try:
        async with connection.transaction():
            if row["kind"] == Kind.GONE:
                return await _cancel(connection, row, on_file, who, now)
            if row["fields"] is None:
                return _settled(row, "refused", "erased")
            # The state may have changed: a change of facts does not hang on it.
            if ours_of(on_file) | {"status": ""} != row["ours"] | {"status": ""}:
                return _settled(row, "refused", "changed_since")
            if Status(on_file["status"]) in IS_OVER:
                return _settled(row, "refused", "illegal_state")
            return await _edit(connection, found, row, on_file, who, now)
    except Refusal as refusal:
        return _refused(row, refused(refusal))


async def _edit(  # what a change is made of
    connection: Connection, found: Row, row: Row, on_file: Row, who: Principal, now: datetime
) -> Settled:
    scope = Scope(found["mission_id"], found["stop_id"], partner_id=found["partner_id"])
    editor = Editor(who, approves=may(who, "registration.decide", scope))
    change = edit_of(on_file, row["fields"], row["differences"])
    await edit_within(connection, on_file["id"], change, on_file["revision"], editor, now)
    return _settled(row, "updated")


async def _cancel(
    connection: Connection, row: Row, on_file: Row, who: Principal, now: datetime
) -> Settled:
    if Status(on_file["status"]) not in IS_OVER:
        await decide_within(connection, on_file["id"], Decision.CANCEL, who, now)
    return _settled(row, "cancelled")


def _settled(row: Row, status: str, code: str | None = None, pointer: str | None = None) -> Settled:
    return (row["row"], status, code, pointer, row["registration_id"], row["person_id"])


async def _mirror(
    connection: Connection, found: Row, by_row: dict[int, Row], settled: Sequence[Settled]
) -> None:
    """Remember what was applied: the partner's next list is compared with it."""
    kept, dropped = [], []
    for number, status, _, _, registration_id, person_id in settled:
        row = by_row[number]
        if status == "cancelled" and row["kind"] == Kind.GONE:
            dropped.append(row["ref"])
        elif status != "refused" and registration_id and person_id:
            kept.append((row["ref"], row["fields"], registration_id, person_id))
    if kept:
        await hosted.put(connection, found, kept)
    if dropped:
        await hosted.drop(connection, found, dropped)
