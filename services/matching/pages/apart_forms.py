"""What is sent from the page of who is kept apart."""

from contextlib import suppress
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.acting import author
from services.matching.commands import barring, looking
from services.matching.pages.apart import Pair, Told, host_of, page, stop_of
from services.matching.resources import Held, Resources
from services.matching.store import barring as store
from services.matching.store import facts
from services.matching.wish_bodies import MESSAGE_LENGTH_MAX, ExclusionBody, VetoBody
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Invalid
from shared.http import Caller, Now

How = Literal["people", "companies", "veto"]
Where = Literal["stop", "mission"]
Ids = tuple[UUID | None, UUID | None]

router = APIRouter(include_in_schema=False)


@router.post("/stops/{stop_id}/matching/apart")
async def keep_apart(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    how: Annotated[How, Form()],
    where: Annotated[Where, Form()] = "stop",
    one: Annotated[UUID | None, Form()] = None,
    other: Annotated[UUID | None, Form()] = None,
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Keep two people or companies apart, or veto a pair as a host."""
    stop = await stop_of(held, who, stop_id)
    scope = Scope(stop["mission_id"], stop_id, partner_id=host_of(who, stop))
    require(who, "veto.write" if how == "veto" else "exclusion.write", scope)
    text = reason.replace("\r\n", "\n")
    try:
        if how == "veto":
            facts_ = _veto(stop, who, (one, other), text)
            made = await barring.veto(held.database, facts_, author(who), None, now)
        else:
            pair = (
                await _companies(held, stop, (one, other)) if how == "companies" else (one, other)
            )
            facts_ = _exclusion(stop, how, where, pair, text)
            made = await barring.exclude(held.database, facts_, author(who), None, now)
    except (ValidationError, Invalid, Conflict) as error:
        told = Told(wrong=_word(error), reason=reason[:MESSAGE_LENGTH_MAX])
        return await page(request, held, who, stop, Pair(one, other), told)
    query = f"saved=kept&standing={len(made.content['meetings'])}"
    return RedirectResponse(f"/stops/{stop_id}/matching/apart?{query}", 303)


@router.post("/stops/{stop_id}/matching/apart/{table}/{found_id}/lift")
async def lift(
    stop_id: UUID, table: store.Table, found_id: UUID, held: Held, who: Caller, now: Now
) -> Response:
    """Let two meet again."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        found = await barring.existing(connection, table, found_id)
    if table == "exclusion":
        require(who, "exclusion.write", Scope(found["mission_id"], found["stop_id"]))
    else:
        require(who, "veto.lift", Scope(stop["mission_id"], found["stop_id"]))
    # Where somebody else lifted it a moment ago, it is as was wanted.
    with suppress(Conflict):
        await barring.lift(held.database, table, found_id, author(who), now)
    return RedirectResponse(f"/stops/{stop_id}/matching/apart?saved=lifted", 303)


async def _companies(held: Resources, stop: facts.Row, people: Ids) -> Ids:
    async with held.database.reading() as connection:
        company_of = await store.companies(connection, stop["mission_id"])
    one, other = (company_of.get(person) if person else None for person in people)
    return one, other


def _exclusion(stop: facts.Row, how: How, where: Where, pair: Ids, reason: str) -> dict[str, Any]:
    body = {
        "mission_id": stop["mission_id"],
        "stop_id": stop["id"] if where == "stop" else None,
        "kind": how,
        "one_id": pair[0],
        "other_id": pair[1],
        "reason": reason,
    }
    return ExclusionBody.model_validate(body).model_dump()


def _veto(stop: facts.Row, who: Principal, pair: Ids, reason: str) -> dict[str, Any]:
    ids = {"participant_id": pair[0], "counterpart_id": pair[1]}
    body = VetoBody.model_validate({"stop_id": stop["id"], **ids, "reason": reason})
    more = {"mission_id": stop["mission_id"], "partner_id": host_of(who, stop)}
    return body.model_dump() | more


def _word(error: ValidationError | Invalid | Conflict) -> str:
    """Give the key of what to say is wrong."""
    if isinstance(error, Conflict):
        return "apart_wrong_already"
    if isinstance(error, Invalid):
        return "apart_wrong_pair"
    fields = {one["loc"][0] for one in error.errors()}
    return "apart_wrong_reason" if fields == {"reason"} else "apart_wrong_pair"
