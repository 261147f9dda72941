"""What is sent from the page of rules: it leads back there, with what is wrong in its place."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.commands import ruling
from services.matching.pages.hours import Hours
from services.matching.pages.rules import Wanted, Way, Wrong, page, require_stop
from services.matching.resources import Held
from services.matching.rule_bodies import (
    TIMES_MAX,
    WAYS_MAX,
    AvailabilityBody,
    PrecedenceBody,
    RestBody,
    WaysBody,
)
from services.matching.store import rules as store
from shared.errors import Invalid, NotFound, Stale
from shared.http import Caller
from shared.problems import pointer
from shared.web.numbers import number

TEXT_LENGTH_MAX = 80

Text = Annotated[str, Form(max_length=TEXT_LENGTH_MAX)]
Revision = Annotated[int, Form()]
Texts = Annotated[list[str], Form(max_length=WAYS_MAX)]

router = APIRouter(include_in_schema=False)


@router.post("/stops/{stop_id}/matching/rules/ways")
async def set_ways(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    one: Texts,
    other: Texts,
    minutes: Texts,
    revision: Revision,
) -> Response:
    """Say how long the ways between venues take; without minutes there is no way to think of."""
    stop = await require_stop(held, who, stop_id)
    rows: list[Way] = list(zip(one, other, minutes, strict=False))
    told = [(n, row) for n, row in enumerate(rows) if row[2].strip()]
    ways = [{"one": a, "other": b, "minutes": number(m)} for _, (a, b, m) in told]
    try:
        body = WaysBody.model_validate({"stop_id": stop_id, "ways": ways})
        await ruling.set_ways(held.database, body.model_dump(), revision)
    except ValidationError as error:
        places = {int(place.split("/")[2]) for place in _places(error) if place.count("/") > 1}
        wrong = Wrong("ways", frozenset(str(told[n][0]) for n in places), ways=rows)
        return await page(request, held, who, stop, Wanted(wrong=wrong))
    except Stale:
        wrong = Wrong("ways", ways=rows, is_stale=True)
        return await page(request, held, who, stop, Wanted(wrong=wrong))
    return _back(stop_id, "ways")


@router.post("/stops/{stop_id}/matching/rules/hours")
async def set_hours(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    person_id: Annotated[UUID, Form()],
    request: Request,
    held: Held,
    who: Caller,
    day: Texts,
    starts: Texts,
    ends: Texts,
    revision: Revision,
) -> Response:
    """Say when somebody is there; without a time always."""
    stop = await require_stop(held, who, stop_id)
    given = [Hours(*row) for row in zip(day, starts, ends, strict=False)]
    rows = [row for row in given if not row.is_empty]
    times, places = _times(rows, stop["timezone"])
    if places or len(times) > TIMES_MAX:
        wrong = Wrong("hours", frozenset(places), hours=rows)
        return await page(request, held, who, stop, Wanted(person_id, wrong=wrong))
    body = AvailabilityBody.model_validate(
        {"stop_id": stop_id, "person_id": person_id, "times": times}
    )
    try:
        await ruling.set_availability(held.database, body.model_dump(), revision)
    except Stale:
        wrong = Wrong("hours", hours=rows, is_stale=True)
        return await page(request, held, who, stop, Wanted(person_id, wrong=wrong))
    return _back(stop_id, "hours")


@router.post("/stops/{stop_id}/matching/rules/orders")
async def add_order(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    first_delegate: Text = "",
    first_local: Text = "",
    second_delegate: Text = "",
    second_local: Text = "",
) -> Response:
    """Have one meeting before another."""
    stop = await require_stop(held, who, stop_id)
    pairs = {"first": (first_delegate, first_local), "second": (second_delegate, second_local)}
    sent = {
        name: {"delegate_id": delegate, "local_id": local}
        for name, (delegate, local) in pairs.items()
    }
    try:
        body = PrecedenceBody.model_validate({"stop_id": stop_id, **sent})
        await ruling.add_precedence(held.database, body.model_dump())
    except (ValidationError, Invalid) as error:
        typed = {f"/{name}/{side}": sent[name][side] for name in sent for side in sent[name]}
        wrong = Wrong("orders", frozenset(_places(error)), typed)
        return await page(request, held, who, stop, Wanted(wrong=wrong))
    return _back(stop_id, "orders")


@router.post("/stops/{stop_id}/matching/rules/orders/{order_id}")
async def drop_order(stop_id: UUID, order_id: UUID, held: Held, who: Caller) -> Response:
    """Let two meetings be in any order; a repeat changes nothing."""
    await require_stop(held, who, stop_id)
    async with held.database.reading() as connection:
        row = await store.precedence(connection, order_id)
    if row is not None and row["stop_id"] != stop_id:
        raise NotFound("There is no such order of meetings at this stop.")
    await ruling.drop_precedence(held.database, order_id)
    return _back(stop_id, "orders")


@router.post("/stops/{stop_id}/matching/rules/rest")
async def set_rest(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    run_minutes_max: Text = "",
    rest_minutes: Text = "",
    revision: Revision,
) -> Response:
    """Say how long interpreters speak at a stretch; nothing typed is no rule."""
    stop = await require_stop(held, who, stop_id)
    typed = {"/run_minutes_max": run_minutes_max, "/rest_minutes": rest_minutes}
    sent: dict[str, Any] = {"stop_id": stop_id, "run_minutes_max": number(run_minutes_max)}
    if (rest := number(rest_minutes)) is not None:
        sent["rest_minutes"] = rest
    try:
        body = RestBody.model_validate(sent)
        await ruling.set_rest(held.database, body.model_dump(), revision)
    except ValidationError as error:
        wrong = Wrong("rest", frozenset(_places(error)), typed)
        return await page(request, held, who, stop, Wanted(wrong=wrong))
    except Stale:
        wrong = Wrong("rest", typed=typed, is_stale=True)
        return await page(request, held, who, stop, Wanted(wrong=wrong))
    return _back(stop_id, "rest")


def _times(rows: Sequence[Hours], zone: str) -> tuple[list[Mapping[str, Any]], list[str]]:
    """Give what is meant by typed hours, and the numbers of those that mean nothing."""
    times: list[Mapping[str, Any]] = []
    places = []
    for place, row in enumerate(rows):
        try:
            starts_at, ends_at = row.moments(zone)
        except ValueError:
            places.append(str(place))
        else:
            times.append({"starts_at": starts_at, "ends_at": ends_at})
    return times, places


def _places(error: ValidationError | Invalid) -> list[str]:
    if isinstance(error, Invalid):
        return [fault.pointer for fault in error.faults]
    return [pointer(("body", *one["loc"])) for one in error.errors()]


def _back(stop_id: UUID, section: str) -> RedirectResponse:
    return RedirectResponse(f"/stops/{stop_id}/matching/rules?saved={section}#{section}", 303)
