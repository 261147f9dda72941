"""The board of a stop: slots by tables, the schedule's versions, and the commands of the day."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx2
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.matching.allowing import seen
from services.matching.commands import editing, looking, publishing
from services.matching.domain.explaining import sentence
from services.matching.domain.meetings import Meeting
from services.matching.pages.rendering import pages
from services.matching.pages.scheduling import card_facts, require_writer, why_refused
from services.matching.resources import Held, Resources
from services.matching.store import facts, meetings, sessions
from shared.access import Scope, may, require
from shared.contacts import Contact
from shared.errors import Conflict
from shared.http import Caller, now
from shared.postgres import Connection
from shared.web.pages import language_of

router = APIRouter(include_in_schema=False)

log = structlog.get_logger()


@router.get("/stops/{stop_id}/board")
async def board(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show the board."""
    return pages.render(request, "board.html", refused=None, **await _shown(held, who, stop_id))


@router.get("/stops/{stop_id}/board/content")
async def content(stop_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show the part of the board that changes; the page asks for it after each change."""
    return pages.render(request, "content.html", **await _shown(held, who, stop_id))


@router.post("/stops/{stop_id}/board/schedules/{schedule_id}/publish")
async def publish(
    stop_id: UUID, schedule_id: UUID, request: Request, held: Held, who: Caller
) -> Response:
    """Publish a schedule and go back to the board; what stands against it is shown there."""
    async with held.database.reading() as connection:
        schedule = await looking.existing_schedule(connection, schedule_id)
    await require_writer(held, who, schedule["stop_id"])
    try:
        await publishing.publish(held.database, schedule_id, now)
    except Conflict as refusal:
        async with held.database.reading() as connection:
            row = await looking.existing_version(connection, schedule_id)
            found = await editing.compared(connection, row)
        language = language_of(request)
        sentences = [sentence(one, found.names).in_(language) for one in found.misfits]
        reasons = sentences if row["state"] == "provisional" else []
        reasons = reasons or [why_refused(refusal, row["state"], language)]
        refused = {"reasons": reasons, "schedule_id": schedule_id}
        shown = await _shown(held, who, stop_id)
        return pages.render(request, "board.html", status=409, refused=refused, **shown)
    return RedirectResponse(f"/stops/{stop_id}/board", 303)


async def _shown(held: Resources, who: Caller, stop_id: UUID) -> dict[str, Any]:
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        scope = Scope(stop["mission_id"], stop_id)
        require(who, "board.read", scope)
        found = await seen(connection, who, stop, await meetings.of_stop(connection, stop_id))
        views = await looking.meeting_views(connection, stop_id, found)
        arrived = {
            row["participant_id"]
            for row in await facts.places(connection, stop_id)
            if row["checked_in_at"]
        }
        shown = {
            "grids": await _grids(connection, stop_id, views),
            "arrived": arrived,
            "may_run": may(who, "meeting.run", scope),
            "may_print": may(who, "day_plan.print", replace(scope, hosts=tuple(stop["hosts"]))),
            **await card_facts(connection, who, stop, found),
        }
        people = await _named(connection, who, scope, found)
    return shown | {"names": await _names(held, people)}


async def _grids(
    connection: Connection, stop_id: UUID, views: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Lay each session out: its slots, its points, and the meetings where the two cross."""
    cells = {
        (view["starts_at"], view["point_id"]): view
        for view in views
        if view["state"] != "cancelled"
    }
    return [
        {
            "slots": sessions.slots(session),
            "points": await sessions.points_of(connection, session["id"]),
            "cells": cells,
        }
        for session in await sessions.of_stop(connection, stop_id)
    ]


async def _named(
    connection: Connection, who: Caller, scope: Scope, found: Sequence[Meeting]
) -> set[UUID]:
    """Give whose names somebody may see: a partner those of its own people, others everybody's."""
    people = {person for meeting in found for person in meeting.people}
    partners = {
        person: row["partner_id"]
        for person, row in (await meetings.companies(connection, people)).items()
    }
    people |= {m.spot.interpreter_id for m in found if m.spot.interpreter_id}
    return {
        person
        for person in people
        if may(
            who, "check_in", replace(scope, person_ids=(person,), partner_id=partners.get(person))
        )
    }


async def _names(held: Resources, people: set[UUID]) -> dict[UUID, Contact]:
    """Ask for names; without registration the board shows companies alone."""
    try:
        return await held.contacts.of(people)
    except httpx2.HTTPError as error:
        log.warning("names are not to be had", error=repr(error))
        return {}
