"""The ledger on pages: what came of a mission, and what somebody says of a deal."""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from services.matching import ledger
from services.matching.allowing import seen
from services.matching.commands import feedback, looking
from services.matching.commands.outcomes import Found
from services.matching.domain.currencies import CURRENCIES
from services.matching.domain.meetings import Meeting
from services.matching.domain.outcomes import (
    KINDS,
    Speaker,
    check_judgement,
    check_retraction,
    totals,
)
from services.matching.pages.naming import company_words
from services.matching.pages.outcome_sheet import money, sheet
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import choosing, meetings
from services.matching.store import outcomes as store
from services.matching.store.outcomes import Wanted
from shared.access import Principal, Scope, may
from shared.errors import NotFound, Refusal
from shared.events.base import Side
from shared.http import Body, Caller
from shared.postgres import Connection
from shared.problems import status_of
from shared.sheets import download
from shared.web.pages import language_of

DEALS_MAX = 100
USUAL = ("USD", "CNY", "EUR", "HKD")
"""Currencies that a form offers first."""

router = APIRouter(include_in_schema=False)


class Asked(BaseModel):
    """Of which mission the ledger is shown, of which stop, after which deal; and who met.

    What mail programs and messengers add to an address is passed over.
    """

    mission_id: UUID | None = None
    stop_id: UUID | None = None
    meeting: UUID | None = None
    after: UUID | None = None


@router.get("/outcomes")
async def ledger_page(
    asked: Annotated[Asked, Query()], request: Request, held: Held, who: Caller
) -> Response:
    """Show the deals that somebody may read, with totals, and let that person state one."""
    return await show_ledger(request, held, who, asked)


@router.get("/outcomes/all.{kind}")
async def export(  # each is given by the framework
    *,
    kind: Literal["csv", "xlsx"],
    mission_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    stop_id: UUID | None = None,
) -> Response:
    """Give the deals that somebody may read as a file."""
    file = tempfile.TemporaryFile()  # noqa: SIM115  # closed when all of it is sent
    try:
        async with held.database.reading() as connection:
            stops = {stop["id"]: stop for stop in await store.stops(connection, mission_id)}
            parts = ledger.readable(connection, who, Wanted(mission_id, stop_id))
            async with sheet(kind, file, language_of(request)) as write:
                async for found in parts:
                    names = await _names(connection, found)
                    await asyncio.to_thread(write, found, stops, names)
    except BaseException:
        file.close()
        raise
    return download(file, kind, f'attachment; filename="outcomes.{kind}"')


@router.get("/outcomes/{outcome_id}")
async def deal_page(outcome_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show a deal, what was said of it, and what this reader may say."""
    return await show_deal(request, held, who, outcome_id)


async def show_ledger(
    request: Request,
    held: Resources,
    who: Principal,
    asked: Asked,
    refusal: Refusal | None = None,
    form: Body | None = None,
) -> Response:
    """Show the deals that somebody may read, and the form that was refused as it was sent."""
    mission_id, stop_id, meeting_id = asked.mission_id, asked.stop_id, asked.meeting
    async with held.database.reading() as connection:
        if meeting_id:
            mission_id = (await looking.existing_meeting(connection, meeting_id)).mission_id
        mission_id = mission_id or who.mission_id
        choices = await store.missions(connection) if who.role == "mission_staff" else []
        if mission_id is None and len(choices) == 1:
            mission_id = choices[0]["id"]
        if mission_id is None:
            return pages.render(request, "outcomes_choose.html", missions=choices)
        stops = await store.stops(connection, mission_id)
        if stop_id and all(stop["id"] != stop_id for stop in stops):
            raise NotFound("This mission has no such stop.")
        wanted = Wanted(mission_id, stop_id)
        shown, following = await ledger.page(connection, who, wanted, asked.after, DEALS_MAX)
        names = await _names(connection, shown)
        is_staff = who.role == "mission_staff" or who.is_partner
        counted = await ledger.counted(connection, who, Wanted(mission_id)) if is_staff else None
        sees_feedback = may(who, "feedback.write", Scope(mission_id))
        felt = await feedback.summary(connection, mission_id, stop_id) if sees_feedback else ()
        with_whom = await _with_whom(connection, who, meeting_id, stop_id)
    return pages.render(
        request,
        "outcomes.html",
        status=status_of(refusal) if refusal else 200,
        **company_words(request),
        stops={stop["id"]: stop for stop in stops},
        stop_id=stop_id,
        mission_id=mission_id,
        counted=counted,
        nothing=totals([]),
        deals=shown,
        after=asked.after,
        following=following,
        names=names,
        waits=lambda one: _may(who, one, "verify"),
        felt=[one for one in felt if one.answers],
        with_whom=with_whom,
        chosen=meeting_id,
        kinds=KINDS,
        currencies=[*USUAL, *sorted(CURRENCIES - set(USUAL))],
        is_staff=is_staff,
        sees_report=may(who, "outcome.read", Scope(mission_id)),
        refusal=refusal,
        form=form,
        money=money,
    )


async def show_deal(
    request: Request,
    held: Resources,
    who: Principal,
    outcome_id: UUID,
    refusal: Refusal | None = None,
) -> Response:
    """Show a deal; raises `NotFound` and `Forbidden`."""
    async with held.database.reading() as connection:
        found, people = await ledger.existing(connection, who, "outcome.read", outcome_id)
        names = await _names(connection, [found])
        stop = await looking.existing_stop(connection, found.outcome["stop_id"])
    own = _own_side(who, people)
    return pages.render(
        request,
        "outcome.html",
        status=status_of(refusal) if refusal else 200,
        **company_words(request),
        found=found,
        now=found.standing,
        date_of=lambda moment: moment.astimezone(ZoneInfo(stop["timezone"])).date(),
        names=names,
        stop=stop,
        may={act: _may(who, found, act, own) for act in ("verify", "dispute", "retract")},
        kinds=KINDS,
        currencies=[*USUAL, *sorted(CURRENCIES - set(USUAL))],
        is_staff=who.role == "mission_staff" or who.is_partner,
        refusal=refusal,
        money=money,
    )


def _may(who: Principal, found: Found, act: str, side: Side | None = None) -> bool:
    """Say whether a button for it is worth showing."""
    side = side or {"delegate": "delegation", "local": "local"}.get(who.role)  # type: ignore[assignment]  # these are sides
    by = Speaker(who.subject, who.role, side)
    try:
        if act == "retract":
            check_retraction(found.standing, by)
        elif act == "verify":
            check_judgement(found.standing, "verify", by)
        else:
            check_judgement(found.standing, "dispute", by)
    except Refusal:
        return False
    return True


def _own_side(who: Principal, people: Sequence[store.Row]) -> Side | None:
    """Say for which side a partner speaks, where it invited people of one alone."""
    sides = {one["side"] for one in people if one["partner_id"] == who.partner_id}
    return sides.pop() if who.is_partner and len(sides) == 1 else None


async def _names(connection: Connection, found: Sequence[Found]) -> Mapping[UUID, store.Row]:
    ids = {
        one.outcome[name]
        for one in found
        for name in ("delegate_organization_id", "local_organization_id")
    }
    return await choosing.companies(connection, ids)


async def _seen(
    connection: Connection, who: Principal, stop_id: UUID, found: Sequence[Meeting]
) -> list[Meeting]:
    stop = await looking.existing_stop(connection, stop_id)
    if not may(who, "board.read", Scope(stop["mission_id"], stop_id)):
        return []
    return await seen(connection, who, stop, found)


async def _with_whom(
    connection: Connection, who: Principal, meeting_id: UUID | None, stop_id: UUID | None
) -> list[dict[str, Any]]:
    """List the meetings of which somebody may state an outcome: one's own, for staff a stop's."""
    rows = [dict(row) for row in await store.met(connection, who.subject)]
    found: list[Meeting] = []
    if who.role == "mission_staff" or who.is_partner:
        if meeting_id:
            meeting = await looking.existing_meeting(connection, meeting_id)
            found += await _seen(connection, who, meeting.stop_id, [meeting])
        if stop_id:
            met = await meetings.of_stop(connection, stop_id)
            found += await _seen(connection, who, stop_id, met)
    known = {row["id"] for row in rows}
    rows += [
        {"id": one.id, "delegate_id": one.delegate_id, "local_id": one.local_id}
        for one in found
        if one.id not in known and one.state not in ("cancelled", "no_show")
    ]
    people = {row[name] for row in rows for name in ("delegate_id", "local_id")}
    companies = await meetings.companies(connection, people)
    return [
        row
        | {
            "others": [
                companies[row[name]]
                for name in ("delegate_id", "local_id")
                if row[name] != who.subject
            ]
        }
        for row in rows
    ]
