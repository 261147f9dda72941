"""Files for answers: announced, sent in parts, finished, and read by staff and their owner."""

from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID, uuid4

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from services.registration.answers import FileBegun
from services.registration.commands import files as commands
from services.registration.domain.questions import FILE_BYTES_MAX
from services.registration.domain.sniffing import MEDIA_TYPES
from services.registration.resources import Held
from services.registration.store import files as store
from services.registration.store import questions
from shared.access import Principal, Scope, may
from shared.errors import Forbidden, NotFound
from shared.http import Body, Caller, Now
from shared.idempotency import OptionalKey
from shared.limits import Client

router = APIRouter(prefix="/api/v1", tags=["registration"])


class FileBody(Body):
    """A file that is about to be sent."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    bytes: Annotated[int, Field(strict=True, ge=1, le=FILE_BYTES_MAX)]


async def _count(held: Held, client: Client) -> None:
    held.limits.files.take(client)


@router.post(
    "/missions/{mission_id}/questions/{question_id}/files",
    status_code=201,
    response_model=FileBegun,
    dependencies=[Depends(_count)],
)
async def begin_file(  # noqa: PLR0913, PLR0917  # a file, by whom and when
    mission_id: UUID,
    question_id: UUID,
    body: FileBody,
    held: Held,
    client: Client,
    key: OptionalKey,
    now: Now,
) -> Response:
    """Announce a file; the answer says how big its parts are to be."""
    held.limits.file_bytes.take(client, body.bytes)
    # Whoever knows the id may name the file in an answer: it has to be one that nobody guesses.
    file = commands.Announced(uuid4(), question_id, body.name, body.bytes)
    return (await commands.begin(held.database, mission_id, file, key, now)).response()


@router.put("/missions/{mission_id}/files/{file_id}/chunks/{number}")
async def put_chunk(
    mission_id: UUID,
    file_id: UUID,
    number: Annotated[int, Path(ge=0, le=9)],
    request: Request,
    held: Held,
) -> dict[str, Any]:
    """Send one part of a file as the body; the same part again changes nothing."""
    await _in_mission(held, mission_id, file_id)
    await commands.put_chunk(held.database, file_id, number, await request.body())
    return {"id": file_id, "number": number}


@router.post("/missions/{mission_id}/files/{file_id}/finish")
async def finish_file(mission_id: UUID, file_id: UUID, held: Held) -> dict[str, Any]:
    """Say that all parts were sent; the answer says what the file is, by its content."""
    await _in_mission(held, mission_id, file_id)
    return await commands.finish(held.database, file_id)


@router.get("/missions/{mission_id}/files/{file_id}")
async def read_file(mission_id: UUID, file_id: UUID, held: Held, who: Caller) -> Response:
    """Read a file; for mission staff, for the partner who brought its owner, and for the owner."""
    await _in_mission(held, mission_id, file_id)
    async with held.database.reading() as connection:
        file = await commands.existing(connection, file_id)
        if file["type"] is None:
            raise NotFound("This file was never finished.")
        await _require(held, who, file)
        content = await store.content(connection, file_id)
    name = quote(file["name"], safe="")
    return Response(
        content,
        media_type=MEDIA_TYPES[file["type"]],
        headers={
            # Never shown within our origin, whatever it may hold.
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cache-Control": "private, no-store",
        },
    )


async def _in_mission(held: Held, mission_id: UUID, file_id: UUID) -> None:
    async with held.database.reading() as connection:
        file = await commands.existing(connection, file_id)
    if file["mission_id"] != mission_id:
        raise NotFound("There is no such file in this mission.")


async def _require(held: Held, who: Principal, file: Any) -> None:
    async with held.database.reading() as connection:
        question = await questions.one(connection, file["question_id"])
        assert question is not None
        named = await store.scopes(connection, file["person_id"], file["id"])
    owner = (file["person_id"],) if file["person_id"] else ()
    scopes = [
        Scope(file["mission_id"], row["stop_id"], owner, partner_id=row["partner_id"])
        for row in named
    ]
    scopes.append(Scope(file["mission_id"], question["stop_id"], owner))
    if not any(may(who, "registration.edit", scope) for scope in scopes):
        raise Forbidden(f"The role {who.role} may not read this file.")
