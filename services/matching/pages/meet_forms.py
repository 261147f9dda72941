"""What is sent from the page about whom to meet; it goes back there and says what came of it."""

from collections.abc import Awaitable
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import ValidationError

from services.matching.acting import author, require_for
from services.matching.asking import Asked, AskedFor
from services.matching.commands import looking, requesting, wishing
from services.matching.domain.requests import Answer
from services.matching.domain.wishes import PreferenceKind
from services.matching.pages.meet import Refused, View
from services.matching.resources import Held
from services.matching.wish_bodies import RequestBody
from shared.errors import Conflict, NotFound
from shared.http import Caller, Now
from shared.idempotency import key_of

KEY_LENGTH_MAX = 64

router = APIRouter(include_in_schema=False)


@router.post("/stops/{stop_id}/meet/{participant_id}/preferences")
async def prefer(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    participant_id: UUID,
    counterpart_id: Annotated[UUID, Form()],
    kind: Annotated[PreferenceKind, Form()],
    held: Held,
    who: Caller,
    asked: AskedFor,
    now: Now,
) -> Response:
    """State whether somebody wants to meet somebody."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    pair = {"participant_id": participant_id, "counterpart_id": counterpart_id}
    facts = {"stop_id": stop_id, **pair, "kind": kind, "again": False}
    stating = wishing.state_preference(held.database, facts, author(who), now)
    return await _back(_base(stop_id, participant_id), asked, stating, counterpart_id)


@router.post("/stops/{stop_id}/meet/{participant_id}/companies")
async def prefer_company(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    participant_id: UUID,
    organization_id: Annotated[UUID, Form()],
    kind: Annotated[PreferenceKind, Form()],
    held: Held,
    who: Caller,
    asked: AskedFor,
    now: Now,
) -> Response:
    """State whether somebody wants to meet a company, whoever represents it."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    about = {"participant_id": participant_id, "organization_id": organization_id}
    facts = {"stop_id": stop_id, **about, "kind": kind}
    stating = wishing.state_company_preference(held.database, facts, author(who), now)
    return await _back(_base(stop_id, participant_id), asked, stating)


@router.post("/stops/{stop_id}/meet/{participant_id}/requests")
async def request(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    participant_id: UUID,
    counterpart_id: Annotated[UUID, Form()],
    key: Annotated[str, Form(min_length=1, max_length=KEY_LENGTH_MAX)],
    message: Annotated[str, Form()] = "",
    is_recommended: Annotated[bool, Form()] = False,
    sent: Request,
    held: Held,
    who: Caller,
    asked: AskedFor,
    now: Now,
) -> Response:
    """Ask for a meeting; a message that is too long comes back to be shortened."""
    stop = await require_for(held, who, "preference.write", stop_id, participant_id)
    text = message.replace("\r\n", "\n").strip()
    try:
        body = RequestBody(
            stop_id=stop_id,
            participant_id=participant_id,
            counterpart_id=counterpart_id,
            message=text or None,
            is_recommended=is_recommended,
        )
    except ValidationError:
        wrong = Refused(counterpart_id, text, "meet_message_too_long")
        return await View(held, who, stop, participant_id, now).page(sent, asked, wrong=wrong)
    base = _base(stop_id, participant_id)
    once = key_of(who, "POST", f"{base}/requests", key, body.model_dump_json().encode())
    asking = requesting.request(held.database, body.model_dump(), author(who), once, now)
    return await _back(base, asked, asking, counterpart_id)


@router.post("/stops/{stop_id}/meet/{participant_id}/requests/{request_id}/{answer}")
async def answer(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    participant_id: UUID,
    request_id: UUID,
    answer: Literal["accept", "decline", "cancel"],
    held: Held,
    who: Caller,
    asked: AskedFor,
    now: Now,
) -> Response:
    """Accept or decline what somebody was asked, or take back what somebody asked."""
    await require_for(held, who, "preference.write", stop_id, participant_id)
    given: Answer = answer
    async with held.database.reading() as connection:
        found = await looking.existing_request(connection, request_id)
    mine = found["participant_id" if given == "cancel" else "counterpart_id"]
    if (found["stop_id"], mine) != (stop_id, participant_id):
        raise NotFound("There is no such request.")
    other = found["counterpart_id" if given == "cancel" else "participant_id"]
    answering = requesting.answer(held.database, request_id, given, author(who), now)
    return await _back(_base(stop_id, participant_id), asked, answering, other)


def _base(stop_id: UUID, participant_id: UUID) -> str:
    return f"/stops/{stop_id}/meet/{participant_id}"


async def _back(
    base: str, asked: Asked, doing: Awaitable[object], done: UUID | None = None
) -> Response:
    """Do something and go back to the counterpart it is about; what forbids it is said there."""
    try:
        await doing
    except Conflict as conflict:
        return RedirectResponse(f"{base}?{asked.query(refused=conflict.code)}", 303)
    query = asked.query(**({"done": done} if done else {}))
    return RedirectResponse(f"{base}?{query}#p-{done}" if done else f"{base}?{query}", 303)
