"""What is sent from the pages of repairs: it leads to the repair, which says what came of it."""

from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.allowing import allow, allow_repair, end
from services.matching.commands import repairing
from services.matching.commands.repairing import Asking, Decision
from services.matching.domain.repair.record import Kind
from services.matching.pages.repairs import Asked, page
from services.matching.repair_bodies import RepairBody, RepairRuleBody
from services.matching.resources import Held
from shared.errors import Conflict, Invalid
from shared.http import Caller, Now
from shared.web.numbers import number

TEXT_LENGTH_MAX = 64

Text = Annotated[str, Form(max_length=TEXT_LENGTH_MAX)]

SUBJECTS: Mapping[Kind, str] = {
    "late": "person_id",
    "leaves_early": "person_id",
    "unavailable": "interpreter_id",
    "point_lost": "point_id",
    "overrun": "meeting_id",
    "placement": "participant_id",
}
"""What the body calls whom or what a form is about."""

router = APIRouter(include_in_schema=False)


@router.post("/stops/{stop_id}/repairs")
async def report(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    kind: Annotated[Kind, Form()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    subject: Text = "",
    at: Text = "",
    minutes: Text = "",
    counterpart_ids: Annotated[list[UUID] | None, Form(max_length=20)] = None,
    q: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Have a repair proposed, and lead to it."""
    await allow(held, who, stop_id)
    typed = {"subject": subject, "at": at, "minutes": minutes}
    try:
        body = RepairBody.model_validate(
            {"stop_id": stop_id, "happened": _happened(kind, typed, counterpart_ids or [])}
        )
        report, asking = body.happened.model_dump(), Asking(who, now)
        repair_id = await repairing.propose(held.database, held.repair, stop_id, report, asking)
    except (ValidationError, Invalid, Conflict) as error:
        asked = Asked(kind, q, _wrong(error), typed)
        return await page(request, held, who, stop_id, (asked, now))
    return _to(stop_id, repair_id)


@router.post("/stops/{stop_id}/repairs/{repair_id}/accept")
async def accept(stop_id: UUID, repair_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Put a repair in force; what came between is shown on its page."""
    await allow_repair(held, who, repair_id)
    try:
        await repairing.accept(held.database, Decision(repair_id, who, now))
    except Conflict:
        return _to(stop_id, repair_id, "?late=1")
    return _to(stop_id, repair_id)


@router.post("/stops/{stop_id}/repairs/{repair_id}/reject")
async def reject(stop_id: UUID, repair_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Put a repair aside."""
    await allow_repair(held, who, repair_id)
    try:
        await repairing.reject(held.database, Decision(repair_id, who, now))
    except Conflict:
        return _to(stop_id, repair_id, "?late=1")
    return RedirectResponse(f"/stops/{stop_id}/repairs", 303)


@router.post("/stops/{stop_id}/repairs/{repair_id}/again")
async def again(stop_id: UUID, repair_id: UUID, held: Held, who: Caller, now: Now) -> Response:
    """Have a repair proposed anew for what was reported then."""
    await allow_repair(held, who, repair_id)
    new = await repairing.again(held.database, held.repair, repair_id, Asking(who, now))
    return _to(stop_id, new)


@router.post("/stops/{stop_id}/repairs/{repair_id}/offers/{number}")
async def take_offer(
    *, stop_id: UUID, repair_id: UUID, number: int, held: Held, who: Caller, now: Now
) -> Response:
    """Give a waiting wish the meeting that became possible."""
    await allow_repair(held, who, repair_id)
    try:
        await repairing.take_offer(held.database, Decision(repair_id, who, now), number)
    except Conflict:
        return _to(stop_id, repair_id, f"?missed={number}#offers")
    return _to(stop_id, repair_id, "#offers")


@router.post("/stops/{stop_id}/repairs/rule")
async def set_rule(
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    meetings_max: Text = "",
) -> Response:
    """Say which repairs are accepted at once; nothing typed means none."""
    await allow(held, who, stop_id, "schedule.write")
    try:
        body = RepairRuleBody.model_validate(
            {"stop_id": stop_id, "meetings_max": number(meetings_max)}
        )
    except ValidationError:
        return await page(request, held, who, stop_id, (Asked(rule=meetings_max), now))
    await repairing.set_rule(held.database, stop_id, body.meetings_max)
    return RedirectResponse(f"/stops/{stop_id}/repairs?saved=rule#rule", 303)


@router.post("/stops/{stop_id}/repairs/absences/{absence_id}")
async def is_back(stop_id: UUID, absence_id: UUID, held: Held, who: Caller) -> Response:
    """Note that somebody is back."""
    await end(held, who, absence_id)
    return RedirectResponse(f"/stops/{stop_id}/repairs#away", 303)


def _happened(kind: Kind, typed: Mapping[str, str], others: list[UUID]) -> dict[str, Any]:
    given: dict[str, Any] = {"kind": kind, SUBJECTS[kind]: typed["subject"]}
    if kind in ("late", "unavailable") and typed["at"]:
        given["until"] = typed["at"]
    if kind == "leaves_early":
        given["since"] = typed["at"]
    if kind == "overrun":
        given["minutes"] = number(typed["minutes"])
    if kind == "placement":
        given["counterpart_ids"] = others
    return given


def _wrong(error: ValidationError | Invalid | Conflict) -> list[str]:
    """Name the fields that are wrong as the page's words do."""
    if isinstance(error, ValidationError):
        return sorted({str(fault["loc"][-1]) for fault in error.errors()})
    if isinstance(error, Conflict):
        return [error.code]
    return sorted({fault.pointer.split("/")[2] for fault in error.faults})


def _to(stop_id: UUID, repair_id: UUID, more: str = "") -> Response:
    return RedirectResponse(f"/stops/{stop_id}/repairs/{repair_id}{more}", 303)
