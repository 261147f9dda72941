"""Registrations: rush, approval, cancellation, check-in."""

import asyncio
import re
from collections.abc import Awaitable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.registration.answers import Registered, SentIfKnown
from services.registration.bodies import RegistrationBody, TakeBackBody
from services.registration.commands import deciding, files
from services.registration.commands.missions import existing_item, existing_stop
from services.registration.commands.questions import Asked, answered
from services.registration.commands.registered_before import NOT_TOLD, may_be_told
from services.registration.commands.registering import Rush
from services.registration.commands.signing_in import sign_in_path
from services.registration.commands.taking_back import take_back
from services.registration.domain.people import SignUp, role_of
from services.registration.domain.places import Decision
from services.registration.domain.taking_back import Undoing
from services.registration.front import AT_WORK, Knock, Knocking, mail_link
from services.registration.front import Registered as Brought
from services.registration.resources import Held, Resources
from services.registration.seeing import hosts_of
from services.registration.store import registrations as store
from shared.access import Action, Principal, Scope, may, require
from shared.erased import refuse_erased
from shared.errors import Conflict, Forbidden, Unauthenticated
from shared.express import Call, Express, Reply, Tell
from shared.http import Caller, Now, Visitor, visitor_of
from shared.http import now as current_time
from shared.idempotency import Answer, Key, OptionalKey, RequiredKey, key_of_call
from shared.ids import read_id
from shared.limits import named

LIMIT_MAX = 500
OK, CREATED, ACCEPTED = 200, 201, 202

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.post(
    "/programme-items/{item_id}/registrations",
    status_code=201,
    response_model=Registered,
    responses={200: {"model": Registered}, 202: {"model": SentIfKnown}},
)
async def add_registration(
    item_id: UUID,
    body: RegistrationBody,
    who: Visitor,
    key: RequiredKey,
    now: Now,
    knock: Knocking,
) -> Response:
    """Register a person to a programme item. Local participants may do so themselves."""
    answer, more = await _add(knock, item_id, body, who, key=key, now=now)
    return answer.response(**more)


async def _add(
    knock: Knock,
    item_id: UUID,
    body: RegistrationBody,
    who: Principal | None,
    *,
    key: Key,
    now: datetime,
) -> tuple[Answer, dict[str, str]]:
    held = knock.held
    await knock.on_item(item_id, body, who, key, now)
    await _may_register(held, item_id, body, who)
    sign_up = body.value(by=who.subject if who else None)
    sign_up = await answered(held.forms, held.database, item_id, sign_up)
    registering = held.rush.register(item_id, sign_up, key, now)
    return await _settled(knock, item_id, sign_up, who, registering, now=now)


async def _settled(
    knock: Knock,
    item_id: UUID,
    sign_up: SignUp,
    who: Principal | None,
    registering: Awaitable[Answer],
    *,
    now: datetime,
) -> tuple[Answer, dict[str, str]]:
    """Give what is answered to a registration, and what of it is stored nowhere."""
    held = knock.held
    answer: Answer | None
    try:
        answer = await registering
    except Conflict as conflict:
        is_at_work = who is not None and who.role in AT_WORK
        if conflict.code not in NOT_TOLD or not _is_public(sign_up) or is_at_work:
            raise
        answer = None
    if _is_public(sign_up) and (answer is None or answer.status == OK):
        return await _known(held, item_id, answer, sign_up, who, now), {}
    assert answer is not None
    if sign_up.answers and answer.status == CREATED:
        person_id = UUID(answer.content["participant_id"])
        claimed = await files.claim(held.database, sign_up.answers, person_id)
        held.limits.file_bytes.give_back(named(knock.scope, None), claimed)
    return answer, _credential(held, sign_up, answer, now)


def _credential(held: Resources, sign_up: SignUp, answer: Answer, now: datetime) -> dict[str, str]:
    """Give who is new a way in; made each time: what a key is answered with again holds none."""
    if not answer.content.get("is_new"):
        return {}
    person = Principal(
        role=role_of(sign_up.side),
        subject=read_id(answer.content["participant_id"]),
        mission_id=read_id(answer.content["mission_id"]),
    )
    return {"sign_in_path": sign_in_path(held.tokens, person, now)}


async def _known(
    held: Resources,
    item_id: UUID,
    answer: Answer | None,
    sign_up: SignUp,
    who: Principal | None,
    now: datetime,
) -> Answer:
    """Answer for an address that is registered already, or somebody's with another role."""
    async with held.database.reading() as connection:
        item = await existing_item(connection, item_id)
        if answer is not None:
            registration_id = read_id(answer.content["id"])
            if await may_be_told(connection, registration_id, sign_up, who, now):
                return answer
    await mail_link(held, item["mission_id"], sign_up.person.email, now)
    return Answer({"status": "sent_if_known"}, status=ACCEPTED)


async def _add_at_once(call: Call, item_id: str) -> Reply:
    """Do the same in the express lane: this is the path that thousands press at once."""
    is_signed_in = b"authorization" in call.headers or b"cookie" in call.headers
    who = await visitor_of(call.request) if is_signed_in else None
    key = key_of_call(call, who)
    body = call.read(RegistrationBody)
    knock = Knock(call.state.registration, call.scope)
    answer, more = await _add(knock, read_id(item_id), body, who, key=key, now=current_time())
    return _reply(answer, more)


def _reply(answer: Answer, more: dict[str, str]) -> Reply:
    return Reply(answer.status, answer.content | more, answer.headers)


def _begin(call: Call, tell: Tell, item_id: str) -> bool:
    """Do the same without a task, for nearly everybody in a rush.

    That is: one of the public, whose form asks nothing more, while no waiting room is open.
    """
    held: Resources = call.state.registration
    if b"authorization" in call.headers or b"cookie" in call.headers or not held.waiting.is_quiet:
        return False
    now, item = current_time(), read_id(item_id)
    asked = held.forms.known(held.database, item)
    if asked is None:
        held.forms.read(held.database, item, lambda: _wait(call, tell, item, now))
    elif held.rush.queue.is_crowded:
        _wait(call, tell, item, now)
    else:
        return _enter(call, tell, item, asked, now)
    return True


def _wait(call: Call, tell: Tell, item: UUID, came_at: datetime) -> None:
    """Have somebody wait for those who came before."""
    held: Resources = call.state.registration
    held.rush.queue.later(lambda: _enter_later(call, tell, item, came_at))


def _enter_later(call: Call, tell: Tell, item: UUID, came_at: datetime) -> None:
    """Let somebody in who has waited for it: where that is not so plain, by the other way."""
    held: Resources = call.state.registration
    asked = held.forms.known(held.database, item)
    try:
        is_in = asked is not None and _enter(call, tell, item, asked, came_at)
    except Exception:  # noqa: BLE001  # it is raised again there, and answered
        is_in = False
    if not is_in:
        tell(_add_at_once(call, str(item)))


def _enter(call: Call, tell: Tell, item: UUID, asked: Asked, now: datetime) -> bool:
    """Queue what somebody wants; False, or whatever is raised: nothing was done."""
    held: Resources = call.state.registration
    if asked.questions:
        return False
    key, body = key_of_call(call, None), call.read(RegistrationBody)
    if not _is_public(body) or body.answers or not held.rush.is_free(key):
        return False
    if held.limits.registrations.wait_seconds(named(call.scope, None)):
        return False
    sign_up = body.value()

    async def settled(future: Awaitable[Answer]) -> Reply:
        knock = Knock(held, call.scope)
        return _reply(*await _settled(knock, item, sign_up, None, future, now=now))

    def told(future: asyncio.Future[Answer]) -> None:
        if future.exception() is None and (answer := future.result()).status == CREATED:
            tell(_reply(answer, _credential(held, sign_up, answer, now)))
        else:
            tell(settled(future))

    held.rush.begin(item, sign_up, key, now, correlation_id=call.request_id, tell=told)
    return True


_PATH = re.compile(
    r"/api/v1/programme-items/(?P<item_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
    r"/registrations"
)


def express(rush: Rush) -> list[Express]:
    """Give the express routes; who comes when the queue is full is turned away at once."""
    return [Express("POST", _PATH, _add_at_once, rush.queue.busy, _begin)]


def _is_public(body: Brought) -> bool:
    return body.side == "local" and body.source == "self" and body.partner_id is None


async def _may_register(
    held: Resources, item_id: UUID, body: RegistrationBody, who: Principal | None
) -> None:
    if _is_public(body):
        return
    if who is None:
        raise Unauthenticated("Only local participants register by themselves; sign in first.")
    async with held.database.reading() as connection:
        # The express lane passes by where that is looked at.
        await refuse_erased(connection, who)
        item = await existing_item(connection, item_id)
    may_bring(who, item, body)


def may_bring(who: Principal, item: asyncpg.Record, body: Brought) -> None:
    """Check the right to bring somebody to an item; raises `Forbidden`."""
    scope = Scope(item["mission_id"], item["stop_id"], partner_id=body.partner_id)
    require(who, "check_in" if body.source == "walk_in" else "people.invite", scope)
    if body.side == "delegation" and not may(who, "mission.write", Scope(item["mission_id"])):
        # Whoever travels was selected, and sees who comes at every stop.
        raise Forbidden("Only mission staff brings people of the delegation.")


@router.post("/registrations/{registration_id}/approve")
async def approve(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Confirm a registration that waits for approval."""
    return await _decide(held, who, registration_id, Decision.APPROVE, now)


@router.post("/registrations/{registration_id}/reject")
async def reject(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Turn a registration down; who waits longest gets its place."""
    return await _decide(held, who, registration_id, Decision.REJECT, now)


@router.post("/registrations/{registration_id}/cancel")
async def cancel(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Cancel a registration; who waits longest gets its place."""
    return await _decide(held, who, registration_id, Decision.CANCEL, now)


@router.post("/registrations/{registration_id}/accept")
async def accept(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Take the place that was offered; to decline it, cancel."""
    return await _decide(held, who, registration_id, Decision.ACCEPT, now)


@router.post("/registrations/{registration_id}/reinstate")
async def reinstate(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Take a refusal, a cancellation or an expired offer back."""
    return await _decide(held, who, registration_id, Decision.REINSTATE, now)


@router.post("/registrations/{registration_id}/check-in")
async def check_in(registration_id: UUID, held: Held, who: Caller, now: Now) -> dict[str, Any]:
    """Note that somebody arrived; a second time changes nothing."""
    await _require(held, who, "check_in", registration_id)
    return (await deciding.check_in(held.database, registration_id, who, now)).content


@router.post("/registrations/{registration_id}/check-in/undo", response_model=dict[str, Any])
async def undo_check_in(
    registration_id: UUID, body: TakeBackBody, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Take a check-in back; a second time changes nothing."""
    await _require(held, who, "check_in", registration_id)
    undoing = Undoing(body.reason, body.checked_in_at)
    return (await take_back(held.database, registration_id, undoing, who, key, now)).response()


async def _decide(
    held: Resources, who: Principal, registration_id: UUID, decision: Decision, now: Now
) -> dict[str, Any]:
    is_own = decision in (Decision.CANCEL, Decision.ACCEPT)
    action: Action = "registration.cancel" if is_own else "registration.decide"
    await _require(held, who, action, registration_id)
    return (await deciding.decide(held.database, registration_id, decision, who, now)).content


async def _require(held: Resources, who: Principal, action: Action, registration_id: UUID) -> None:
    async with held.database.reading() as connection:
        found = await deciding.existing(connection, registration_id)
        hosts = await hosts_of(connection, who, found["stop_id"])
    scope = Scope(
        mission_id=found["mission_id"],
        stop_id=found["stop_id"],
        person_ids=(found["person_id"],),
        partner_id=found["partner_id"],
        hosts=hosts,
    )
    require(who, action, scope)


@router.get("/stops/{stop_id}/registrations")
async def list_registrations(
    stop_id: UUID,
    held: Held,
    who: Caller,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = 100,
) -> dict[str, Any]:
    """List a stop's registrations; partner staff sees those its own partner brought.

    `next` is the `after` to go on with.
    """
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        require(who, "people.read", Scope(mission_id=stop["mission_id"], stop_id=stop_id))
        rows = await store.of_stop(
            connection, stop_id, after=after, limit=limit, partner_id=who.seen_partner
        )
    return {
        "items": [dict(row) for row in rows],
        "next": rows[-1]["rank"] if len(rows) == limit else None,
    }
