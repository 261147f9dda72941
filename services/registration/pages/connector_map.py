"""The map of a connector: which product is which programme item, which field becomes what."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands.connectors import connecting, finding, managing
from services.registration.connector_bodies import ConnectorChange
from services.registration.connector_views import shown
from services.registration.connectors.kinds import KINDS
from services.registration.domain.connecting import ANSWER, NEEDED, Target, Vocabulary
from services.registration.pages import form
from services.registration.pages.connectors import Found, path_of
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import missions
from shared.errors import Conflict, Invalid, Stale
from shared.http import Caller, Now

EMPTY = Vocabulary([], [])

router = APIRouter(
    include_in_schema=False, prefix="/partner/{partner_id}/connectors/{connector_id}/map"
)


@router.get("")
async def show(found: Found, request: Request, held: Held) -> Response:
    """Show the map beside what the system has."""
    return await _page(request, held, found, found["field_map"])


@router.post("")
async def save(found: Found, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Save the map; all of it is read anew."""
    sent = await form.given(request)
    mapped = _read(sent)
    try:
        revision = int(str(sent.get("revision", "")) or 0)
        body = ConnectorChange.model_validate(
            {
                "field_map": mapped,
                "pushes": [str(one) for one in sent.getlist("pushes")],
                "token": str(sent.get("token", "")).strip() or None,
            }
        )
        await managing.change(
            held.database, held.tokens, found["id"], body.changes(), revision, who=who, now=now
        )
    except (ValidationError, ValueError, Invalid, Stale) as error:
        return await _page(request, held, found, mapped, error)
    return RedirectResponse(path_of(found, "?done=mapped"), 303)


def _read(sent: FormData) -> dict[str, Any]:
    """Read the rows of the form: `item.<product>`, `field.<target>`, `fixed.<target>`, values."""
    mapped: dict[str, Any] = {"items": {}, "fields": {}, "fixed": {}, "values": {}}
    for name, given in sent.multi_items():
        part, _, key = name.partition(".")
        text = str(given).strip()
        if text and part in ("item", "field", "fixed"):
            mapped[{"item": "items", "field": "fields", "fixed": "fixed"}[part]][key] = text
    theirs = [str(one) for one in sent.getlist("theirs")]
    ours = [str(one) for one in sent.getlist("ours")]
    values = {a.strip(): b for a, b in zip(theirs, ours, strict=False) if a.strip() and b}
    if values:
        mapped["values"] = {Target.SECTORS: values}
    return mapped


async def _page(
    request: Request,
    held: Resources,
    found: asyncpg.Record,
    mapped: Mapping[str, Any],
    error: Exception | None = None,
) -> Response:
    async with held.database.reading() as connection:
        partner = await finding.existing_partner(connection, found["partner_id"])
        mission = await missions.mission(connection, found["mission_id"])
        stop = await missions.stop(connection, found["stop_id"])
        items = await missions.items_of(connection, found["mission_id"])
    asked = await held.forms.of_stop(held.database, found["stop_id"])
    try:
        vocabulary, away = await connecting.vocabulary(held.syncer, found), ""
    except Conflict as refusal:
        vocabulary, away = EMPTY, refusal.code
    faults = error.faults if isinstance(error, Invalid) else ()
    return pages.render(
        request,
        "connector_map.html",
        status=422 if error else 200,
        partner=partner,
        mission=mission,
        stop=stop,
        items=[item for item in items if item["stop_id"] == found["stop_id"]],
        connector=shown(held, found),
        kind=KINDS[found["kind"]],
        vocabulary=vocabulary,
        away=away,
        mapped={"items": {}, "fields": {}, "fixed": {}, "values": {}, **mapped},
        targets=list(Target),
        needed=set(NEEDED),
        questions=[(f"{ANSWER}{one.code}", one.label) for one in asked.questions],
        values=_values(vocabulary, mapped),
        wrong={fault.pointer.rpartition("/")[2] for fault in faults},
        is_wrong=error is not None,
        is_stale=isinstance(error, Stale),
        path=path_of(found),
    )


def _values(vocabulary: Vocabulary, mapped: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Give the words of theirs for sectors, each with ours, and some rows for more."""
    known: Mapping[str, str] = mapped.get("values", {}).get(Target.SECTORS, {})
    source = mapped.get("fields", {}).get(Target.SECTORS)
    options = next((one.options for one in vocabulary.fields if one.key == source), ())
    theirs = list(dict.fromkeys([*options, *known]))
    return [*((one, known.get(one, "")) for one in theirs), *([("", "")] * 3)]
