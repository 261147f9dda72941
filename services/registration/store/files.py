"""Files that answers name."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.questions import StoredFile
from shared.postgres import Connection

Row = asyncpg.Record

FILE = "id, mission_id, question_id, name, bytes, type, created_at, person_id"


async def add(connection: Connection, file: Mapping[str, Any]) -> None:
    """Add a file of which nothing is there yet; one with the same id stays as it is."""
    names = ("id", "mission_id", "question_id", "name", "bytes", "created_at")
    await connection.execute(
        "INSERT INTO file (id, mission_id, question_id, name, bytes, created_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING",
        *(file[name] for name in names),
    )


async def one(connection: Connection, file_id: UUID, *, lock: bool = False) -> Row | None:
    """Read what a file is, without its content."""
    query = f"SELECT {FILE} FROM file WHERE id = $1"  # noqa: S608
    return await connection.fetchrow(query + (" FOR UPDATE" if lock else ""), file_id)


async def put_chunk(connection: Connection, file_id: UUID, number: int, content: bytes) -> None:
    """Write a part of a file; the same part again replaces it."""
    await connection.execute(
        "INSERT INTO file_chunk (file_id, number, content) VALUES ($1, $2, $3) "
        "ON CONFLICT (file_id, number) DO UPDATE SET content = excluded.content",
        file_id,
        number,
        content,
    )


async def content(connection: Connection, file_id: UUID) -> bytes:
    """Read all that is there of a file."""
    rows = await connection.fetch(
        "SELECT content FROM file_chunk WHERE file_id = $1 ORDER BY number", file_id
    )
    return b"".join(row["content"] for row in rows)


async def finish(connection: Connection, file_id: UUID, type_: str) -> None:
    """Note that all of a file is there, and what it is."""
    await connection.execute("UPDATE file SET type = $2 WHERE id = $1", file_id, type_)


async def waiting_bytes(connection: Connection, mission_id: UUID) -> int:
    """Count the bytes that came of a mission's files that no answer names."""
    count: int = await connection.fetchval(
        "SELECT coalesce(sum(octet_length(content)), 0)::bigint FROM file "
        "JOIN file_chunk ON file_id = file.id WHERE mission_id = $1 AND person_id IS NULL",
        mission_id,
    )
    return count


async def stored(connection: Connection, named: Mapping[str, UUID]) -> dict[str, StoredFile]:
    """Find which of the named files are there, each sent for its question."""
    rows = await connection.fetch(
        "SELECT file.id, type, bytes FROM file "
        "JOIN unnest($1::uuid[], $2::uuid[]) AS named (id, question_id) "
        "ON named.id = file.id AND named.question_id = file.question_id WHERE type IS NOT NULL",
        [UUID(file_id) for file_id in named],
        list(named.values()),
    )
    return {str(row["id"]): StoredFile(row["type"], row["bytes"]) for row in rows}


async def names(connection: Connection, ids: Sequence[UUID]) -> Sequence[Row]:
    """Read what files are, to show them beside their questions."""
    return await connection.fetch(
        "SELECT id, name, type, bytes FROM file WHERE id = ANY($1) AND type IS NOT NULL", list(ids)
    )


async def claim(connection: Connection, ids: Sequence[UUID], person_id: UUID) -> int:
    """Note whose answers name these files, and count their bytes; what is somebody's stays so."""
    rows = await connection.fetch(
        "UPDATE file SET person_id = $2 WHERE id = ANY($1) AND person_id IS NULL RETURNING bytes",
        list(ids),
        person_id,
    )
    return sum(row["bytes"] for row in rows)


async def delete_unnamed(connection: Connection, person_id: UUID, named: Sequence[UUID]) -> None:
    """Delete a person's files that none of his or her answers name any more.

    A registration that has ended keeps its own: it may be taken up again.
    """
    await connection.execute(
        "DELETE FROM file USING question WHERE question.id = file.question_id "
        "AND file.person_id = $1 AND file.id <> ALL($2) AND NOT EXISTS "
        "(SELECT FROM registration AS r WHERE r.person_id = $1 "
        "AND r.answers ->> question.code = file.id::text)",
        person_id,
        list(named),
    )


async def orphans(
    connection: Connection, before: datetime, unfinished_before: datetime, *, limit: int
) -> Sequence[Row]:
    """List old files that are nobody's, with who names them after all."""
    return await connection.fetch(
        "SELECT file.id, (SELECT r.person_id FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN stop ON stop.id = item.stop_id WHERE stop.mission_id = file.mission_id "
        "AND r.answers ->> question.code = file.id::text LIMIT 1) AS named_by "
        "FROM file JOIN question ON question.id = file.question_id "
        "WHERE file.person_id IS NULL "
        "AND (file.created_at < $1 OR file.type IS NULL AND file.created_at < $2) "
        "ORDER BY file.created_at LIMIT $3 FOR UPDATE OF file SKIP LOCKED",
        before,
        unfinished_before,
        limit,
    )


async def delete(connection: Connection, ids: Sequence[UUID]) -> None:
    """Delete files with their content."""
    await connection.execute("DELETE FROM file WHERE id = ANY($1)", list(ids))


async def scopes(connection: Connection, person_id: UUID, file_id: UUID) -> Sequence[Row]:
    """List the registrations that name a file of somebody: their stop and who brought them."""
    return await connection.fetch(
        "SELECT item.stop_id, r.partner_id FROM registration AS r "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN file ON file.id = $2 JOIN question ON question.id = file.question_id "
        "WHERE r.person_id = $1 AND r.answers ->> question.code = file.id::text",
        person_id,
        file_id,
    )
