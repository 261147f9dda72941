"""Check-in at the door: scans, the roster that phones keep, the head-count, and lost badges."""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from pydantic import Field, StringConstraints, model_validator

from services.registration.answers import BadgeMade
from services.registration.commands import check_in as commands
from services.registration.commands.missions import existing_stop
from services.registration.domain import badges, roster
from services.registration.domain.scans import happened
from services.registration.door import place_of, stop_at_the_door
from services.registration.resources import Held
from services.registration.seeing import counted_partner
from services.registration.store import check_in as store
from shared.access import Scope, require
from shared.http import Body, Caller, Moment, Now
from shared.idempotency import OptionalKey

SCANS_MAX = 200
ROSTER_MAX = 20_000
# Whoever opens the page first waits for so many badges; the others come with the next look.
ROSTER_BATCHES_MAX = 5

router = APIRouter(prefix="/api/v1", tags=["registration"])

IfNoneMatch = Annotated[str | None, Header()]


class ScanBody(Body):
    """What was shown at the door: a badge's code, or a participant who was found by name."""

    nonce: UUID
    code: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    participant_id: UUID | None = None
    scanned_at: Moment
    programme_item_id: UUID | None = None

    @model_validator(mode="after")
    def _names_one(self) -> "ScanBody":
        if (self.code is None) == (self.participant_id is None):
            raise ValueError("Give either the code or the participant_id.")
        return self


class ScansBody(Body):
    """Scans in any order. With `sent_at`, by the same clock, a clock that is wrong does no harm."""

    scans: list[ScanBody] = Field(min_length=1, max_length=SCANS_MAX)
    sent_at: Moment | None = None


@router.post("/stops/{stop_id}/scans")
async def scan(
    stop_id: UUID, body: ScansBody, held: Held, who: Caller, now: Now
) -> dict[str, list[dict[str, Any]]]:
    """Check in whoever showed a badge; a scan that is sent again gets its first answer."""
    stop = await stop_at_the_door(held, who, stop_id)
    door = commands.Door(stop["mission_id"], stop_id, who.subject, who.seen_partner)
    scans = [
        commands.Scan(
            nonce=one.nonce,
            code=one.code,
            person_id=one.participant_id,
            item_id=one.programme_item_id,
            at=happened(one.scanned_at, body.sent_at, now),
        )
        for one in body.scans
    ]
    return {"items": await commands.check_in(held.database, door, scans, now)}


@router.get("/stops/{stop_id}/roster")
async def read_roster(
    stop_id: UUID, held: Held, who: Caller, now: Now, if_none_match: IfNoneMatch = None
) -> Response:
    """Read who is expected at a stop, as phones keep it; badges as digests alone."""
    stop = await stop_at_the_door(held, who, stop_id)
    await commands.issue_badges(held.database, stop_id, now, batches_max=ROSTER_BATCHES_MAX)
    async with held.database.reading() as connection:
        items = await store.items_of(connection, stop_id)
        rows = await store.roster(connection, stop_id, who.seen_partner, ROSTER_MAX)
        revoked = await store.revoked_digests(connection, stop_id)
    # Reading many Chinese names by their sound takes a while.
    people = await asyncio.to_thread(roster.people, [dict(row) for row in rows])
    content = {
        "stop_id": stop_id,
        "timezone": stop["timezone"],
        "items": [dict(item) for item in items],
        "people": people,
        "revoked": [digest.hex() for digest in revoked],
    }
    until = roster.forgotten_at(stop["held_on"], stop["timezone"], now)
    return _unless_known(content, if_none_match, taken_at=now, forgotten_at=until)


@router.get("/stops/{stop_id}/headcount")
async def read_headcount(
    stop_id: UUID, held: Held, who: Caller, if_none_match: IfNoneMatch = None
) -> Response:
    """Count who is expected at a stop, who arrived, and who was refused; partners: their own."""
    async with held.database.reading() as connection:
        stop = await existing_stop(connection, stop_id)
        require(who, "board.read", Scope(stop["mission_id"], stop_id))
        own = counted_partner(who, stop)
        people = await store.people_counted(connection, stop_id, own)
        items = await store.headcount(connection, stop_id, own)
        refused = {} if own else await store.refusals(connection, stop_id)
    content = {**dict(people), "items": [dict(item) for item in items], "refused": refused}
    return _unless_known(content, if_none_match)


@router.post("/participants/{participant_id}/badges", status_code=201, response_model=BadgeMade)
async def replace_badge(
    participant_id: UUID, held: Held, who: Caller, key: OptionalKey, now: Now
) -> Response:
    """Revoke a lost badge and issue another code."""
    place = await place_of(held, who, participant_id)
    await commands.issue_badges(held.database, place["id"], now, participant_id)
    answer = await commands.replace_badge(held.database, who, place, participant_id, key, now)
    async with held.database.reading() as connection:
        badge = await store.badge_of(connection, participant_id)
    assert badge is not None
    # Read anew: what is stored under an idempotency key lets nobody in.
    return answer.response(code=badges.shown(badge["code"]))


def _unless_known(content: Mapping[str, Any], known: str | None, **times: datetime) -> Response:
    """Answer with the content, or 304 to who has it; `times` alone make no other content of it."""
    plain = jsonable_encoder(content)
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:32]
    headers = {"ETag": f'"{digest}"', "Cache-Control": "private, no-cache"}
    # A proxy that compresses makes a weak tag of ours.
    if known is not None and headers["ETag"] in known:
        return Response(status_code=304, headers=headers)
    return JSONResponse(plain | jsonable_encoder(times), headers=headers)
