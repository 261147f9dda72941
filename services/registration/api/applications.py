"""Applications of companies: the call, drafts, submission, review, decisions, letters."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response

from services.registration.answers import ApplicationBegun, LetterMade, SentIfKnown
from services.registration.application_bodies import (
    ApplicationBody,
    BothLongTexts,
    CallBody,
    Certification,
    DecisionBody,
    LetterBody,
    ReserveBody,
    ReviewBody,
    SignatureBody,
    StartBody,
)
from services.registration.commands.applications import (
    applying,
    calls,
    deciding,
    letters,
    printing,
    reviewing,
)
from services.registration.commands.applications.deciding import Decision
from services.registration.commands.applications.letters import Invitation
from services.registration.commands.signing_in import principal_of, sign_in_path
from services.registration.domain.applications import Actor, Status
from services.registration.domain.letters import worth
from services.registration.front import count_draft, mail_link
from services.registration.resources import Held
from services.registration.store import applications as store
from services.registration.store import letters as letter_store
from shared.access import Action, Principal, Scope, may, require
from shared.events.base import Language
from shared.http import Caller, IfMatch, IfMatchOfChange, Now, etag
from shared.idempotency import OptionalKey, RequiredKey
from shared.postgres import Connection

router = APIRouter(prefix="/api/v1", tags=["applications"])


@router.put("/missions/{mission_id}/call")
async def publish_call(
    mission_id: UUID, body: CallBody, held: Held, who: Caller, now: Now, seen: IfMatchOfChange
) -> Response:
    """Publish a mission's call, or change it; the first is published without If-Match, or on 0."""
    require(who, "application.decide", Scope(mission_id))
    revision = await calls.publish(held.database, mission_id, body.model_dump(), seen, who, now)
    return _answer({"mission_id": mission_id, "revision": revision}, revision)


@router.put("/missions/{mission_id}/certifications/{code}")
async def publish_certification(
    mission_id: UUID,
    code: Certification,
    body: BothLongTexts,
    held: Held,
    who: Caller,
    now: Now,
) -> dict[str, Any]:
    """Publish a text that companies certify; a changed text is a new version."""
    require(who, "application.decide", Scope(mission_id))
    text = (code, body.model_dump())
    version = await calls.put_certification(held.database, mission_id, text, who, now)
    return {"code": code, "version": version}


@router.get("/missions/{mission_id}/call")
async def read_call(mission_id: UUID, held: Held, response: Response) -> dict[str, Any]:
    """Read what a mission has published about applying; its revision is the ETag."""
    async with held.database.reading() as connection:
        call = await calls.existing(connection, mission_id)
    response.headers.update(etag(call.row["revision"]))
    return {
        **dict(call.row),
        "criteria": [dict(row) for row in call.criteria],
        "certifications": [dict(row) for row in call.certifications],
    }


@router.post(
    "/missions/{mission_id}/applications",
    status_code=201,
    response_model=ApplicationBegun,
    responses={202: {"model": SentIfKnown}},
    dependencies=[Depends(count_draft)],
)
async def start_application(
    mission_id: UUID, body: StartBody, held: Held, key: RequiredKey, now: Now
) -> Response:
    """Begin an application; 202 when the address is on file and gets a link instead."""
    answer = await applying.start(held.database, mission_id, body.person(), body.company, key, now)
    if "id" not in answer.content:
        await mail_link(held, mission_id, body.email, now)
        return answer.response()
    async with held.database.reading() as connection:
        person = await principal_of(connection, UUID(answer.content["contact_id"]))
    # Made anew each time: what is stored under an idempotency key holds no credential.
    more = {"sign_in_path": sign_in_path(held.tokens, person, now)} if person else {}
    return answer.response(**more)


@router.get("/missions/{mission_id}/applications")
async def list_applications(
    mission_id: UUID, held: Held, who: Caller, now: Now, status: Status | None = None
) -> dict[str, Any]:
    """List a mission's applications, the best first, and how its number stands."""
    require(who, "application.review", Scope(mission_id))
    async with held.database.reading() as connection:
        call = await calls.existing(connection, mission_id)
        found = await reviewing.ranking(connection, call, who, status)
        standing = await deciding.standing(connection, call, now)
    return {
        "participants_min": call.row["participants_min"],
        "participants_max": call.row["participants_max"],
        "decide_on": call.row["decide_on"],
        "confirmed": standing.confirmed,
        "places_held": standing.held,
        "minimum": standing.minimum,
        "items": [
            {
                **_brief(one.row),
                "reviews": one.number,
                "mean": one.verdict.mean,
                "is_disputed": one.verdict.is_disputed if one.is_open else None,
                "rank": one.rank,
            }
            for one in found
        ],
    }


@router.put("/missions/{mission_id}/reserve-list")
async def order_reserve_list(
    mission_id: UUID, body: ReserveBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Put the reserve list into the order in which places are offered."""
    require(who, "application.decide", Scope(mission_id))
    await deciding.reorder(held.database, mission_id, body.order, who, now)
    return {"order": body.order}


@router.get("/applications/{application_id}")
async def read_application(application_id: UUID, held: Held, who: Caller) -> Response:
    """Read an application with what was signed and what became of it."""
    async with held.database.reading() as connection:
        row = await _required(connection, who, "application.read", application_id)
        signed = await store.attestations(connection, application_id)
        steps = await store.steps(connection, application_id)
    is_staff = may(who, "application.review", Scope(row["mission_id"]))
    content = {
        **_brief(row),
        **row["content"],
        "contact": {name: row[name] for name in ("full_name", "native_name", "email", "position")},
        "attestations": [
            {name: value for name, value in one.items() if name != "content"} for one in signed
        ],
        "steps": [
            {name: step[name] for name in step.keys() if is_staff or name != "name"}  # noqa: SIM118  # a row, not a mapping
            for step in steps
        ],
    }
    return _answer(content, row["revision"])


@router.put("/applications/{application_id}")
async def save_application(
    application_id: UUID, body: ApplicationBody, held: Held, who: Caller, now: Now, seen: IfMatch
) -> Response:
    """Save what a company writes, as long as it may be changed."""
    async with held.database.reading() as connection:
        await _required(connection, who, "application.write", application_id)
    revision = await applying.save(
        held.database, application_id, body.content(), body.person(), seen, now
    )
    return _answer({"id": application_id, "revision": revision}, revision)


@router.post("/applications/{application_id}/submit")
async def submit_application(
    application_id: UUID, body: SignatureBody, held: Held, who: Caller, now: Now, seen: IfMatch
) -> Response:
    """Submit a complete draft with its certifications signed."""
    async with held.database.reading() as connection:
        await _required(connection, who, "application.write", application_id)
    revision = await applying.submit(held.database, application_id, body.value(), seen, now)
    content = {"id": application_id, "status": Status.SUBMITTED, "revision": revision}
    return _answer(content, revision)


@router.post("/applications/{application_id}/attestations")
async def sign_again(
    application_id: UUID, body: SignatureBody, held: Held, who: Caller, now: Now, seen: IfMatch
) -> Response:
    """Sign the texts that have changed since the company signed them."""
    async with held.database.reading() as connection:
        await _required(connection, who, "application.write", application_id)
    revision = await applying.sign_again(held.database, application_id, body.value(), seen, now)
    return _answer({"id": application_id, "revision": revision}, revision)


@router.post("/applications/{application_id}/decisions")
async def decide_application(
    application_id: UUID, body: DecisionBody, held: Held, who: Caller, now: Now, seen: IfMatch
) -> Response:
    """Decide about an application, as staff or as the company."""
    async with held.database.reading() as connection:
        row = await applying.existing(connection, application_id)
    decision = Decision(body.chosen, actor_of(who, row), who, body.message, seen)
    content = await deciding.decide(held.database, application_id, decision, now)
    return _answer(content, content["revision"])


@router.put("/applications/{application_id}/review")
async def review_application(
    application_id: UUID, body: ReviewBody, held: Held, who: Caller, now: Now
) -> dict[str, Any]:
    """Score an application by every criterion, or abstain."""
    async with held.database.reading() as connection:
        await _required(connection, who, "application.review", application_id)
    if body.abstain:
        await reviewing.abstain(held.database, application_id, who, now)
    else:
        scored = [(one.criterion_id, one.score, one.comment) for one in body.scores]
        await reviewing.review(held.database, application_id, who, scored, now)
    return await read_reviews(application_id, held, who)


@router.get("/applications/{application_id}/reviews")
async def read_reviews(application_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Read one's own review, and the others' once one has given it."""
    async with held.database.reading() as connection:
        row = await _required(connection, who, "application.review", application_id)
        call = await calls.existing(connection, row["mission_id"])
        board = await reviewing.board(connection, row, call, who)
    return {
        "is_open": board.is_open,
        "number": board.number,
        "mine": _review(board.mine) if board.mine else None,
        "items": [_review(one) for one in board.reviews],
        "mean": board.verdict.mean,
        "is_disputed": board.verdict.is_disputed,
        "overall": board.verdict.overall,
        "by_criterion": {str(key): value for key, value in board.verdict.by_criterion.items()},
    }


@router.post("/applications/{application_id}/letters", status_code=201, response_model=LetterMade)
async def issue_letter(  # what FastAPI hands in
    application_id: UUID, body: LetterBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Issue an invitation letter to a delegate of a company that has a place."""
    async with held.database.reading() as connection:
        row = await applying.existing(connection, application_id)
    require(who, "application.decide", Scope(row["mission_id"]))
    invitation = Invitation(body.model_dump(), who, key)
    answer = await letters.issue(held.database, held.tokens, application_id, invitation, now)
    return answer.response()


@router.get("/applications/{application_id}/letters")
async def list_letters(
    application_id: UUID, held: Held, who: Caller
) -> dict[str, list[dict[str, Any]]]:
    """List the letters of a company's delegates."""
    async with held.database.reading() as connection:
        await _required(connection, who, "application.read", application_id)
        rows = await letter_store.of_application(connection, application_id)
    return {"items": [_letter(row) for row in rows]}


@router.post("/letters/{letter_id}/revoke")
async def revoke_letter(letter_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Take a letter back for good."""
    async with held.database.reading() as connection:
        letter = await letters.existing_letter(connection, letter_id)
    require(who, "application.decide", Scope(letter["mission_id"]))
    return _letter(await letters.revoke(held.database, letter_id, who, now))


@router.get("/letters/{letter_id}/pdf", response_class=Response)
async def read_letter(
    letter_id: UUID, held: Held, who: Caller, now: Now, language: Language = "en"
) -> Response:
    """Read a letter as PDF in one language."""
    async with held.database.reading() as connection:
        letter, row = await letters.of_whom(connection, letter_id)
    require(who, "application.read", scope_of(row))
    address = f"{held.public_url}/letters/{letter['number']}"
    state = worth(letter["valid_until"], now.date(), is_revoked=letter["revoked_at"] is not None)
    pdf = await asyncio.to_thread(printing.printed, letter, language, address, state)
    name = f"invitation-{letter['number']}-{language}.pdf"
    disposition = {"Content-Disposition": f'inline; filename="{name}"', "Cache-Control": "private"}
    return Response(pdf, media_type="application/pdf", headers=disposition)


def scope_of(row: asyncpg.Record) -> Scope:
    """Give what rights about an application are asked for."""
    return Scope(row["mission_id"], person_ids=(row["contact_id"],))


def actor_of(who: Principal, row: asyncpg.Record) -> Actor:
    """Say as what somebody acts on an application; raises `Forbidden` for a stranger."""
    if may(who, "application.decide", scope_of(row)):
        return Actor.STAFF
    require(who, "application.write", scope_of(row))
    return Actor.APPLICANT


async def _required(
    connection: Connection, who: Principal, action: Action, application_id: UUID
) -> asyncpg.Record:
    row = await applying.existing(connection, application_id)
    require(who, action, scope_of(row))
    return row


def _brief(row: asyncpg.Record) -> dict[str, Any]:
    names = (
        "id",
        "mission_id",
        "contact_id",
        "organization_id",
        "status",
        "revision",
        "reserve_place",
        "confirm_by",
        "submitted_at",
    )
    company = row["content"]["company"]
    return {name: row[name] for name in names} | {
        "organization": company["name"],
        "native_organization": company["native_name"],
    }


def _review(review: reviewing.Review) -> dict[str, Any]:
    return {
        "reviewer_id": review.reviewer_id,
        "reviewer": review.reviewer,
        "is_abstention": review.is_abstention,
        "given_at": review.given_at,
        "revised_at": review.revised_at,
        "mean": review.mean,
        "scores": [
            {
                "criterion_id": criterion_id,
                "score": row["score"],
                "first_score": row["first_score"],
                "comment": row["comment"],
            }
            for criterion_id, row in review.scores.items()
        ],
    }


def _letter(row: asyncpg.Record) -> dict[str, Any]:
    return {
        "id": row["id"],
        "number": row["number"],
        "invitee": row["content"]["invitee"],
        "valid_until": row["valid_until"],
        "issued_at": row["issued_at"],
        "revoked_at": row["revoked_at"],
    }


def _answer(content: dict[str, Any], revision: int) -> Response:
    return JSONResponse(jsonable_encoder(content), headers=etag(revision))
