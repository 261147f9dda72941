"""Checking: each row is judged, compared with the list before and with what is on file."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from services.registration.commands.bulk import principal_of
from services.registration.commands.imports.alike import find_alike
from services.registration.commands.imports.judging import Judged, find_repeated, judged
from services.registration.commands.imports.lists import begin_applying
from services.registration.commands.imports.meaning import ours_of
from services.registration.commands.questions import Forms, answered
from services.registration.domain.imports.comparing import Kind, compared, kind_of
from services.registration.domain.imports.fields import Ground
from services.registration.domain.imports.findings import Finding
from services.registration.domain.imports.mapping import ANSWER
from services.registration.domain.places import IS_OVER, Status
from services.registration.store import rush
from services.registration.store.imports import hosted, lists, rows
from shared.errors import Invalid
from shared.postgres import Connection, Database, commit_lazily

CHUNK = 250
ROWS_AT_ONCE = 4 * CHUNK
"""So many in one transaction."""
ALWAYS_COMPARED = ("full_name", "organization")
"""They may be made of other columns; what else is not in the list is not the partner's to say."""

Row = asyncpg.Record


async def check_some(
    database: Database, forms: Forms, found: Row, ground: Ground, now: datetime
) -> None:
    """Check the next rows of a list in one transaction, and end its checking after the last."""
    async with database.transaction() as connection:
        await commit_lazily(connection)
        # Whoever cancels, or gives it another meaning, waits; what was claimed may be old by now.
        fresh = await lists.one(connection, found["id"], lock=True)
        if fresh is None or fresh["state"] != "checking":
            return
        read = await rows.unchecked(connection, found["id"], fresh["checked_to"], ROWS_AT_ONCE)
        chunks = [read[start : start + CHUNK] for start in range(0, len(read), CHUNK)]
        checked_to = fresh["checked_to"]
        async for judgements in _judged(chunks, fresh, ground):
            await _check_answers(database, forms, fresh, judgements)
            await _compare(connection, fresh, judgements)
            await find_alike(connection, fresh["mission_id"], judgements, checked_to)
            chosen = [*fresh["applies"], Kind.SAME] if fresh["applies"] else []
            written = [one.written() for one in judgements]
            await rows.write_checked(connection, found["id"], written, chosen)
            checked_to = judgements[-1].number
        await lists.release(connection, found["id"], checked_to)
        if len(read) < ROWS_AT_ONCE:
            await _finish(connection, fresh, now)


async def _judged(
    chunks: Sequence[Sequence[Row]], found: Row, ground: Ground
) -> AsyncIterator[list[Judged]]:
    """Judge chunks, each while the database works on the one before."""
    tasks = (asyncio.create_task(asyncio.to_thread(judged, one, found, ground)) for one in chunks)
    ahead = next(tasks, None)
    while ahead is not None:
        judgements, ahead = await ahead, next(tasks, None)
        yield judgements


async def _check_answers(
    database: Database, forms: Forms, found: Row, judgements: Sequence[Judged]
) -> None:
    for one in judgements:
        if one.sign_up and one.sign_up.answers:
            try:
                await answered(forms, database, found["programme_item_id"], one.sign_up)
            except Invalid as refusal:
                one.findings += [
                    Finding("answer_wrong", ANSWER + fault.pointer.rpartition("/")[2])
                    for fault in refusal.faults
                ]


async def _compare(connection: Connection, found: Row, judgements: Sequence[Judged]) -> None:
    refs = [one.ref for one in judgements if one.ref]
    addresses = [one.address for one in judgements if one.address]
    first = judgements[0].number
    find_repeated(judgements, await rows.earlier(connection, found["id"], first, refs, addresses))
    item = (found["mission_id"], found["programme_item_id"])
    before = await hosted.before(connection, found, refs)
    by_address = await hosted.by_address(connection, *item, addresses)
    on_file = await hosted.on_file(connection, [row["registration_id"] for row in before.values()])
    people = await rush.people(connection, {(found["mission_id"], name) for name in addresses})
    ids = {row["email"]: row["id"] for row in people}
    given = {*found["placed"], *found["fixed"], *ALWAYS_COMPARED}
    for one in judgements:
        one.person_id = ids.get(one.address or "")
        last = before.get(one.ref or "")
        row = on_file.get(last["registration_id"]) if last else by_address.get(one.address or "")
        one.kind = Kind.NEW
        if row is not None:
            is_own = row["partner_id"] == row["person_partner_id"] == found["partner_id"]
            # A partner may know an address; that alone opens nothing that is on file about it.
            one.kind = Kind.KNOWN
            if is_own:
                _place(one, last, row, given)
            one.registration_id, one.person_id = row["id"], row["person_id"]


def _place(one: Judged, last: Row | None, row: Row, given: Collection[str]) -> None:
    """Say what a row is beside what is on file about it; `given`: the fields that the list has."""
    one.ours = ours_of(row)
    theirs = {name: value for name, value in one.fields.items() if name in given}
    one.differences = compared(theirs, last["fields"] if last else None, one.ours)
    if Status(row["status"]) in IS_OVER:
        # Ended here, and in the list still: that is for somebody to decide, not for a list.
        one.differences = {"status": "ours" if last else "both"}
    one.kind = kind_of(one.differences)


async def _finish(connection: Connection, found: Row, now: datetime) -> None:
    """End the checking: say who is gone, and apply what was asked for beforehand."""
    await rows.add_gone(connection, found["id"], are_chosen=Kind.GONE in found["applies"])
    await lists.set_state(connection, found["id"], "checked", now)
    if found["applies"]:
        details: Mapping[str, Any] = {"kinds": found["applies"]}
        await begin_applying(connection, found, principal_of(found["principal"]), details, now)
