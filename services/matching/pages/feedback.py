"""Feedback at the table: two taps on the phone right after a meeting, and a note for who wants."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import Field

from services.matching.acting import author
from services.matching.commands import feedback, looking
from services.matching.domain.feedback import USEFULNESS_MAX, NextStep, Opinion, side_of
from services.matching.domain.meetings import Meeting
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import feedback as store
from services.matching.store import meetings, sessions
from shared.access import Principal, Scope, require
from shared.http import Body, Caller, Now
from shared.web.pages import language_of

STEPS: tuple[NextStep, ...] = ("follow_up", "sample_or_quote", "meet_again", "negotiate", "none")

router = APIRouter(include_in_schema=False)


class FeedbackForm(Body):
    """One tap: what is not in it stays as it was said before."""

    person: UUID
    was_held: bool | None = None
    usefulness: Annotated[int, Field(ge=1, le=USEFULNESS_MAX)] | None = None
    next_step: NextStep | None = None
    note: Annotated[str, Field(max_length=1_000)] | None = None


@router.get("/meetings/{meeting_id}/feedback")
async def ask(  # noqa: PLR0913  # each is given by the framework
    *,
    meeting_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    person: UUID | None = None,
    again: bool = False,
) -> Response:
    """Ask what a meeting was to one of the two: the first thing that was not said yet."""
    about = person or who.subject
    meeting = await _require_for(held, who, meeting_id, about)
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, meeting.stop_id)
        labels = await sessions.labels(connection, meeting.stop_id)
        companies = await meetings.companies(connection, meeting.people)
    (other,) = [one for one in meeting.people if one != about]
    name = await names(held, who, Scope(meeting.mission_id, stop["id"]), {other: None}, [other])
    said = None if again else await _said(held, meeting, about)
    return pages.render(
        request,
        "feedback.html",
        **company_words(request),
        meeting=meeting,
        stop=stop,
        point=labels[meeting.spot.point_id],
        other=companies[other],
        other_name=name(other, language_of(request)),
        about=about,
        on_behalf=about != who.subject and companies[about],
        said=said,
        step=_step(said),
        steps=STEPS,
        scores=range(1, USEFULNESS_MAX + 1),
        is_early=meeting.state in ("scheduled", "called") and now < meeting.spot.starts_at,
        is_cancelled=meeting.state == "cancelled",
    )


@router.post("/meetings/{meeting_id}/feedback")
async def say(
    meeting_id: UUID, form: Annotated[FeedbackForm, Form()], held: Held, who: Caller, now: Now
) -> Response:
    """Take one tap in, and ask the next thing."""
    meeting = await _require_for(held, who, meeting_id, form.person)
    said = await _said(held, meeting, form.person) or {}
    opinion = _merged(said, form)
    by = author(who)
    await feedback.say(held.database, (meeting_id, form.person), opinion, by, now)
    who_for = "" if form.person == who.subject else f"?person={form.person}"
    return RedirectResponse(f"/meetings/{meeting_id}/feedback{who_for}", 303)


def _merged(said: dict[str, Any], form: FeedbackForm) -> Opinion:
    was_held = said.get("was_held", True) if form.was_held is None else form.was_held
    if not was_held:
        return Opinion(was_held=False, note=form.note or said.get("note"))
    return Opinion(
        was_held=True,
        usefulness=form.usefulness or said.get("usefulness"),
        next_step=form.next_step or said.get("next_step"),
        note=form.note or said.get("note"),
    )


def _step(said: dict[str, Any] | None) -> str:
    """Say what is asked now."""
    if said is None:
        return "useful"
    if not said["was_held"]:
        return "thanks"
    if said["usefulness"] is None:
        return "useful"
    return "thanks" if said["next_step"] else "next"


async def _said(held: Resources, meeting: Meeting, person: UUID) -> dict[str, Any] | None:
    side = side_of(meeting, person)
    async with held.database.reading() as connection:
        rows = await store.of_meeting(connection, meeting.id)
    return next((dict(row) for row in rows if row["side"] == side), None)


async def _require_for(held: Resources, who: Principal, meeting_id: UUID, person: UUID) -> Meeting:
    async with held.database.reading() as connection:
        meeting = await looking.existing_meeting(connection, meeting_id)
        rows = await meetings.companies(connection, meeting.people)
    partner = rows[person]["partner_id"] if person in rows else None
    people = (person,) if person in meeting.people else ()
    require(who, "feedback.write", Scope(meeting.mission_id, meeting.stop_id, people, partner))
    side_of(meeting, person)
    return meeting
