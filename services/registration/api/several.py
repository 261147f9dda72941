"""Several at once: groups that come together, and the lists of partners' systems."""

import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from services.registration.answers import GroupRegistered
from services.registration.api.registrations import may_bring
from services.registration.bodies import (
    ANSWERS_MAX,
    LISTINGS_MAX,
    Code,
    ListingBody,
    OrganizationBody,
    PersonBody,
    RegistrationBody,
)
from services.registration.commands.missions import existing_item
from services.registration.commands.questions import answered
from services.registration.commands.seating import refused
from services.registration.domain.people import SignUp, Source
from services.registration.front import Knocking, Registered
from services.registration.resources import Held, Resources
from shared.access import Principal
from shared.erased import refuse_erased
from shared.errors import Fault, Invalid, Refusal, Unauthenticated
from shared.events.base import Side
from shared.express import Call, Express, Reply
from shared.http import Body, Caller, Now, Visitor, signed_in, visitor_of
from shared.http import now as current_time
from shared.idempotency import Key, RequiredKey, key_of_call
from shared.ids import read_id
from shared.problems import pointer

GROUP_MAX = 50
LIST_MAX = 500
ROW_DEPTH = 3

router = APIRouter(prefix="/api/v1", tags=["registration"])


class GroupBody(Body):
    """People of one company who come together, or not at all."""

    side: Side
    source: Source = "self"
    partner_id: UUID | None = None
    consent: Literal[True]
    consents: list[Code] = Field(default_factory=list, max_length=20)
    organization: OrganizationBody
    people: Annotated[list[PersonBody], Field(min_length=2, max_length=GROUP_MAX)]
    listings: list[ListingBody] = Field(default_factory=list, max_length=LISTINGS_MAX)
    answers: dict[Code, Any] = Field(default_factory=dict, max_length=ANSWERS_MAX)

    def values(self) -> list[SignUp]:
        """Give the domain's value of each person."""
        shared = {name: getattr(self, name) for name in type(self).model_fields if name != "people"}
        return [
            RegistrationBody.model_construct(**shared, person=person).value()
            for person in self.people
        ]


class ListBody(Body):
    """Registrations to one item, each judged by itself."""

    registrations: Annotated[list[RegistrationBody], Field(min_length=1, max_length=LIST_MAX)]


@router.post("/programme-items/{item_id}/groups", status_code=201, response_model=GroupRegistered)
async def add_group(
    item_id: UUID,
    body: GroupBody,
    who: Visitor,
    key: RequiredKey,
    now: Now,
    knock: Knocking,
) -> Response:
    """Register people of one company together: a place each, or all wait together."""
    held = knock.held
    await knock.on_item(item_id, body, who, key, now)
    is_public = body.side == "local" and body.source == "self" and body.partner_id is None
    if not is_public:
        if who is None:
            raise Unauthenticated("Only local participants register by themselves; sign in first.")
        await _require(held, who, item_id, [body])
    sign_ups = [
        await answered(held.forms, held.database, item_id, sign_up) for sign_up in body.values()
    ]
    answer = await held.rush.register_group(item_id, sign_ups, key, now)
    return answer.response()


@router.post("/programme-items/{item_id}/registrations/bulk")
async def add_list(
    item_id: UUID, body: ListBody, held: Held, who: Caller, key: RequiredKey, now: Now
) -> Response:
    """Register up to 500 people, each by itself; `results` tells what became of each, in order.

    A row that is wrong is answered as a request of its own would be, and the others go on.
    """
    rows: list[RegistrationBody | dict[str, Any]] = list(body.registrations)
    return JSONResponse(await _add_list(held, item_id, rows, who, key, now))


async def _add_list(
    held: Resources,
    item_id: UUID,
    rows: Sequence[RegistrationBody | dict[str, Any]],
    who: Principal,
    key: Key,
    now: Now,
) -> dict[str, Any]:
    bodies = [row for row in rows if isinstance(row, RegistrationBody)]
    await _require(held, who, item_id, bodies)
    sign_ups: list[SignUp] = []
    results: list[dict[str, Any] | None] = []
    for row in rows:
        if isinstance(row, dict):
            results.append(row)
            continue
        try:
            sign_ups.append(await answered(held.forms, held.database, item_id, row.value()))
            results.append(None)
        except Refusal as refusal:
            results.append(refused(refusal))
    registered = iter(())
    if sign_ups:
        answer = await held.rush.register_list(item_id, sign_ups, key, now)
        registered = iter(answer.content["results"])
    return {"results": [result or next(registered) for result in results]}


async def _add_list_at_once(call: Call, item_id: str) -> Reply:
    """Do the same in the express lane, where a wrong row does not spoil the others."""
    who = signed_in(await visitor_of(call.request))
    key = key_of_call(call, who)
    rows = _rows(call)
    held: Resources = call.state.registration
    return Reply(200, await _add_list(held, read_id(item_id), rows, who, key, current_time()), {})


_ROW = TypeAdapter(RegistrationBody)


def _rows(call: Call) -> Sequence[RegistrationBody | dict[str, Any]]:
    """Read the rows; one that is wrong becomes its own result.

    Raises `RequestValidationError` when the whole is wrong.
    """
    try:
        return call.read(ListBody).registrations
    except RequestValidationError as error:
        places = [fault["loc"] for fault in error.errors()]
        if not all(
            place[1:2] == ("registrations",) and len(place) >= ROW_DEPTH for place in places
        ):
            raise
    return [_row(row) for row in from_json(call.body)["registrations"]]


def _row(given: object) -> RegistrationBody | dict[str, Any]:
    try:
        return _ROW.validate_python(given)
    except ValidationError as error:
        faults = [Fault(pointer(("body", *f["loc"])), f["msg"]) for f in error.errors()]
        return refused(Invalid("Some fields are missing or wrong.", faults=faults))


async def _require(
    held: Resources, who: Principal, item_id: UUID, brought: Iterable[Registered]
) -> None:
    async with held.database.reading() as connection:
        # The express lane passes by where that is looked at.
        await refuse_erased(connection, who)
        item = await existing_item(connection, item_id)
    # One of each kind says it of all.
    for body in {(one.side, one.source, one.partner_id): one for one in brought}.values():
        may_bring(who, item, body)


EXPRESS = [
    Express(
        "POST",
        re.compile(
            r"/api/v1/programme-items/(?P<item_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
            r"/registrations/bulk"
        ),
        _add_list_at_once,
    )
]
