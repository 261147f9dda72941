"""Files: sent in parts before the form is, named by its answers, and swept when none names them."""

import asyncio
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from services.registration.commands.questions import existing as existing_question
from services.registration.commands.questions import is_id
from services.registration.domain.questions import FILE_BYTES_MAX, FILE_TYPES
from services.registration.domain.sniffing import sniffed
from services.registration.store import files as store
from services.registration.store import questions
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.postgres import Connection, Database

CHUNK_BYTES = 524_288
WAITING_BYTES_MAX = 512 * 1024 * 1024
"""Of one mission's files that no answer names yet: strangers must not fill the disk."""
ORPHAN_AGE = timedelta(days=2)
"""Longer than a browser's draft names the file."""
UNFINISHED_AGE = timedelta(hours=2)
"""Longer than sending one takes."""
SWEEP_SECONDS = 600
SWEEP_MAX = 500

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Announced:
    """A file that is about to be sent."""

    id: UUID
    question_id: UUID
    name: str
    bytes: int


async def begin(
    database: Database, mission_id: UUID, file: Announced, key: Key | None, now: datetime
) -> Answer:
    """Announce a file; raises `NotFound`, `Invalid`, or `Conflict` when too many wait already."""

    async def effect(connection: Connection) -> Answer:
        question = await existing_question(connection, file.question_id)
        if question["mission_id"] != mission_id or question["definition"]["kind"] != "file":
            raise NotFound("There is no such question that asks for a file.")
        most = question["definition"].get("limits", {}).get("bytes_max", FILE_BYTES_MAX)
        if file.bytes > most:
            fault = Fault("/bytes", f"The file has {most} bytes at most.")
            raise Invalid("The file is too big.", faults=[fault])
        await _check_room(connection, mission_id, file.bytes)
        facts: Mapping[str, Any] = {
            "id": file.id,
            "mission_id": mission_id,
            "question_id": file.question_id,
            "name": _plain_name(file.name),
            "bytes": file.bytes,
            "created_at": now,
        }
        await store.add(connection, facts)
        return Answer({"id": str(file.id), "chunk_bytes": CHUNK_BYTES})

    return await once(database, key, effect)


async def _check_room(connection: Connection, mission_id: UUID, more: int) -> None:
    """Raise `Conflict` when too much waits; what was only announced takes no room from others."""
    if await store.waiting_bytes(connection, mission_id) + more > WAITING_BYTES_MAX:
        raise Conflict("Too many files wait for their forms; try later.", code="files_full")


async def put_chunk(database: Database, file_id: UUID, number: int, content: bytes) -> None:
    """Write a part of a file; once more changes nothing.

    Raises `NotFound`, `Invalid`, or `Conflict` when too many wait already.
    """
    async with database.transaction() as connection:
        file = await existing(connection, file_id, lock=True)
        if file["type"] is not None:
            # A part that was sent again after its answer was lost.
            return
        left = file["bytes"] - number * CHUNK_BYTES
        if len(content) != min(max(left, 0), CHUNK_BYTES) or not content:
            raise Invalid(f"Part {number} of this file has not {len(content)} bytes.")
        await _check_room(connection, file["mission_id"], len(content))
        await store.put_chunk(connection, file_id, number, content)


async def finish(database: Database, file_id: UUID) -> dict[str, Any]:
    """Say that all of a file was sent; gives what it is. Raises `NotFound`, `Invalid`."""
    async with database.transaction() as connection:
        file = await existing(connection, file_id, lock=True)
        kind = file["type"]
        if kind is None:
            content = await store.content(connection, file_id)
            if len(content) != file["bytes"]:
                raise Invalid(f"{len(content)} of {file['bytes']} bytes are here.")
            question = await questions.one(connection, file["question_id"])
            assert question is not None
            types = question["definition"].get("limits", {}).get("types", FILE_TYPES)
            kind = await asyncio.to_thread(sniffed, content)
            if kind not in types:
                raise Invalid(
                    "A file of this kind is not taken here.",
                    code="file_type",
                    faults=[Fault("", f"By its content this is none of: {', '.join(types)}.")],
                )
            await store.finish(connection, file_id, kind)
    return {"id": str(file_id), "name": file["name"], "type": kind, "bytes": file["bytes"]}


async def existing(connection: Connection, file_id: UUID, *, lock: bool = False) -> asyncpg.Record:
    """Read what a file is; raises `NotFound`."""
    file = await store.one(connection, file_id, lock=lock)
    if file is None:
        raise NotFound("There is no such file.")
    return file


async def claim(database: Database, answers: Mapping[str, object], person_id: UUID) -> int:
    """Note whose files the answers of a new registration name; gives how many bytes they have.

    Not in its transaction: if the process dies before this, the sweep finds who names them.
    """
    ids = [UUID(str(value)) for value in answers.values() if is_id(value)]
    if not ids:
        return 0
    async with database.transaction() as connection:
        return await store.claim(connection, ids, person_id)


async def keep_sweeping(database: Database) -> None:
    """Delete what no answer names, for ever."""
    while True:
        await sweep(database, datetime.now(UTC))
        await asyncio.sleep(SWEEP_SECONDS)


async def sweep(database: Database, now: datetime) -> int:
    """Delete old files that no answer names, and count them."""
    async with database.transaction() as connection:
        found = await store.orphans(
            connection, now - ORPHAN_AGE, now - UNFINISHED_AGE, limit=SWEEP_MAX
        )
        for row in found:
            if row["named_by"] is not None:
                await store.claim(connection, [row["id"]], row["named_by"])
        gone = [row["id"] for row in found if row["named_by"] is None]
        await store.delete(connection, gone)
    if gone:
        log.info("files swept", count=len(gone))
    return len(gone)


def _plain_name(name: str) -> str:
    """Give a file's name without folders and without what no name needs."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip(". ")
    return plain[-100:] or "file"
