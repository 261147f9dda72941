"""What is sent from the page about whom to meet; it goes back there and says what came of it."""

from collections.abc import Awaitable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.acting import author
from services.matching.asking import Asked, AskedFor
from services.matching.commands import looking, requesting, wishing
from services.matching.domain.requests import Answer
from services.matching.domain.wishes import PreferenceKind
from services.matching.pages.meet import Allowed, Refused, View
from services.matching.wish_bodies import RequestBody
from shared.errors import Conflict, NotFound
from shared.idempotency import key_of

KEY_LENGTH_MAX = 64

router = APIRouter(include_in_schema=False)


@router.post("/stops/{stop_id}/meet/{participant_id}/preferences")
async def prefer(
    view: Allowed,
    asked: AskedFor,
    counterpart_id: Annotated[UUID, Form()],
    kind: Annotated[PreferenceKind, Form()],
) -> Response:
    """State whether somebody wants to meet somebody."""
    facts = {**_who(view), "counterpart_id": counterpart_id, "kind": kind, "again": False}
    stating = wishing.state_preference(view.held.database, facts, author(view.who), view.now)
    return await _back(view, asked, stating, counterpart_id)


@router.post("/stops/{stop_id}/meet/{participant_id}/companies")
async def prefer_company(
    view: Allowed,
    asked: AskedFor,
    organization_id: Annotated[UUID, Form()],
    kind: Annotated[PreferenceKind, Form()],
) -> Response:
    """State whether somebody wants to meet a company, whoever represents it."""
    facts = {**_who(view), "organization_id": organization_id, "kind": kind}
    stating = wishing.state_company_preference(
        view.held.database, facts, author(view.who), view.now
    )
    return await _back(view, asked, stating)


@router.post("/stops/{stop_id}/meet/{participant_id}/requests")
async def request(  # noqa: PLR0913  # each is given by the framework
    *,
    view: Allowed,
    asked: AskedFor,
    sent: Request,
    counterpart_id: Annotated[UUID, Form()],
    key: Annotated[str, Form(min_length=1, max_length=KEY_LENGTH_MAX)],
    message: Annotated[str, Form()] = "",
    is_recommended: Annotated[bool, Form()] = False,
) -> Response:
    """Ask for a meeting; a message that is too long comes back to be shortened."""
    text = message.replace("\r\n", "\n").strip()
    try:
        given = {"counterpart_id": counterpart_id, "is_recommended": is_recommended}
        body = RequestBody.model_validate(_who(view) | given | {"message": text or None})
    except ValidationError:
        wrong = Refused(counterpart_id, text, "meet_message_too_long")
        return await view.page(sent, asked, wrong=wrong)
    content = body.model_dump_json().encode()
    once = key_of(view.who, "POST", f"{view.base}/requests", key, content)
    asking = requesting.request(
        view.held.database, body.model_dump(), author(view.who), once, view.now
    )
    return await _back(view, asked, asking, counterpart_id)


@router.post("/stops/{stop_id}/meet/{participant_id}/requests/{request_id}/{answer}")
async def answer(view: Allowed, asked: AskedFor, request_id: UUID, answer: Answer) -> Response:
    """Accept or decline what somebody was asked, or take back what somebody asked."""
    async with view.held.database.reading() as connection:
        found = await looking.existing_request(connection, request_id)
    one, other = ("participant_id", "counterpart_id")
    # Who asked may take it back, who was asked may agree or decline.
    mine, theirs = (one, other) if answer == "cancel" else (other, one)
    if (found["stop_id"], found[mine]) != (view.stop["id"], view.person_id):
        raise NotFound("There is no such request.")
    answering = requesting.answer(
        view.held.database, request_id, answer, author(view.who), view.now
    )
    return await _back(view, asked, answering, found[theirs])


def _who(view: View) -> dict[str, UUID]:
    return {"stop_id": view.stop["id"], "participant_id": view.person_id}


async def _back(
    view: View, asked: Asked, doing: Awaitable[object], done: UUID | None = None
) -> Response:
    """Do something and go back to the counterpart it is about; what forbids it is said there."""
    try:
        await doing
    except Conflict as conflict:
        return RedirectResponse(f"{view.base}?{asked.query(refused=conflict.code)}", 303)
    query = asked.query(**({"done": done} if done else {}))
    return RedirectResponse(
        f"{view.base}?{query}#p-{done}" if done else f"{view.base}?{query}", 303
    )
