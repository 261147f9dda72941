"""The places of a stop: capacity, times and terms, and the seats that are kept for some."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError
from starlette.datastructures import FormData

from services.registration.commands import allotting
from services.registration.commands.missions import existing_item, existing_stop
from services.registration.pages import form
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import pages
from services.registration.place_bodies import AllotmentBody, ItemChange
from services.registration.resources import Held, Resources
from services.registration.seeing import counted_partner
from services.registration.store import missions as store
from shared.access import Principal, Scope, may, require
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.http import Caller, Now

UNITS = {"minutes": 60, "hours": 3600, "days": 24 * 3600}
DOOR = "door"

router = APIRouter(include_in_schema=False)


@router.get("/desk/stops/{stop_id}/places")
async def places(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show each item's places, and let mission staff change them."""
    return await _page(request, held, who, stop_id)


@router.post("/desk/stops/{stop_id}/places/{item_id}")
async def change(
    stop_id: UUID, item_id: UUID, request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """Change what somebody changed on the page; what was left as it stood is left to others."""
    item = await _item(held, who, stop_id, item_id)
    given = await form.given(request)
    try:
        body = ItemChange.model_validate(_changes(given, item["timezone"]))
        changes = body.model_dump(include=body.model_fields_set)
        if changes:
            await allotting.change_item(held.database, item_id, changes, who, now)
    except (ValidationError, Invalid, Conflict) as error:
        return await _page(request, held, who, stop_id, wrong={str(item_id): _why(error)})
    return _back(stop_id, item_id)


@router.post("/desk/stops/{stop_id}/places/{item_id}/seats/{owner}")
async def keep(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    item_id: UUID,
    owner: str,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Keep seats for a partner or the door, or free those that are not used."""
    item = await _item(held, who, stop_id, item_id)
    partner_id = _partner(owner)
    given = await form.given(request)
    try:
        if given.get("release"):
            await allotting.release_seats(held.database, item_id, partner_id, who, now)
        else:
            body = AllotmentBody.model_validate(
                {
                    "seats": _number(given, "seats"),
                    "releases_at": _moment(given, "releases_at", item["timezone"]),
                }
            )
            await allotting.keep_seats(
                held.database, item_id, partner_id, body.model_dump(), who, now
            )
    except (ValidationError, Invalid, Conflict) as error:
        return await _page(request, held, who, stop_id, wrong={str(item_id): _why(error)})
    return _back(stop_id, item_id)


def _back(stop_id: UUID, item_id: UUID) -> Response:
    return RedirectResponse(f"/desk/stops/{stop_id}/places?saved={item_id}#item-{item_id}", 303)


async def _page(
    request: Request,
    held: Resources,
    who: Principal,
    stop_id: UUID,
    wrong: Mapping[str, str] | None = None,
) -> Response:
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        scope = Scope(stop["mission_id"], stop_id)
        require(who, "board.read", scope)
        own = counted_partner(who, stop)
        items = [
            item
            for item in await store.items_of(connection, stop["mission_id"])
            if item["stop_id"] == stop_id
        ]
        told = [await allotting.places_of(connection, item, own) for item in items]
        roles = [
            role
            for role in await store.roles_of(connection, stop["mission_id"])
            if role["stop_id"] == stop_id and own in (None, role["partner_id"])
        ]
    return pages.render(
        request,
        "places.html",
        status=409 if wrong else 200,
        stop=stop,
        shown=[
            {"item": item, "places": one, "seats": _seats(one["allotments"], roles)}
            for item, one in zip(items, told, strict=True)
        ],
        wrong=wrong or {},
        saved=request.query_params.get("saved", ""),
        can_change=may(who, "mission.write", scope),
        own_partner=who.seen_partner,
        clock=lambda moment: _clock(moment, stop["timezone"]),
        span=span,
        units=list(UNITS),
        moment=on_day(request),
    )


def _seats(
    allotments: Sequence[Mapping[str, Any]], roles: Sequence[asyncpg.Record]
) -> list[dict[str, Any]]:
    """Give a line for the door and each partner of the stop, and for whoever else has seats."""
    found = {one["partner_id"]: one for one in allotments}
    names = {None: None} | {role["partner_id"]: role["name"] for role in roles}
    names |= {one["partner_id"]: one["name"] for one in allotments if one["partner_id"]}
    return [
        {"owner": str(partner_id or DOOR), "name": name, "kept": found.get(partner_id)}
        for partner_id, name in names.items()
    ]


def span(seconds: int | None) -> tuple[str, str]:
    """Give a duration as a number and the largest unit that it is whole in."""
    if not seconds:
        return "", "hours"
    unit = next(name for name in ("days", "hours", "minutes") if seconds % UNITS[name] == 0)
    return str(seconds // UNITS[unit]), unit


def _clock(moment: datetime | None, zone: str) -> str:
    """Write a moment as a field for the clock of the stop takes it."""
    return moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _changes(given: FormData, zone: str) -> dict[str, Any]:
    """Read the fields that differ from what the page showed."""
    read: dict[str, Callable[[], Any]] = {
        "capacity": lambda: _number(given, "capacity"),
        "requires_approval": lambda: given.get("requires_approval") == "yes",
        "opens_at": lambda: _moment(given, "opens_at", zone),
        "closes_at": lambda: _moment(given, "closes_at", zone),
        "hold_seconds": lambda: _seconds(given, "hold"),
        "offer_seconds": lambda: _seconds(given, "offer"),
    }
    return {name: value() for name, value in read.items() if _is_changed(given, name)}


def _is_changed(given: FormData, name: str) -> bool:
    parts = {"hold_seconds": ("hold", "hold_unit"), "offer_seconds": ("offer", "offer_unit")}
    return any(
        _text(given, part) != _text(given, f"was_{part}") for part in parts.get(name, (name,))
    )


def _text(given: FormData, name: str) -> str:
    return str(given.get(name, "")).strip()


def _number(given: FormData, name: str) -> int:
    text = _text(given, name)
    if not (text.isascii() and text.isdigit() and len(text) <= 9):  # noqa: PLR2004
        raise Invalid("This is not a number.", faults=[Fault(f"/{name}", "Give a whole number.")])
    return int(text)


def _seconds(given: FormData, name: str) -> int | None:
    if not _text(given, name):
        return None
    unit = UNITS.get(_text(given, f"{name}_unit"))
    if unit is None:
        raise Invalid("The unit is unknown.", faults=[Fault(f"/{name}", "Choose a unit.")])
    return _number(given, name) * unit


def _moment(given: FormData, name: str, zone: str) -> datetime | None:
    text = _text(given, name)
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is not None:
        fault = Fault(f"/{name}", "Give a day and a time by the clock of the stop.")
        raise Invalid("This is not a time.", faults=[fault])
    # A time that daylight saving leaves out is read as the one that takes its place.
    return (at.replace(tzinfo=ZoneInfo(zone)) + timedelta()).astimezone(ZoneInfo("UTC"))


def _why(error: ValidationError | Invalid | Conflict) -> str:
    """Name the words that say what is wrong."""
    if isinstance(error, Conflict):
        return error.code
    faults = form.faults_of(error) if isinstance(error, ValidationError) else error.faults
    names = [fault.pointer.strip("/").partition("/")[0] for fault in faults]
    return next((name for name in names if f"places_wrong_{name}" in pages.words), "other")


def _partner(owner: str) -> UUID | None:
    if owner == DOOR:
        return None
    try:
        return UUID(owner)
    except ValueError:
        raise NotFound("There is no such partner.") from None


async def _item(held: Resources, who: Principal, stop_id: UUID, item_id: UUID) -> Mapping[str, Any]:
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        item = await existing_item(connection, item_id)
    if item["stop_id"] != stop_id:
        raise NotFound("There is no such programme item at this stop.")
    require(who, "mission.write", Scope(stop["mission_id"], stop_id))
    return {**item, "timezone": stop["timezone"]}
