"""Erased people: a sign-in of theirs that is still out there opens nothing.

Sessions are signed and kept nowhere, so one cannot be taken back; but who it is for can be looked
up. A request that brings a sign-in costs one more look at a primary key; one without costs nothing.
Exact at once, where a list kept in memory would be late by its refreshing.
"""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from shared.access import Principal
from shared.errors import Unauthenticated
from shared.http import SAFE_METHODS, SESSION_COOKIE, Visitor
from shared.postgres import Connection, Database

FORGET_COOKIE = f"{SESSION_COOKIE}=; Max-Age=0; Path=/; HttpOnly; SameSite=lax"
WITHOUT_PERSON = ("screen", "service", "partner_system")
NOT_HERE = "The person this sign-in was made for is not here any more."


async def is_erased(connection: Connection, person_id: UUID) -> bool:
    """Say whether somebody was erased."""
    found = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM erased_person WHERE person_id = $1)", person_id
    )
    return bool(found)


async def refuse_erased(connection: Connection, who: Principal) -> None:
    """Raise `Unauthenticated` for somebody erased: where no dependency of a router looks."""
    if who.role not in WITHOUT_PERSON and await is_erased(connection, who.subject):
        raise Unauthenticated(NOT_HERE)


async def rows_about(
    connection: Connection, person_id: UUID, about: Sequence[tuple[str, str]]
) -> dict[str, list[Any]]:
    """Read every row about somebody, by table; `about` is each table with its condition on `$1`."""
    found = {}
    for table, condition in about:
        rows = await connection.fetch(
            f"SELECT to_jsonb(t) AS content FROM {table} AS t WHERE {condition}",  # noqa: S608
            person_id,
        )
        found[table] = [row["content"] for row in rows]
    return {table: rows for table, rows in found.items() if rows}


async def note_erased(connection: Connection, person_id: UUID, erased_at: object) -> bool:
    """Remember that somebody was erased; False when that is known."""
    noted = await connection.fetchval(
        "INSERT INTO erased_person (person_id, erased_at) VALUES ($1, $2) "
        "ON CONFLICT DO NOTHING RETURNING true",
        person_id,
        erased_at,
    )
    return bool(noted)


async def forget_answers(connection: Connection, person_id: UUID) -> None:
    """Delete what requests by or about somebody were answered: it may repeat what was sent."""
    await connection.execute(
        "DELETE FROM idempotency WHERE strpos(scope, $1) > 0 OR strpos(answer::text, $1) > 0",
        str(person_id),
    )


def refusing_the_erased(service: str, routers: Sequence[APIRouter]) -> list[APIRouter]:
    """Put routes of a service behind a look whether who calls was erased."""

    async def look(request: Request, who: Visitor) -> None:
        if who is None or who.role in WITHOUT_PERSON:
            return
        database = cast(Database, getattr(request.app.state, service).database)
        async with database.reading() as connection:
            if not await is_erased(connection, who.subject):
                return
        if "authorization" in request.headers:
            raise Unauthenticated(NOT_HERE)
        # A browser must not be locked out of public pages by what it remembers.
        to = request.url.path if request.method in SAFE_METHODS else "/"
        raise HTTPException(303, headers={"Location": to, "Set-Cookie": FORGET_COOKIE})

    guarded = APIRouter(dependencies=[Depends(look)])
    for router in routers:
        guarded.include_router(router)
    return [guarded]
