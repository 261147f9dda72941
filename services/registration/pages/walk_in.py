"""Walk-in: door staff registers somebody who stands before them, and lets them in at once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5

import asyncpg
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData

from services.registration.bodies import Address, Name
from services.registration.commands import deciding
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.commands.privacy import texts
from services.registration.domain.consents import ConsentText
from services.registration.domain.people import WITHOUT_ADDRESS, Organization, Person, SignUp
from services.registration.domain.places import Status
from services.registration.pages import form
from services.registration.pages.naming import naming
from services.registration.pages.rendering import pages
from services.registration.resources import Held, Resources
from services.registration.store import audit, registrations
from services.registration.store import missions as store
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.http import Caller, Now
from shared.web.pages import language_of

LENGTH_MAX = 200
FIELDS = ("name", "other_name", "company", "email", "item", "language", "sector", "key")
SEVERAL = ("languages", "consents")
MARKS = {"/person/email": "email", "/organization/sectors": "sector", "/consents": "consent"}
_HAN = re.compile(r"[\u3400-\u9fff]")
_ADDRESS: TypeAdapter[str] = TypeAdapter(Address)
_NAME: TypeAdapter[str] = TypeAdapter(Name)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Place:
    """The stop at whose door somebody stands."""

    mission: asyncpg.Record
    stop: asyncpg.Record
    items: Sequence[asyncpg.Record]
    door: Mapping[UUID, int]
    """How many seats are kept for walk-ins and free, by item."""
    texts: Sequence[ConsentText]


@router.get("/desk/stops/{stop_id}/walk-in")
async def walk_in(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    name: Annotated[str, Query(max_length=LENGTH_MAX)] = "",
    item: UUID | None = None,
    done: UUID | None = None,
) -> Response:
    """Show the short form, and what became of the one before."""
    place = await _place(held, who, stop_id)
    given: dict[str, Any] = dict.fromkeys(FIELDS, "") | {one: [] for one in SEVERAL}
    given |= {"name": name, "key": uuid4().hex, "language": language_of(request)}
    given |= {"item": str(item or _next(place.items, now) or ""), "consent": False}
    return await _page(request, held, place, given, done=done)


@router.post("/desk/stops/{stop_id}/walk-in")
async def register(stop_id: UUID, request: Request, held: Held, who: Caller, now: Now) -> Response:
    """Register somebody and check them in, or say that they have to wait."""
    place = await _place(held, who, stop_id)
    sent = await form.given(request)
    given = _given(sent)
    try:
        item_id, sign_up = _read(given, place)
        key = form.key(sent, item_id)
        answer = (await held.rush.register(item_id, sign_up, key, now)).content
    except Invalid as error:
        wrong = {_mark(fault.pointer) for fault in error.faults}
        return await _page(request, held, place, given, wrong=wrong)
    except Conflict as conflict:
        return await _page(request, held, place, given, refused=conflict.code)
    # The answer to a form that is sent again may be older than what happened since.
    registration_id = UUID(answer["id"])
    async with held.database.reading() as connection:
        found = await deciding.existing(connection, registration_id)
    if found["status"] == Status.CONFIRMED:
        await deciding.check_in(held.database, registration_id, who, now)
    path = f"/desk/stops/{stop_id}/walk-in?done={registration_id}&item={item_id}"
    return RedirectResponse(path, 303)


async def _place(held: Resources, who: Principal, stop_id: UUID) -> Place:
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        require(who, "check_in", Scope(stop["mission_id"], stop_id))
        mission = await existing_mission(connection, stop["mission_id"])
        items = await store.items_of(connection, mission["id"])
        own = [item for item in items if item["stop_id"] == stop_id]
        return Place(
            mission=mission,
            stop=stop,
            items=own,
            door=await store.free_at_the_door(connection, stop_id),
            texts=await texts(connection, mission["id"]),
        )


def _next(items: Sequence[asyncpg.Record], now: datetime) -> UUID | None:
    """Choose what goes on or comes next; when all is over, nothing."""
    return next((item["id"] for item in items if item["ends_at"] > now), None)


def _given(sent: FormData) -> dict[str, Any]:
    values: dict[str, Any] = {name: str(sent.get(name, "")).strip() for name in FIELDS}
    values |= {name: [str(value) for value in sent.getlist(name)] for name in SEVERAL}
    return values | {"consent": sent.get("consent") == "yes"}


def _read(given: Mapping[str, Any], place: Place) -> tuple[UUID, SignUp]:
    """Read the form; raises `Invalid` and names every field."""
    wrong = [name for name in ("name", "company") if not _is_name(given[name])]
    if given["other_name"] and not _is_name(given["other_name"]):
        wrong.append("other_name")
    item_id = next((item["id"] for item in place.items if str(item["id"]) == given["item"]), None)
    if item_id is None:
        wrong.append("item")
    spoken = tuple(code for code in ("zh", "en") if code in given["languages"])
    if not spoken:
        wrong.append("languages")
    if not given["consent"]:
        wrong.append("consent")
    email = (
        given["email"] or WITHOUT_ADDRESS + uuid5(NAMESPACE_OID, given["key"] or uuid4().hex).hex
    )
    if given["email"]:
        try:
            email = _ADDRESS.validate_python(given["email"])
        except ValidationError:
            wrong.append("email")
    if item_id is None or wrong:
        raise Invalid(
            "Some fields are missing or wrong.",
            faults=[Fault(f"/{name}", "This is missing or wrong.") for name in wrong],
        )
    name, other = given["name"], given["other_name"]
    # As it is written: characters are the native form, and letters the one for everybody.
    native = next((text for text in (name, other) if _HAN.search(text)), None)
    latin = next((text for text in (name, other) if text and not _HAN.search(text)), None)
    is_native = bool(_HAN.search(given["company"]))
    return item_id, SignUp(
        side="local",
        source="walk_in",
        partner_id=None,
        organization=Organization(
            name=given["company"],
            native_name=given["company"] if is_native else None,
            country=place.mission["host_country"],
            registration_number=None,
            sectors=(given["sector"],) if given["sector"] else (),
            size=None,
        ),
        person=Person(
            full_name=latin or name,
            native_name=native,
            latin_name=None,
            email=email,
            language="zh" if given["language"] == "zh" else "en",
            languages=spoken,
            position=None,
        ),
        listings=(),
        consents=tuple(dict.fromkeys(given["consents"])),
    )


def _is_name(text: str) -> bool:
    try:
        _NAME.validate_python(text)
    except ValidationError:
        return False
    return True


def _mark(pointer: str) -> str:
    found = next((MARKS[start] for start in MARKS if pointer.startswith(start)), None)
    return found or pointer.strip("/").partition("/")[0]


async def _page(  # noqa: PLR0913  # a page and what was wrong with it
    request: Request,
    held: Resources,
    place: Place,
    given: Mapping[str, Any],
    *,
    wrong: set[str] | None = None,
    refused: str = "",
    done: UUID | None = None,
) -> Response:
    async with held.database.reading() as connection:
        found = await audit.registration(connection, done) if done else None
        if found is not None and found["stop_id"] != place.stop["id"]:
            raise NotFound("There is no such registration at this stop.")
        position = 0
        if found is not None and found["status"] == Status.WAITLISTED:
            position = await registrations.position(connection, found["id"])
    return pages.render(
        request,
        "walk_in.html",
        status=422 if wrong else 409 if refused else 200,
        stop=place.stop,
        mission=place.mission,
        items=[
            {**item, "free": _free(item, place.door.get(item["id"], 0))} for item in place.items
        ],
        texts=place.texts,
        given=given,
        wrong=wrong or set(),
        refused=refused,
        done=found,
        position=position,
        **naming(request),
    )


def _free(item: asyncpg.Record, at_the_door: int) -> int:
    """Count the places that somebody who comes now can have: who waits goes first."""
    to_all = item["capacity"] - item["taken"] - item["reserved"]
    return at_the_door + (0 if item["waiting"] else max(to_all, 0))
