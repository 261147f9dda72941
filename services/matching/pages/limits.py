"""Quotas: how many meetings each side, and single people, are guaranteed and may have."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.commands import limiting, looking
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import choosing, facts
from services.matching.wish_bodies import PersonalQuotaBody, SideQuotaBody
from shared.access import Principal, Scope, require
from shared.errors import Fault, Invalid, Stale
from shared.events.base import Side
from shared.http import Caller
from shared.problems import pointer
from shared.web.numbers import number
from shared.web.pages import language_of

PEOPLE_SHOWN_MAX = 200
NUMBER_LENGTH_MAX = 6

router = APIRouter(include_in_schema=False)

Revision = Annotated[int, Form()]
Number = Annotated[str, Form(max_length=NUMBER_LENGTH_MAX)]


@dataclass(frozen=True, slots=True)
class Typed:
    """The two numbers of a form as they were typed."""

    minimum: str
    maximum: str
    revision: int

    def read(self, least: int | None) -> dict[str, int | str | None]:
        """Give what was meant: a maximum that is empty is none, a minimum is `least`."""
        minimum = number(self.minimum)
        return {
            "minimum": least if minimum is None else minimum,
            "maximum": number(self.maximum),
        }


def _typed(revision: Revision, minimum: Number = "", maximum: Number = "") -> Typed:
    return Typed(minimum, maximum, revision)


Numbers = Annotated[Typed, Depends(_typed)]


@dataclass(frozen=True, slots=True)
class Wrong:
    """Numbers that were not taken: of a side or a person, as they were typed, and what is wrong."""

    whose: str
    typed: Typed
    faults: Sequence[Fault]

    @property
    def is_stale(self) -> bool:
        """Whether nothing is wrong, but somebody else changed them meanwhile."""
        return not self.faults

    def about(self, name: str) -> str:
        """Say what is wrong with one of the two numbers."""
        return next((fault.detail for fault in self.faults if fault.pointer == f"/{name}"), "")


@router.get("/stops/{stop_id}/matching/quotas")
async def limits(
    stop_id: UUID, request: Request, held: Held, who: Caller, person: UUID | None = None
) -> Response:
    """Show a stop's quotas, and those of one person to be changed."""
    stop = await _stop(held, who, stop_id)
    return await _page(request, held, who, stop, person=person)


@router.post("/stops/{stop_id}/matching/quotas/sides/{side}")
async def limit_side(  # each is given by the framework
    *, stop_id: UUID, side: Side, request: Request, held: Held, who: Caller, typed: Numbers
) -> Response:
    """Set how many meetings everybody of a side has."""
    stop = await _stop(held, who, stop_id)
    try:
        about = {"stop_id": stop_id, "side": side}
        body = SideQuotaBody.model_validate(about | typed.read(0))
        await limiting.limit_side(held.database, body.model_dump(), typed.revision)
    except (ValidationError, Invalid, Stale) as error:
        wrong = Wrong(side, typed, _faults(error))
        return await _page(request, held, who, stop, wrong=wrong)
    return RedirectResponse(f"/stops/{stop_id}/matching/quotas?saved={side}", 303)


@router.post("/stops/{stop_id}/matching/quotas/people/{participant_id}")
async def limit_person(  # each is given by the framework
    *,
    stop_id: UUID,
    participant_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    typed: Numbers,
) -> Response:
    """Set how many meetings one person has; what is empty is as for the side."""
    stop = await _stop(held, who, stop_id)
    try:
        about = {"stop_id": stop_id, "participant_id": participant_id}
        body = PersonalQuotaBody.model_validate(about | typed.read(None))
        await limiting.limit_person(held.database, body.model_dump(), typed.revision)
    except (ValidationError, Invalid, Stale) as error:
        wrong = Wrong(str(participant_id), typed, _faults(error))
        return await _page(request, held, who, stop, person=participant_id, wrong=wrong)
    query = f"saved=person&person={participant_id}#person"
    return RedirectResponse(f"/stops/{stop_id}/matching/quotas?{query}", 303)


async def _stop(held: Resources, who: Principal, stop_id: UUID) -> facts.Row:
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "quota.write", Scope(stop["mission_id"], stop_id))
    return stop


def _faults(error: ValidationError | Invalid | Stale) -> Sequence[Fault]:
    """Say what is wrong with what was typed: nothing, where somebody else was faster."""
    if isinstance(error, Stale):
        return ()
    if isinstance(error, Invalid):
        return error.faults
    return [Fault(pointer(("body", *one["loc"])), one["msg"]) for one in error.errors()]


async def _page(
    request: Request,
    held: Resources,
    who: Principal,
    stop: facts.Row,
    *,
    person: UUID | None = None,
    wrong: Wrong | None = None,
) -> Response:
    async with held.database.reading() as connection:
        found = await limiting.limits(connection, stop["id"])
        if person:
            await looking.existing_participant(connection, stop["id"], person)
        personal = {one["participant_id"]: one for one in found["people"]}
        listed = list(personal)[:PEOPLE_SHOWN_MAX]
        exceeded = await limiting.exceeded(connection, stop["id"])
        shown = [*listed, *list(exceeded)[:PEOPLE_SHOWN_MAX], *([person] if person else [])]
        known = await choosing.profiles_of(connection, shown)
    scope = Scope(stop["mission_id"], stop["id"])
    name = await names(held, who, scope, {one.id: one.partner_id for one in known.values()})
    language = language_of(request)
    return pages.render(
        request,
        "limits.html",
        status=(409 if wrong.is_stale else 422) if wrong else 200,
        **company_words(request),
        stop=stop,
        sides=found["sides"],
        personal=personal,
        listed=listed,
        exceeded=exceeded,
        profiles=known,
        person=known.get(person) if person else None,
        wrong=wrong,
        saved=request.query_params.get("saved", ""),
        name=lambda one: name(one, language),
    )
