"""The outcome ledger: deals, each once, with all that was said of them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_jsonable_python

from services.matching import ledger
from services.matching.commands import looking, mission_reporting, outcomes
from services.matching.commands.outcomes import About, Found, Said
from services.matching.domain.mission_report import MissionReport
from services.matching.outcome_bodies import DealBody, OutcomeBody, WordBody
from services.matching.resources import Held, Resources
from services.matching.store import outcomes as store
from services.matching.store.outcomes import Wanted
from shared.access import Principal, Scope, require
from shared.errors import Fault, Invalid
from shared.http import Caller, IfMatch, Now, etag
from shared.idempotency import OptionalKey
from shared.made import Revised

LIMIT_MAX = 500

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.post(
    "/outcomes", status_code=201, response_model=Revised, responses={200: {"model": Revised}}
)
async def report(
    body: OutcomeBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """State what came of two meeting: a new deal, or a word more.

    201 opens a deal, 200 is a word on the one there is. The same words from the other side
    confirm it. A second deal of the two companies is opened with `is_another`, once the one that
    waits for an answer has it.
    """
    async with held.database.reading() as connection:
        people = await store.parties(connection, [body.delegate_id, body.local_id])
        if len(people) < len({body.delegate_id, body.local_id}):
            missing = "/local_id" if body.delegate_id in people else "/delegate_id"
            raise Invalid("Nobody known.", faults=[Fault(missing, "There is no such participant.")])
        meeting = await store.meeting_of(connection, body.delegate_id, body.local_id)
        outcome = {
            "mission_id": people[body.delegate_id]["mission_id"],
            "stop_id": body.stop_id or (meeting["stop_id"] if meeting else None),
            "delegate_organization_id": people[body.delegate_id]["organization_id"],
            "local_organization_id": people[body.local_id]["organization_id"],
        }
        both = await ledger.require(connection, who, "outcome.write", outcome)
    about = About(body.delegate_id, body.local_id, body.stop_id, body.is_another)
    said = Said(ledger.speaker(who, both, body.side), now, body.shown_by, body.note)
    answer = await outcomes.report(held.database, about, body.deal, said, key)
    return answer.response()


@router.get("/outcomes")
async def list_outcomes(
    *,
    mission_id: UUID,
    held: Held,
    who: Caller,
    stop_id: UUID | None = None,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> dict[str, Any]:
    """List the deals that one may read, the last opened first.

    `next` is what to go on `after`.
    """
    async with held.database.reading() as connection:
        if stop_id:
            await looking.existing_stop(connection, stop_id)
        wanted = Wanted(mission_id, stop_id)
        found, following = await ledger.page(connection, who, wanted, after, limit)
    return {"items": [to_jsonable_python(ledger.view(one)) for one in found], "next": following}


@router.get("/outcomes/totals")
async def read_totals(
    mission_id: UUID, held: Held, who: Caller, stop_id: UUID | None = None
) -> dict[str, Any]:
    """Count the deals that one may read, each once.

    It says what of it is verified, for the whole and for each stop. Values are per currency and
    never converted.
    """
    async with held.database.reading() as connection:
        if stop_id:
            await looking.existing_stop(connection, stop_id)
        counted = await ledger.counted(connection, who, Wanted(mission_id, stop_id))
    found: dict[str, Any] = to_jsonable_python(
        {
            "mission_id": mission_id,
            **counted.whole.model_dump(),
            "stops": [
                {"stop_id": stop, **here.model_dump()} for stop, here in counted.by_stop.items()
            ],
        }
    )
    return found


@router.get("/outcomes/report")
async def read_report(mission_id: UUID, held: Held, who: Caller, now: Now) -> MissionReport:
    """Say what came of a mission.

    Its meetings, wishes and feedback, and the ledger of deals as it grew.
    """
    require(who, "outcome.read", Scope(mission_id))
    async with held.database.reading() as connection:
        return await mission_reporting.report(connection, mission_id, now)


@router.get("/outcomes/{outcome_id}")
async def read_outcome(outcome_id: UUID, held: Held, who: Caller) -> Response:
    """Read a deal with its history; its revision is the ETag."""
    async with held.database.reading() as connection:
        found, _ = await ledger.existing(connection, who, "outcome.read", outcome_id)
    return _shown(found)


@router.post("/outcomes/{outcome_id}/report")
async def restate(
    outcome_id: UUID, body: DealBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """State anew what a deal is: a further stage, another value, more evidence."""
    said = await _said(held, who, (outcome_id, body), now)
    given = Said(said.by, now, body.shown_by, body.note)
    await outcomes.restate(held.database, outcome_id, revision, body.deal, given)
    return await read_outcome(outcome_id, held, who)


@router.post("/outcomes/{outcome_id}/verify")
async def verify(
    outcome_id: UUID, body: WordBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Confirm what the other side, or somebody else of the staff, states."""
    said = await _said(held, who, (outcome_id, body), now)
    await outcomes.judge(held.database, outcome_id, revision, "verify", said)
    return await read_outcome(outcome_id, held, who)


@router.post("/outcomes/{outcome_id}/dispute")
async def dispute(
    outcome_id: UUID, body: WordBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Deny what the other side, or somebody else of the staff, states."""
    said = await _said(held, who, (outcome_id, body), now)
    await outcomes.judge(held.database, outcome_id, revision, "dispute", said)
    return await read_outcome(outcome_id, held, who)


@router.post("/outcomes/{outcome_id}/retract")
async def retract(
    outcome_id: UUID, body: WordBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Take back the own word; staff may take back any. It is not counted any more."""
    said = await _said(held, who, (outcome_id, body), now)
    await outcomes.retract(held.database, outcome_id, revision, said)
    return await read_outcome(outcome_id, held, who)


async def _said(held: Resources, who: Principal, about: tuple[UUID, WordBody], now: Now) -> Said:
    outcome_id, body = about
    async with held.database.reading() as connection:
        _, people = await ledger.existing(connection, who, "outcome.write", outcome_id)
    return Said(ledger.speaker(who, people, body.side), now, (), body.note)


def _shown(found: Found) -> Response:
    content = ledger.view(found) | {
        "history": [ledger.statement_view(one) for one in found.statements]
    }
    return JSONResponse(to_jsonable_python(content), headers=etag(found.standing.revision))
