"""Repairs of the running day: what happened, what is proposed, and what was decided."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.matching.allowing import allow, shown
from services.matching.commands import looking, reviewing
from services.matching.domain.meetings import NOT_BEGUN, Meeting
from services.matching.domain.repair.record import Kind
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.repair_bodies import RULE_MEETINGS_MAX
from services.matching.resources import Held, Resources
from services.matching.store import absences, facts, meetings, sessions
from services.matching.store import repairs as store
from shared.access import Principal, Scope, may
from shared.http import Caller, Now
from shared.postgres import Connection
from shared.web.pages import language_of

KINDS: Sequence[Kind] = (
    "late",
    "unavailable",
    "point_lost",
    "overrun",
    "leaves_early",
    "placement",
)
ABOUT_PEOPLE: Sequence[Kind] = ("late", "leaves_early", "placement")
NEAR_MAX = 6
"""How many people are offered before anybody is searched for."""
FOUND_MAX = 30
MINUTES = (5, 10, 15, 20, 30)

Name = Callable[[UUID, str], str]

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which form the page shows, whom it looks for, and what was wrong with what was sent."""

    kind: Kind = "late"
    q: str = ""
    wrong: Sequence[str] = ()
    given: Mapping[str, str] = field(default_factory=dict)
    rule: str | None = None
    """What was typed for the rule, where it was wrong."""


@router.get("/stops/{stop_id}/repairs")
async def repairs(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
    kind: Kind = "late",
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Ask what happened, and show what was proposed before."""
    await allow(held, who, stop_id)
    return await page(request, held, who, stop_id, (Asked(kind, " ".join(q.split())), now))


@router.get("/stops/{stop_id}/repairs/{repair_id}")
async def repair(
    stop_id: UUID, repair_id: UUID, request: Request, held: Held, who: Caller
) -> Response:
    """Show a repair beside today's plan: what it moves and drops, and who is to be told."""
    view = await shown(held, who, repair_id)
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, view["stop_id"])
        people = await meetings.companies(connection, reviewing.people_of(view))
    others = [*view["people"], *(one["actor_id"] for one in view["trail"]), *_interpreters(view)]
    name = await _names(held, who, stop, people, others)
    del stop_id
    return pages.render(
        request,
        "repair.html",
        **company_words(request),
        stop=stop,
        repair=view,
        people=people,
        name=_named(name, request),
        what=await _subject(held, view, people),
        may_be_nearer=_may_be_nearer(view),
    )


def _interpreters(view: reviewing.View) -> set[UUID]:
    """Give who interprets what a repair moves, drops, leaves or adds."""
    meetings_told = [*view["touched"], *view["left"], *view["additions"], *view["offers"]]
    spots = [one.get(name) for one in meetings_told for name in ("now", "to")]
    return {spot["interpreter_id"] for spot in spots if spot and spot["interpreter_id"]}


def _may_be_nearer(view: reviewing.View) -> bool:
    """Say whether a longer search might shift what is moved by less, though it moves no fewer."""
    shifted = [
        one
        for one in view["touched"]
        if one["to"] and one["to"]["starts_at"] != one["now"]["starts_at"]
    ]
    return bool(shifted) and view["moves_proven"] and not view["is_nearest"]


async def page(
    request: Request,
    held: Resources,
    who: Principal,
    stop_id: UUID,
    asked: tuple[Asked, datetime],
) -> Response:
    """Render the page that asks what happened."""
    ask, now = asked
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        day = await _day(connection, stop_id, now)
    people, sides = day["people"], day["sides"]
    idle = _idle(sides, day["found"], day["arrived"]) if ask.kind == "placement" else []
    near = idle or _near(day["found"], day["arrived"])
    running = [one for one in day["found"] if one.state == "in_progress"]
    running.sort(key=lambda one: day["labels"][one.spot.point_id])
    delegates = [person for person, side in sides.items() if side == "delegation"]
    about = {*near, *delegates, *(person for one in running for person in one.people)}
    about |= {view["happened"]["subject_id"] for view in day["listed"]}
    about |= {row["resource_id"] for row in day["away"]}
    shown_people = people if ask.q else {p: row for p, row in people.items() if p in about}
    name = await _names(held, who, stop, shown_people, [row["id"] for row in day["helpers"]])
    scope = Scope(stop["mission_id"], stop_id)
    return pages.render(
        request,
        "repairs.html",
        status=422 if ask.wrong or ask.rule is not None else 200,
        **company_words(request),
        **day,
        stop=stop,
        asked=ask,
        kinds=KINDS,
        is_about_people=ask.kind in ABOUT_PEOPLE,
        minutes=MINUTES,
        legend="repairs_found" if ask.q else "repairs_idle" if idle else "repairs_next",
        choices=_matching(ask.q, people, name) if ask.q else near,
        running=running,
        delegates=delegates,
        name=_named(name, request),
        rule_max=RULE_MEETINGS_MAX,
        may_rule=may(who, "schedule.write", scope),
    )


async def _day(connection: Connection, stop_id: UUID, now: datetime) -> dict[str, Any]:
    """Read what the page shows of a stop's day."""
    sides = {row["id"]: row["side"] for row in await store.people_at(connection, stop_id)}
    rows = await store.of_stop(connection, stop_id)
    away = await absences.of_stop(connection, stop_id)
    return {
        "found": await meetings.of_stop(connection, stop_id),
        "sides": sides,
        "people": await meetings.companies(connection, sides),
        "arrived": {
            row["participant_id"]
            for row in await facts.places(connection, stop_id)
            if row["checked_in_at"]
        },
        "away": [one for one in away if one["ends_at"] > now],
        "listed": await reviewing.views(connection, stop_id, rows, in_full=False),
        "helpers": await facts.interpreters(connection, stop_id),
        "labels": await sessions.labels(connection, stop_id),
        "closed": await sessions.closings(connection, stop_id),
        "moments": await _moments(connection, stop_id, now),
        "rule": await store.rule(connection, stop_id),
    }


def _near(found: Iterable[Meeting], arrived: set[UUID]) -> list[UUID]:
    """Give whose meetings are the next to come, who have not arrived before all others."""
    to_come = [person for one in found if one.state in NOT_BEGUN for person in one.people]
    people = list(dict.fromkeys(to_come))
    missing = [person for person in people if person not in arrived]
    return (missing or people)[:NEAR_MAX]


def _idle(people: Iterable[UUID], found: Iterable[Meeting], arrived: set[UUID]) -> list[UUID]:
    """Give who has no meeting, who has arrived before all others: walk-ins, as a rule."""
    busy = {person for one in found if one.state != "cancelled" for person in one.people}
    idle = [person for person in people if person not in busy]
    return sorted(idle, key=lambda person: person not in arrived)[:NEAR_MAX]


def _matching(q: str, companies: Mapping[UUID, Any], name: Name) -> list[UUID]:
    """Find people by a part of their name, or of their company's, in either script."""
    words = q.casefold().split()

    def text(person: UUID) -> str:
        company = companies[person]
        parts = (company["organization"], company["native_organization"])
        both = (name(person, "en"), name(person, "zh"))
        return " ".join(filter(None, (*parts, *both))).casefold()

    found = (person for person in companies if all(word in text(person) for word in words))
    return list(islice(found, FOUND_MAX))


async def _moments(connection: Connection, stop_id: UUID, now: datetime) -> list[datetime]:
    """List when the slots begin that are still to come."""
    starts = {
        slot.starts_at
        for session in await sessions.of_stop(connection, stop_id)
        for slot in sessions.slots(session)
    }
    return sorted(start for start in starts if start > now)


async def _names(
    held: Resources,
    who: Principal,
    stop: facts.Row,
    companies: Mapping[UUID, Any],
    others: Iterable[UUID] = (),
) -> Name:
    partners = {person: row["partner_id"] for person, row in companies.items()}
    everybody = dict.fromkeys(others) | partners
    return await names(held, who, Scope(stop["mission_id"], stop["id"]), everybody)


def _named(name: Name, request: Request) -> Callable[[UUID], str]:
    language = language_of(request)
    return lambda person: name(person, language)


async def _subject(
    held: Resources, view: reviewing.View, people: Mapping[UUID, Any]
) -> dict[str, Any]:
    """Say what a repair is about: the company of a person, or the meeting that runs over."""
    subject = view["happened"]["subject_id"]
    meeting = None
    if view["happened"]["kind"] == "overrun":
        async with held.database.reading() as connection:
            meeting = await meetings.one(connection, subject)
    return {"company": people.get(subject), "meeting": meeting}
