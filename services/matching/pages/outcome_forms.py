"""What is said of outcomes by forms: a deal stated, confirmed, disputed, taken back."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching import ledger
from services.matching.commands import looking, outcomes
from services.matching.commands.outcomes import About, Said
from services.matching.domain.outcomes import Speaker
from services.matching.outcome_bodies import NOTE_LENGTH_MAX, DealBody, EvidenceBody
from services.matching.pages.outcomes import Asked, show_deal, show_ledger
from services.matching.resources import Held, Resources
from services.matching.store import outcomes as store
from shared.access import Principal
from shared.errors import Fault, Invalid, Refusal
from shared.events.base import Side
from shared.http import Body, Caller, Now

router = APIRouter(include_in_schema=False)


class DealForm(Body):
    """What the form of a deal sends: empty fields are left out."""

    meeting: UUID | None = None
    kind: str
    value: str = ""
    currency: str = ""
    evidence: Annotated[str, Query(max_length=NOTE_LENGTH_MAX)] = ""
    note: Annotated[str, Query(max_length=NOTE_LENGTH_MAX)] = ""
    side: Literal["", "delegation", "local"] = ""
    is_another: bool = False

    def body(self) -> DealBody:
        """Give it as the API takes it; raises `Invalid`."""
        given = {
            "kind": self.kind,
            "value": self.value.replace(",", "").replace("，", "") or None,
            "currency": (self.currency or None) if self.value else None,
            "note": self.note or None,
            "side": self.side or None,
            "evidence": [_evidence(self.evidence)] if self.evidence else [],
        }
        try:
            return DealBody.model_validate(given)
        except ValidationError as error:
            faults = [
                Fault("".join(f"/{part}" for part in one["loc"]), one["msg"])
                for one in error.errors()
            ]
            detail = "; ".join(fault.detail for fault in faults)
            raise Invalid(detail, faults=faults) from None


class WordForm(Body):
    """A word on a deal as it was seen."""

    revision: int
    note: Annotated[str, Query(max_length=NOTE_LENGTH_MAX)] = ""
    side: Literal["", "delegation", "local"] = ""


class RestateForm(DealForm):
    """A deal as it is by now, said on what was seen."""

    revision: int


@router.post("/outcomes")
async def state(
    form: Annotated[DealForm, Form()], request: Request, held: Held, who: Caller, now: Now
) -> Response:
    """State what came of a meeting, and show the deal."""
    try:
        answer = await _stated(held, who, form, now)
    except Refusal as refusal:
        return await show_ledger(request, held, who, Asked(meeting=form.meeting), refusal, form)
    return RedirectResponse(f"/outcomes/{answer['id']}", 303)


@router.post("/outcomes/{outcome_id}/report")
async def restate(  # each is given by the framework
    *,
    outcome_id: UUID,
    form: Annotated[RestateForm, Form()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Say what a deal is by now."""
    try:
        body = form.body()
        by = await _speaker(held, who, outcome_id, body.side)
        said = Said(by, now, body.shown_by, body.note)
        await outcomes.restate(held.database, outcome_id, form.revision, body.deal, said)
    except Refusal as refusal:
        return await show_deal(request, held, who, outcome_id, refusal)
    return RedirectResponse(f"/outcomes/{outcome_id}", 303)


@router.post("/outcomes/{outcome_id}/{act}")
async def word(  # noqa: PLR0913  # each is given by the framework
    *,
    outcome_id: UUID,
    act: Literal["verify", "dispute", "retract"],
    form: Annotated[WordForm, Form()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Confirm, dispute or take back a deal."""
    try:
        by = await _speaker(held, who, outcome_id, form.side or None)
        said = Said(by, now, (), form.note or None)
        if act == "retract":
            await outcomes.retract(held.database, outcome_id, form.revision, said)
        else:
            await outcomes.judge(held.database, outcome_id, form.revision, act, said)
    except Refusal as refusal:
        return await show_deal(request, held, who, outcome_id, refusal)
    return RedirectResponse(f"/outcomes/{outcome_id}", 303)


async def _stated(held: Resources, who: Principal, form: DealForm, now: Now) -> dict[str, Any]:
    body = form.body()
    if form.meeting is None:
        raise Invalid("Choose a meeting.", faults=[Fault("/meeting", "Choose one.")])
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, form.meeting)
        companies = await store.parties(connection, meeting.people)
        outcome = {
            "mission_id": meeting.mission_id,
            "stop_id": meeting.stop_id,
            "delegate_organization_id": companies[meeting.delegate_id]["organization_id"],
            "local_organization_id": companies[meeting.local_id]["organization_id"],
        }
        people = await ledger.require(connection, who, "outcome.write", outcome)
    about = About(*meeting.people, meeting.stop_id, form.is_another)
    said = Said(ledger.speaker(who, people, body.side), now, body.shown_by, body.note)
    answer = await outcomes.report(held.database, about, body.deal, said, None)
    return answer.content


async def _speaker(held: Resources, who: Principal, outcome_id: UUID, side: Side | None) -> Speaker:
    async with held.database.reading() as connection:
        _, people = await ledger.existing(connection, who, "outcome.write", outcome_id)
    return ledger.speaker(who, people, side)


def _evidence(text: str) -> dict[str, str]:
    kind = "link" if text.startswith("https://") else "attachment"
    return EvidenceBody(kind=kind, content=text).model_dump()  # type: ignore[arg-type]  # these are kinds
