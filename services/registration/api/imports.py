"""Lists of partners: sent, checked, applied as chosen, and read row by row."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field, StringConstraints

from services.registration.commands.imports import lists as commands
from services.registration.commands.imports import receiving
from services.registration.commands.imports.lists import Choice, scope_of
from services.registration.commands.partners import existing as existing_partner
from services.registration.domain.imports.comparing import APPLICABLE, Kind
from services.registration.domain.imports.mapping import VALUES_MAX, FieldMap
from services.registration.domain.imports.synonyms import plain
from services.registration.resources import Held
from services.registration.store.imports import lists as store
from services.registration.store.imports import rows
from services.registration.uploads import uploaded
from shared.access import Scope, require
from shared.errors import Fault, Forbidden, Invalid
from shared.events.base import Side
from shared.http import Body, Caller, Now
from shared.idempotency import RequiredKey, RequiredValue
from shared.sheets import SHEET_TYPES

LISTS_MAX = 100
UNKNOWN_MAX = 100
# By a program, and by a form of a page.
PATHS = r"/api/v1/imports|/partner/[0-9a-f-]{36}/imports"
ROWS_CHOSEN_MAX = 5_000
FILE = {"schema": {"type": "string", "format": "binary"}}
LIST = {
    "required": True,
    "description": "The list itself; what it is, is seen from its content.",
    "content": dict.fromkeys(
        ("text/csv", SHEET_TYPES["xlsx"], "application/x-ndjson", "application/octet-stream"), FILE
    ),
}

router = APIRouter(prefix="/api/v1", tags=["registration"])

FieldText = Annotated[str, StringConstraints(max_length=60)]
Text = Annotated[str, StringConstraints(max_length=400)]
Applied = Literal["new", "changed", "conflicting", "gone"]


class MapBody(Body):
    """What a partner's columns and values mean, for all of its lists to come.

    `columns`: a field by header, or `-` to leave the column out. `fixed`: by field, what every row
    has that has nothing there. `values`: by field, what a value means, or `-` to leave it out.
    """

    columns: dict[Text, FieldText] = Field(default_factory=dict, max_length=200)
    fixed: dict[FieldText, Text] = Field(default_factory=dict, max_length=50)
    values: dict[FieldText, dict[Text, Text]] = Field(default_factory=dict, max_length=10)

    def value(self) -> FieldMap:
        """Give the domain's value."""
        if any(len(values) > VALUES_MAX for values in self.values.values()):
            fault = Fault("/values", f"At most {VALUES_MAX} values of a field.")
            raise Invalid("Too many values.", faults=[fault])
        return FieldMap(
            {plain(header): name for header, name in self.columns.items()},
            self.fixed,
            {name: {plain(v): c for v, c in given.items()} for name, given in self.values.items()},
        )


class MeaningBody(Body):
    """What one list's columns mean, in their order; null leaves a column out."""

    columns: list[FieldText | None] = Field(min_length=1, max_length=200)
    fixed: dict[FieldText, Text] = Field(default_factory=dict, max_length=50)
    values: dict[FieldText, dict[Text, Text]] = Field(default_factory=dict, max_length=10)


class ApplyBody(Body):
    """Which rows are applied: of these kinds, and of them these numbers alone.

    `consent`: that whoever is new was told what it is for, and agreed to take part.
    """

    consent: Literal[True]
    kinds: list[Applied] = Field(min_length=1, max_length=4)
    rows: list[Annotated[int, Field(strict=True, ge=1, lt=2**31)]] | None = Field(
        default=None, min_length=1, max_length=ROWS_CHOSEN_MAX
    )


class Sent(Body):
    """What a list is for; what it says comes as the body, or as the part `file` of a form."""

    programme_item_id: UUID
    partner_id: UUID
    side: Side = "local"
    name: Annotated[str, StringConstraints(max_length=120)] = ""
    validate_only: bool = False
    apply: list[Applied] = Field(default=["new"], max_length=4)
    consent: bool = False


async def _found(import_id: UUID, held: Held, who: Caller) -> asyncpg.Record:
    async with held.database.reading() as connection:
        found = await commands.existing(connection, import_id)
    require(who, "import.write", scope_of(found))
    return found


Found = Annotated[asyncpg.Record, Depends(_found)]


@router.post("/imports", status_code=202, openapi_extra={"requestBody": LIST})
async def send_list(  # what FastAPI hands in
    asked: Annotated[Sent, Query()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    idempotency_key: RequiredValue,
) -> Response:
    """Send a list as CSV, XLSX or NDJSON; a job checks and applies it.

    `validate_only` ends after the check; what is then chosen is applied by another call.
    """
    async with held.database.reading() as connection:
        place = await commands.existing_place(connection, asked.programme_item_id, asked.partner_id)
    scope = Scope(place["mission_id"], place["stop_id"], partner_id=asked.partner_id)
    require(who, "import.write", scope)
    if asked.side == "delegation" and who.role != "mission_staff":
        raise Forbidden("Only mission staff brings people of the delegation.")
    if not (asked.consent or asked.validate_only):
        fault = Fault("query/consent", "Say that these people were told and agreed to take part.")
        raise Invalid("Nobody is registered without having agreed.", faults=[fault])
    order = receiving.Order(
        item_id=asked.programme_item_id,
        partner_id=asked.partner_id,
        name=asked.name,
        side=asked.side,
        applies=() if asked.validate_only else tuple(Kind(kind) for kind in asked.apply),
    )
    async with uploaded(request) as upload:
        key = upload.key(who, request, idempotency_key)
        answer = await receiving.receive(held.database, order, upload.file, who, key, now)
    return answer.response()


@router.get("/imports")
async def list_lists(partner_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """List a partner's lists, the latest first; those of the caller's stops."""
    async with held.database.reading() as connection:
        await existing_partner(connection, partner_id)
        found = await store.of_partner(connection, partner_id, LISTS_MAX)
    seen = [row for row in found if commands.may_see(who, row)]
    if found and not seen:
        require(who, "import.write", scope_of(found[0]))
    return {"items": [_content(row) for row in seen]}


@router.get("/imports/{import_id}")
async def read_list(found: Found, held: Held) -> dict[str, Any]:
    """Read how far a list is: its rows by kind and by outcome.

    `unknown_sectors` are values that the mission has no sector for, with what is probably meant;
    the first of these is where `is_clear`.
    """
    async with held.database.reading() as connection:
        counts = await rows.counts(connection, found["id"])
        unknown = await commands.unknown_sectors(connection, found, UNKNOWN_MAX)
    done, _ = commands.through(found, counts)
    told = [asdict(one) for one in unknown]
    return _content(found) | {"through": done, "counts": counts, "unknown_sectors": told}


@router.put("/imports/{import_id}/map", status_code=202)
async def say_what_columns_mean(
    found: Found, body: MeaningBody, held: Held, now: Now
) -> dict[str, Any]:
    """Say what columns and values mean, for this list and later ones."""
    meaning = MapBody(fixed=body.fixed, values=body.values).value()
    await commands.mean(held.database, found["id"], body.columns, meaning, now)
    return {"id": found["id"], "state": "checking"}


@router.post("/imports/{import_id}/check", status_code=202)
async def check_again(found: Found, held: Held) -> dict[str, Any]:
    """Check a list again, beside what is on file by now."""
    await commands.check_again(held.database, found["id"])
    return {"id": found["id"], "state": "checking"}


@router.post("/imports/{import_id}/apply", status_code=202)
async def apply_list(
    found: Found, body: ApplyBody, held: Held, who: Caller, key: RequiredKey, now: Now
) -> Response:
    """Apply the chosen rows of a list that is checked."""
    choice = Choice([Kind(kind) for kind in body.kinds], body.rows)
    return (await commands.apply(held.database, found["id"], choice, who, key, now)).response()


@router.post("/imports/{import_id}/cancel")
async def cancel_list(found: Found, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Stop a list; what was applied stays."""
    await commands.cancel(held.database, found["id"], who, now)
    return {"id": found["id"], "state": "cancelled"}


@router.get("/partners/{partner_id}/import-map")
async def read_map(partner_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read what a partner's columns and values mean."""
    async with held.database.reading() as connection:
        await commands.require_partner(connection, who, partner_id)
        return (await store.map_of(connection, partner_id)).content()


@router.put("/partners/{partner_id}/import-map")
async def write_map(
    partner_id: UUID, body: MapBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Say what a partner's columns and values mean."""
    meaning = body.value()
    await commands.keep_map(held.database, partner_id, meaning, who, now)
    return meaning.content()


def _content(row: asyncpg.Record) -> dict[str, Any]:
    names = (
        *("id", "programme_item_id", "partner_id", "side", "name", "kind", "about", "state"),
        *("headers", "fixed", "total", "started_at", "checked_at", "finished_at"),
    )
    content: dict[str, Any] = {name: row[name] for name in names}
    columns: list[str | None] = [name or None for name in row["placed"]]
    when: datetime | None = row["emptied_at"]
    return content | {"columns": columns, "emptied_at": when, "kinds": list(APPLICABLE)}
