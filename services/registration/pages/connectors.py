"""Connectors of a partner: connect a system, see how it goes, decide about conflicts, end it."""

from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import APIRouter, Depends, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands.connectors import connecting, finding, managing
from services.registration.connector_bodies import ConnectorBody
from services.registration.connector_views import listed, managed, ordered, shown, stops_managed
from services.registration.connectors.kinds import KINDS
from services.registration.pages import form
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import connector_links as links
from services.registration.store import missions
from shared.access import Principal
from shared.errors import Invalid, Malformed, NotFound
from shared.http import Caller, Now
from shared.idempotency import key_of
from shared.web.pages import language_of

CONFLICTS_SHOWN = 50

router = APIRouter(include_in_schema=False, prefix="/partner/{partner_id}/connectors")


async def found_connector(
    partner_id: UUID, connector_id: UUID, held: Held, who: Caller
) -> asyncpg.Record:
    """Read the connector of the path; raises `NotFound` and `Forbidden`."""
    connector = await managed(held, who, connector_id)
    if connector["partner_id"] != partner_id:
        raise NotFound("There is no such connector.")
    return connector


Found = Annotated[asyncpg.Record, Depends(found_connector)]


def path_of(connector: asyncpg.Record, more: str = "") -> str:
    """Give the address of a connector's page."""
    return f"/partner/{connector['partner_id']}/connectors/{connector['id']}{more}"


@router.get("")
async def overview(partner_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """List a partner's connectors, and connect another system."""
    return await _overview(request, held, who, partner_id)


@router.post("")
async def connect(
    partner_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Connect a system, and go on with its map."""
    theirs = await stops_managed(held, who, partner_id)
    sent = await form.given(request)
    try:
        body = _body(sent)
        key = key_of(who, "POST", request.url.path, str(sent.get("key", "")), b"")
        new = ordered(who, theirs, body)
        answer = await connecting.connect(
            held.database, held.syncer, held.tokens, new, who, key=key, now=now
        )
    except (ValidationError, Invalid) as error:
        return await _overview(request, held, who, partner_id, sent, error)
    return RedirectResponse(f"/partner/{partner_id}/connectors/{answer.content['id']}/map", 303)


def _body(sent: FormData) -> ConnectorBody:
    """Read the form of one kind; numbers stay text where they are none, and are refused as such."""
    kind = KINDS.get(str(sent.get("kind", "")))
    if kind is None:
        raise Malformed("There is no such kind of system.")
    place = {name: str(sent.get(name, "")).strip() or None for name in kind.place.model_fields}
    return ConnectorBody.model_validate(
        {
            "kind": kind.name,
            "stop_id": sent.get("stop_id"),
            "place": place,
            "token": str(sent.get("token", "")).strip(),
            "pushes": [str(one) for one in sent.getlist("pushes")],
        }
    )


async def _overview(  # a page and what was wrong with it
    request: Request,
    held: Resources,
    who: Principal,
    partner_id: UUID,
    given: FormData | None = None,
    error: ValidationError | Invalid | None = None,
) -> Response:
    partner, stops = await stops_managed(held, who, partner_id)
    rows = await listed(held, who, partner_id)
    faults = form.faults_of(error) if isinstance(error, ValidationError) else []
    faults = [*faults, *(error.faults if isinstance(error, Invalid) else ())]
    code = error.code if isinstance(error, Invalid) else "invalid"
    return pages.render(
        request,
        "connectors.html",
        status=422 if error else 200,
        partner=partner,
        stops=stops,
        zones={stop["id"]: stop for stop in stops},
        connectors=[shown(held, row) for row in rows],
        kinds=[
            {
                "name": kind.name,
                "fields": list(kind.place.model_fields),
                "pushes": sorted(kind.pushes, reverse=True),
            }
            for kind in KINDS.values()
        ],
        given=given or {},
        wrong={fault.pointer.rpartition("/")[2] for fault in faults},
        code=code if error else "",
        key=uuid4().hex,
        moment=on_day(request),
    )


@router.get("/{connector_id}")
async def one(found: Found, request: Request, held: Held) -> Response:
    """Show how a connector goes, and where it and we differ."""
    async with held.database.reading() as connection:
        partner = await finding.existing_partner(connection, found["partner_id"])
        stop = await missions.stop(connection, found["stop_id"])
        conflicts = await links.conflicts(connection, found["id"], "", CONFLICTS_SHOWN)
    language = language_of(request)
    return pages.render(
        request,
        "connector.html",
        partner=partner,
        stop=stop,
        connector=shown(held, found),
        conflicts=[{**row, "fields": _fields(row, language)} for row in conflicts],
        path=path_of(found),
        done=request.query_params.get("done", ""),
        moment=on_day(request),
    )


def _fields(row: asyncpg.Record, language: str) -> list[str]:
    """Name the fields of a conflict in words."""
    # /organization/sectors/0, /person/email, /answers/code: the second part has the name.
    names = dict.fromkeys(
        (pointer + "/").split("/")[2] or pointer.strip("/") for pointer in row["conflict_fields"]
    )
    keys = ((f"connector_field_{name}", name) for name in names)
    return [pages.text(key, language) if key in pages.words else name for key, name in keys]


@router.post("/{connector_id}/do")
async def do(found: Found, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Look now, pause, resume, or end it."""
    what = str((await form.given(request)).get("what", ""))
    match what:
        case "sync":
            await managing.sync_now(held.database, found["id"], now)
        case "pause":
            await managing.pause(held.database, found["id"], who, now)
        case "resume":
            await managing.resume(held.database, found["id"], who, now)
        case "disconnect":
            await managing.disconnect(held.database, found["id"], who, now)
            return RedirectResponse(f"/partner/{found['partner_id']}/connectors", 303)
        case _:
            raise Malformed("There is nothing of this name to do.")
    return RedirectResponse(path_of(found, f"?done={what}"), 303)


@router.post("/{connector_id}/conflicts")
async def decide(found: Found, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Decide about one conflict; what is decided already is left at that."""
    sent = await form.given(request)
    decision: Any = str(sent.get("decision", ""))
    if decision not in ("take_theirs", "keep_ours", "try_again"):
        raise Malformed("There is no such decision.")
    with suppress(NotFound):
        await managing.resolve(
            held.database, found["id"], str(sent.get("remote_id", "")), decision, who=who, now=now
        )
    return RedirectResponse(path_of(found, "?done=decided"), 303)
