"""What a stop's schedule has to respect, in words: ways, hours, orders and rests."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import combinations
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.matching.commands import looking, ruling
from services.matching.domain.scoring import Profile
from services.matching.pages.hours import Hours, day_of, hours_of
from services.matching.pages.naming import company_words, names
from services.matching.pages.rendering import pages
from services.matching.resources import Held, Resources
from services.matching.store import facts, sessions
from services.matching.store import rules as store
from shared.access import Principal, Scope, require
from shared.errors import NotFound
from shared.http import Caller
from shared.postgres import Connection
from shared.web.pages import language_of, zone_name

FOUND_MAX = 30
SPARE_ROWS = 2
"""Empty rows for times that are added."""

Way = tuple[str, str, str]
"""Two venues, and the minutes between them as they are typed."""

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Wrong:
    """What was not taken: the section, the places in it that are wrong, and all as it was typed.

    `is_stale` where somebody else changed the section meanwhile.
    """

    about: str
    places: frozenset[str] = frozenset()
    typed: Mapping[str, str] = field(default_factory=dict)
    ways: Sequence[Way] = ()
    hours: Sequence[Hours] = ()
    is_stale: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose hours are changed, who is looked for, and what was wrong with what was sent."""

    person_id: UUID | None = None
    q: str = ""
    wrong: Wrong | None = None


@router.get("/stops/{stop_id}/matching/rules")
async def rules(  # each is given by the framework
    *,
    stop_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    person: UUID | None = None,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Show a stop's rules, and the hours of one person to be changed."""
    stop = await require_stop(held, who, stop_id)
    return await page(request, held, who, stop, Wanted(person, " ".join(q.split())))


async def require_stop(held: Resources, who: Principal, stop_id: UUID) -> facts.Row:
    """Read a stop; raises `NotFound`, and `Forbidden` for who may not make its schedules."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
    require(who, "schedule.write", Scope(stop["mission_id"], stop_id))
    return stop


async def page(
    request: Request, held: Resources, who: Principal, stop: facts.Row, wanted: Wanted
) -> Response:
    """Render the page; raises `NotFound` for the hours of somebody who is not at the stop."""
    wrong = wanted.wrong
    async with held.database.reading() as connection:
        found = await _read(connection, stop)
    profiles, helpers = found["profiles"], found["helpers"]
    if wanted.person_id and wanted.person_id not in {*profiles, *helpers}:
        raise NotFound("There is nobody like this at the stop.")
    partners = {one.id: one.partner_id for one in profiles.values()}
    scope = Scope(stop["mission_id"], stop["id"])
    shown = {*found["hours"], *filter(None, [wanted.person_id]), *_matching(wanted.q, profiles)}
    known = {person: partners.get(person) for person in {*shown, *helpers}}
    name = await names(held, who, scope, known)
    language = language_of(request)
    return pages.render(
        request,
        "rules.html",
        status=(409 if wrong.is_stale else 422) if wrong else 200,
        **company_words(request),
        **found,
        stop=stop,
        wrong=wrong or Wrong(""),
        way_rows=wrong.ways if wrong and wrong.ways else found["ways"],
        person=wanted.person_id,
        hour_rows=_rows(wanted, found),
        q=wanted.q,
        matching=_matching(wanted.q, profiles),
        saved=request.query_params.get("saved", ""),
        name=lambda one: name(one, language),
        zone=zone_name(_noon(stop), stop["timezone"], language),
    )


async def _read(connection: Connection, stop: facts.Row) -> dict[str, Any]:
    """Read all that the page shows."""
    held = await sessions.of_stop(connection, stop["id"])
    venues = set((await sessions.venues(connection, stop["id"])).values()) | {""}
    times = await ruling.availabilities(connection, stop["id"])
    moments = {
        person: [(one["starts_at"], one["ends_at"]) for one in own] for person, own in times.items()
    }
    zone = stop["timezone"]
    hours = {person: hours_of(own, zone) for person, own in moments.items()}
    days = {row.day for rows in hours.values() for row in rows}
    days |= {day_of(one["starts_at"], zone) for one in held} | {stop["held_on"].isoformat()}
    return {
        "ways": _ways(venues, await store.ways(connection, stop["id"])),
        "hours": hours,
        "days": [date.fromisoformat(text) for text in sorted(days)],
        "orders": [
            (row["id"], store.pairs_of(row))
            for row in await store.precedences(connection, stop["id"])
        ],
        "rest": await store.rest(connection, stop["id"]),
        "revisions": await store.revisions(connection, stop["id"]),
        "profiles": {one.id: one for one in await facts.profiles(connection, stop["id"])},
        "helpers": [row["id"] for row in await facts.interpreters(connection, stop["id"])],
    }


def _noon(stop: facts.Row) -> datetime:
    """Give a moment of the stop's day, by which its zone is named."""
    return datetime.combine(stop["held_on"], time(12), ZoneInfo(stop["timezone"]))


def _ways(venues: Iterable[str], rows: Iterable[store.Row]) -> Sequence[Way]:
    """Give each pair of venues with its minutes, those of no session any more too."""
    told = {frozenset((row["one"], row["other"])): str(row["minutes"]) for row in rows}
    pairs = [frozenset(pair) for pair in combinations(sorted(venues), 2)]
    every = dict.fromkeys([*pairs, *told])
    return [(*sorted(pair), told.get(pair, "")) for pair in every]


def _rows(wanted: Wanted, found: Mapping[str, Any]) -> Sequence[Hours]:
    """Give the times of whoever is chosen, or as they were typed, and empty rows after them."""
    wrong = wanted.wrong
    if wrong and wrong.about == "hours":
        rows = list(wrong.hours)
    else:
        rows = list(found["hours"].get(wanted.person_id, ()))
    first = found["days"][0].isoformat()
    return [*rows, *[Hours(first, "", "")] * SPARE_ROWS]


def _matching(q: str, profiles: Mapping[UUID, Profile]) -> Sequence[UUID]:
    """Find participants by a part of their company's name, in either script."""
    sought = q.casefold()
    found = [
        one.id
        for one in profiles.values()
        if q and sought in f"{one.organization} {one.native_organization or ''}".casefold()
    ]
    return found[:FOUND_MAX]
