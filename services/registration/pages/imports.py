"""Lists of partners, step by step: send, say what columns mean, look, apply, see what became."""

import io
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from services.registration.commands.imports import lists as commands
from services.registration.commands.imports import receiving
from services.registration.commands.imports.lists import Choice, scope_of
from services.registration.domain.imports.comparing import APPLICABLE, Kind
from services.registration.domain.imports.mapping import FieldMap
from services.registration.domain.imports.synonyms import plain
from services.registration.pages import import_views as views
from services.registration.resources import Held, Resources
from services.registration.store.imports import lists as store
from services.registration.uploads import NAME_LENGTH_MAX, digest_of, named
from shared.access import Principal, Scope, may, require
from shared.errors import Conflict, Forbidden, Invalid, Malformed, NotFound, Refusal
from shared.http import Caller, Now
from shared.idempotency import Key, key_of

LISTS_MAX = 50
PART_BYTES_MAX = 8 * 1024 * 1024
ROWS_CHOSEN_MAX = 5_000

router = APIRouter(include_in_schema=False, prefix="/partner/{partner_id}/imports")


async def _found(partner_id: UUID, import_id: UUID, held: Held, who: Caller) -> asyncpg.Record:
    async with held.database.reading() as connection:
        found = await commands.existing(connection, import_id)
    if found["partner_id"] != partner_id:
        raise NotFound("There is no such list.")
    require(who, "import.write", scope_of(found))
    return found


Found = Annotated[asyncpg.Record, Depends(_found)]


@router.get("")
async def overview(partner_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a partner's lists, and take the next one."""
    return await _overview(request, held, who, partner_id)


@router.post("")
async def send(partner_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Take a list in; its columns are shown next."""
    async with held.database.reading() as connection:
        await commands.require_partner(connection, who, partner_id)
    try:
        async with request.form(max_files=1, max_fields=20, max_part_size=PART_BYTES_MAX) as form:
            asked = {name: str(form.get(name, "")) for name in ("item", "side", "pasted")}
            try:
                answer = await _received(request, form, partner_id, held, who, now)
            except Invalid as refusal:
                return await _overview(request, held, who, partner_id, refusal, asked)
    except HTTPException as error:
        if not _is_too_large(error):
            raise
        wrong = Invalid("This is too large.", code="too_large")
        return await _overview(request, held, who, partner_id, wrong)
    return RedirectResponse(f"{_path(partner_id)}/{answer['id']}", 303)


async def _received(  # what a list is made of
    request: Request, form: FormData, partner_id: UUID, held: Resources, who: Principal, now: Any
) -> Mapping[str, Any]:
    part, pasted = form.get("file"), str(form.get("pasted", ""))
    if isinstance(part, UploadFile) and part.size:
        file, name = part.file, named(part.filename or "")
    elif pasted.strip():
        file, name = io.BytesIO(pasted.encode("utf-8", "surrogatepass")), ""
    else:
        is_empty = isinstance(part, UploadFile) and part.filename
        raise Invalid("There is no list.", code="empty" if is_empty else "no_file")
    item_id = _id(form, "item")
    async with held.database.reading() as connection:
        place = await commands.existing_place(connection, item_id, partner_id)
    require(
        who,
        "import.write",
        Scope(place["mission_id"], place["stop_id"], partner_id=partner_id),
    )
    is_delegation = form.get("side") == "delegation"
    if is_delegation and who.role != "mission_staff":
        raise Forbidden("Only mission staff brings people of the delegation.")
    order = receiving.Order(
        item_id=item_id,
        partner_id=partner_id,
        name=name[:NAME_LENGTH_MAX],
        side="delegation" if is_delegation else "local",
        asks_first=True,
    )
    digest = digest_of(file) + item_id.bytes
    key = key_of(who, "POST", request.url.path, str(_id(form, "key")), digest)
    answer = await receiving.receive(held.database, order, file, who, key, now)
    return answer.content


@router.get("/{import_id}")
async def one(  # what a page is of
    found: Found,
    request: Request,
    held: Held,
    kind: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    step: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Show a list as far as it is."""
    if found["state"] == "columns" or (step == "columns" and found["state"] == "checked"):
        return await views.columns(request, held, found)
    if found["state"] in ("checking", "applying"):
        return await views.running(request, held, found)
    return await views.checked(request, held, found, views.Part(kind, after))


@router.post("/{import_id}/columns")
async def say_columns(found: Found, request: Request, held: Held, now: Now) -> Response:
    """Say what the columns mean; the rows are checked next."""
    async with request.form(max_fields=500) as form:
        chosen = [str(form.get(f"column-{n}", "")) or None for n in range(len(found["headers"]))]
        fixed = {
            name: str(form.get(f"fixed-{name}"))
            for name in views.FIXED
            if form.get(f"fixed-{name}")
        }
    try:
        await commands.mean(held.database, found["id"], chosen, FieldMap({}, fixed), now)
    except Invalid as refusal:
        return await views.columns(request, held, found, chosen=chosen, fixed=fixed, wrong=refusal)
    return _back(found)


@router.post("/{import_id}/values")
async def say_values(found: Found, request: Request, held: Held, now: Now) -> Response:
    """Say which sectors are meant; all rows are checked again."""
    async with request.form(max_fields=500) as form:
        meant = {
            plain(str(form.get(f"value-{n}", ""))): str(form.get(f"sector-{n}"))
            for n in range(views.VALUES_SHOWN_MAX)
            if form.get(f"sector-{n}")
        }
    columns = [name or None for name in found["placed"]]
    meaning = FieldMap({}, found["fixed"], {"sectors": meant})
    await commands.mean(held.database, found["id"], columns, meaning, now)
    return _back(found)


@router.post("/{import_id}/apply")
async def apply(found: Found, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Apply what was chosen: whole kinds, or rows of one."""
    async with request.form(max_fields=ROWS_CHOSEN_MAX) as form:
        kinds = [Kind(str(kind)) for kind in form.getlist("kind") if kind in APPLICABLE]
        numbers = [int(str(row)) for row in form.getlist("row") if str(row).isdecimal()]
        key = Key(f"{who.subject} {request.url.path}", str(_id(form, "key")), b"", is_patient=True)
        has_consent, is_of_rows = bool(form.get("consent")), bool(form.get("rows"))
    part = views.Part(kinds[0] if is_of_rows and kinds else "", 0)
    try:
        has_consent |= not any(views.needs_consent(kind) for kind in kinds)
        _require(has_consent=has_consent, has_chosen=bool(kinds and (numbers or not is_of_rows)))
        choice = Choice(kinds, numbers if is_of_rows else None)
        await commands.apply(held.database, found["id"], choice, who, key, now)
    except (Invalid, Conflict) as refusal:
        return await views.checked(request, held, found, part, wrong=refusal)
    return _back(found)


@router.post("/{import_id}/check")
async def check_again(found: Found, held: Held) -> Response:
    """Compare once more with what is on file."""
    await commands.check_again(held.database, found["id"])
    return _back(found)


@router.post("/{import_id}/cancel")
async def cancel(found: Found, held: Held, who: Caller, now: Now) -> Response:
    """Stop a list."""
    await commands.cancel(held.database, found["id"], who, now)
    return _back(found)


async def _overview(
    request: Request,
    held: Resources,
    who: Principal,
    partner_id: UUID,
    wrong: Refusal | None = None,
    asked: Mapping[str, str] | None = None,
) -> Response:
    async with held.database.reading() as connection:
        partner = await commands.require_partner(connection, who, partner_id)
        found = await store.of_partner(connection, partner_id, LISTS_MAX)
        items = [
            item
            for item in await views.items_of(connection, partner)
            if may(
                who,
                "import.write",
                Scope(partner["mission_id"], item["stop_id"], partner_id=partner_id),
            )
        ]
    seen = [row for row in found if commands.may_see(who, row)]
    shown = {"partner": partner, "lists": seen, "items": items, "key": uuid4()}
    # What was chosen and pasted stays; a file has to be chosen again.
    shown["asked"] = {"item": "", "side": "", "pasted": ""} | dict(asked or {})
    is_staff = who.role == "mission_staff"
    return views.overview(request, held, shown, is_staff=is_staff, wrong=wrong)


def _is_too_large(error: HTTPException) -> bool:
    """Say whether a form was refused for its size: as a whole, or for what is pasted in it."""
    is_whole = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return is_whole or "maximum size" in str(error.detail)


def _require(*, has_consent: bool, has_chosen: bool) -> None:
    if not has_consent:
        raise Invalid("Nobody is registered without having agreed.", code="consent")
    if not has_chosen:
        raise Conflict("Nothing is chosen.", code="nothing_chosen")


def _id(form: FormData, name: str) -> UUID:
    try:
        return UUID(str(form.get(name, "")))
    except ValueError:
        raise Malformed(f"The form lacks {name}.") from None


def _path(partner_id: UUID) -> str:
    return f"/partner/{partner_id}/imports"


def _back(found: asyncpg.Record) -> Response:
    return RedirectResponse(f"{_path(found['partner_id'])}/{found['id']}", 303)
