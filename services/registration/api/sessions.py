"""Sessions: sign-in links, for people and for screens."""

from typing import Any
from uuid import UUID, uuid4

from fastapi import APIRouter

from services.registration.bodies import AskForLinkBody, LinkBody, SessionBody
from services.registration.commands import signing_in
from services.registration.commands.missions import check_stops
from services.registration.front import count_link_request
from services.registration.resources import Held
from shared.access import Principal, Scope, require
from shared.errors import Invalid, NotFound
from shared.http import Caller, Now
from shared.limits import Client

router = APIRouter(prefix="/api/v1", tags=["registration"])


@router.post("/sessions", status_code=201)
async def open_session(body: SessionBody, held: Held, now: Now) -> dict[str, Any]:
    """Turn a sign-in link's token into a session token."""
    who, token = await signing_in.redeem(held.database, held.tokens, body.token, now)
    return {
        "token": token,
        "role": who.role,
        "subject": who.subject,
        "mission_id": who.mission_id,
        "stop_ids": who.stop_ids,
    }


@router.post("/sessions/links", status_code=201)
async def make_link(body: LinkBody, held: Held, who: Caller, now: Now) -> dict[str, str]:
    """Make a sign-in link for a person or a venue screen."""
    require(who, "mission.write", Scope(mission_id=body.mission_id))
    async with held.database.reading() as connection:
        await check_stops(connection, body.mission_id, body.stop_ids)
    subject = await _person(held, body.mission_id, body.subject) if body.subject else None
    if subject is not None and subject.role != body.role:
        raise Invalid(f"This person's role is {subject.role}.")
    for_whom = subject or Principal("screen", uuid4(), body.mission_id, tuple(body.stop_ids))
    path = await signing_in.hand_out(held.database, held.tokens, for_whom, who, now)
    return {"path": path}


async def _person(held: Held, mission_id: UUID, person_id: UUID) -> Principal:
    async with held.database.reading() as connection:
        person = await signing_in.principal_of(connection, person_id)
    if person is None or person.mission_id != mission_id:
        raise NotFound("There is no such person in this mission.")
    return person


@router.post("/sessions/requests", status_code=202)
async def ask_for_link(
    body: AskForLinkBody, held: Held, client: Client, now: Now
) -> dict[str, str]:
    """Have a sign-in link sent; the answer is the same whether the address is on file or not."""
    count_link_request(held, client, body.email)
    await signing_in.ask_for_link(held.database, body.mission_id, body.email, now)
    return {"status": "sent_if_known"}
