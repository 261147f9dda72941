"""The organiser's list of a stop: filters, pages, and one decision about many."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from services.registration.asking import LIMIT_MAX, Narrowing, Shown, narrowed
from services.registration.commands import bulk
from services.registration.commands.missions import existing_mission, existing_stop
from services.registration.domain.bulk import OUTCOMES, allows
from services.registration.domain.listing import Cursor, Filter, Sort
from services.registration.domain.names import displayed
from services.registration.domain.places import Decision, Status
from services.registration.pages.moments import on_day
from services.registration.pages.rendering import COUNTRIES, pages
from services.registration.resources import Held
from services.registration.seeing import scope_of
from services.registration.store import bulk as jobs
from services.registration.store import lists
from services.registration.store import missions as store
from shared.access import Action, Principal, Scope, may, require
from shared.errors import Conflict, Malformed
from shared.http import Caller, Now
from shared.idempotency import Key
from shared.postgres import Connection
from shared.web.pages import bilingual, language_of

SOURCES = ("self", "partner_api", "import", "walk_in")
BADGES: Mapping[str, str] = {
    "confirmed": "good",
    "pending_approval": "warn",
    "offered": "warn",
    "waitlisted": "info",
    "rejected": "bad",
}
NARROWER = ("item_id", "partner_id", "side", "source", "checked_in", "since", "country", "sector")
REFUSALS_SHOWN_MAX = 200

router = APIRouter(include_in_schema=False)


class Choice(BaseModel):
    """What was chosen on the page: some rows, or everything that matches."""

    decision: Decision
    ids: list[UUID] = Field(default_factory=list, alias="id", max_length=LIMIT_MAX)
    everything: bool = Field(default=False, alias="all")


class Confirmed(Choice):
    """What was previewed: no row stands for everything that matched."""

    key: UUID
    total: int = Field(ge=0)


@router.get("/desk/stops/{stop_id}/registrations")
async def registrations(
    stop_id: UUID,
    asked: Annotated[Shown, Query()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Show who registered for a stop."""
    asked = _of_stop(asked, stop_id)
    async with held.database.reading() as connection:
        wanted = await narrowed(connection, who, asked, "people.read")
        async with lists.planned(connection):
            found = await lists.find(
                connection, wanted, asked.sort, asked.place(), limit=asked.limit
            )
            rows = await lists.rows(connection, found.ids)
            counts = await lists.counts(connection, wanted)
        about = await _about(connection, who, wanted)
    path, is_cut = request.url.path, lists.is_cut(wanted, counts)
    return pages.render(
        request,
        "lists.html",
        **about,
        asked=asked,
        path=path,
        rows=rows,
        counts=counts,
        is_cut=is_cut,
        matching=_matching(wanted, counts),
        many=lambda number: f"{number:,}" + ("+" if is_cut else ""),
        narrower=[name for name in NARROWER if getattr(asked, name) is not None],
        said=_said(request, asked, about),
        stop_time=about["items"][0]["starts_at"] if about["items"] else now,
        decisions=_decisions(who, about["stop"]),
        can_export=may(who, "list.export", scope_of(about["stop"])),
        # Partners see their own people alone here.
        can_take_back=may(who, "check_in", scope_of(about["stop"], who.seen_partner)),
        next=_end(asked, rows, path, "next", found),
        prev=_end(asked, rows, path, "prev", found),
        **_words(request),
    )


@router.post("/desk/stops/{stop_id}/registrations/preview")
async def preview(
    stop_id: UUID,
    asked: Annotated[Shown, Query()],
    request: Request,
    held: Held,
    who: Caller,
    given: Annotated[Choice, Form()],
) -> Response:
    """Say what a decision would be about, before it is made."""
    asked = _of_stop(asked, stop_id)
    decision, selected = given.decision, None if given.everything else given.ids
    async with held.database.reading() as connection:
        order = await _order(connection, who, asked, decision, selected)
        if selected == []:
            return RedirectResponse(asked.link(_path(stop_id)), 303)
        async with lists.planned(connection):
            seen = await bulk.preview(connection, order)
        about = await _about(connection, who, order.wanted)
    refused = [status for status in seen.by_status if not allows(Status(status), decision)]
    return pages.render(
        request,
        "lists_preview.html",
        **about,
        asked=asked,
        action=asked.link(f"{_path(stop_id)}/decide"),
        back=asked.link(_path(stop_id)),
        decision=decision.value,
        ids=selected,
        seen=seen,
        refused=refused,
        key=uuid4(),
        **_words(request),
    )


@router.post("/desk/stops/{stop_id}/registrations/decide")
async def decide(
    stop_id: UUID,
    asked: Annotated[Shown, Query()],
    held: Held,
    who: Caller,
    now: Now,
    given: Annotated[Confirmed, Form()],
) -> Response:
    """Order what was previewed; sent twice it is ordered once."""
    asked = _of_stop(asked, stop_id)
    async with held.database.reading() as connection:
        order = await _order(connection, who, asked, given.decision, given.ids or None, given.total)
    once = Key(f"{who.subject} {_path(stop_id)}/decide", str(given.key), b"")
    try:
        answer = await bulk.start(held.database, order, who, once, now)
    except Conflict:
        return RedirectResponse(asked.link(_path(stop_id), changed="1"), 303)
    return RedirectResponse(f"/desk/bulk-decisions/{answer.content['id']}", 303)


@router.get("/desk/bulk-decisions/{job_id}")
async def job(job_id: UUID, request: Request, held: Held, who: Caller) -> Response:
    """Show how far a job is, and who was refused and why."""
    async with held.database.reading() as connection:
        found = await bulk.existing(connection, job_id, who)
        scope = Scope(found["mission_id"], found["stop_id"], (), who.partner_id)
        require(who, "people.read", scope)
        wanted = Filter(found["mission_id"], found["stop_id"])
        about = await _about(connection, who, wanted)
        refused = await jobs.rows(
            connection, job_id, after=0, limit=REFUSALS_SHOWN_MAX, outcome="refused"
        )
        rows = await lists.rows(connection, [row["registration_id"] for row in refused])
    return pages.render(
        request,
        "lists_job.html",
        **about,
        job=found,
        rows=rows,
        reasons={row["registration_id"]: row["reason"] for row in refused},
        **_words(request),
    )


def _path(stop_id: UUID) -> str:
    return f"/desk/stops/{stop_id}/registrations"


def _of_stop(asked: Shown, stop_id: UUID) -> Shown:
    return asked.model_copy(update={"stop_id": stop_id, "mission_id": None})


def _end(
    asked: Shown, rows: Sequence[asyncpg.Record], path: str, name: str, found: lists.Found
) -> str | None:
    is_before = name == "prev"
    if not rows or not (found.has_before if is_before else found.has_after):
        return None
    row = rows[0] if is_before else rows[-1]
    cursor = Cursor.of(asked.sort, row["id"], row["registered_at"], is_before=is_before)
    return asked.link(path, cursor=str(cursor), stop_id=None)


def _matching(wanted: Filter, counts: Mapping[str, int]) -> int:
    return sum(
        number
        for status, number in counts.items()
        if not wanted.statuses or Status(status) in wanted.statuses
    )


def _decisions(who: Principal, stop: asyncpg.Record) -> list[str]:
    """Say which decisions somebody may take about this list."""
    scope = scope_of(stop, who.seen_partner)
    return [decision.value for decision in OUTCOMES if may(who, _action(decision), scope)]


def _action(decision: Decision) -> Action:
    return "registration.cancel" if decision is Decision.CANCEL else "registration.decide"


async def _order(  # what an order is made of
    connection: Connection,
    who: Principal,
    asked: Narrowing,
    decision: Decision,
    ids: Sequence[UUID] | None,
    total: int | None = None,
) -> bulk.Order:
    if decision not in OUTCOMES:
        raise Malformed("This cannot be decided about many at once.")
    wanted = await narrowed(connection, who, asked, _action(decision))
    return bulk.Order(decision, wanted, ids, total)


async def _about(connection: Connection, who: Principal, wanted: Filter) -> dict[str, Any]:
    """Read what the filters of a page choose from."""
    assert wanted.stop_id is not None
    stop = await existing_stop(connection, wanted.stop_id)
    partners = await store.partners_of(connection, wanted.mission_id)
    items = await store.items_of(connection, wanted.mission_id)
    return {
        "mission": await existing_mission(connection, wanted.mission_id),
        "stop": stop,
        "partners": [] if who.is_partner else partners,
        "partner_names": {partner["id"]: partner["name"] for partner in partners},
        "items": [item for item in items if item["stop_id"] == wanted.stop_id],
    }


def _said(request: Request, asked: Shown, about: dict[str, Any]) -> dict[str, str]:
    """Say each filter in a few words."""
    language = language_of(request)

    def text(key: str) -> str:
        return pages.text(key, language)

    items = {item["id"]: item["title"] for item in about["items"]}
    sectors = about["mission"]["sectors"]
    return {
        "item_id": bilingual(items.get(asked.item_id), language),
        "partner_id": bilingual(about["partner_names"].get(asked.partner_id), language),
        "side": text(f"list_side_{asked.side or 'local'}"),
        "source": text(f"list_source_{asked.source or 'self'}"),
        "checked_in": text("list_arrived" if asked.checked_in else "list_not_arrived"),
        "since": f"≥ {asked.since:%Y-%m-%d}" if asked.since else "",
        "country": COUNTRIES[language].get(asked.country or "", asked.country or ""),
        "sector": bilingual(sectors.get(asked.sector), language) or asked.sector or "",
    }


def _words(request: Request) -> dict[str, Any]:
    language = language_of(request)
    return {
        "statuses": [status.value for status in Status],
        "badges": BADGES,
        "sources": SOURCES,
        "sorts": [sort.value for sort in Sort],
        "countries": COUNTRIES[language],
        "moment": on_day(request),
        "when": lambda moment, zone: f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}",
        "name": lambda row: displayed(
            row["full_name"],
            row["native_name"],
            row["latin_name"],
            "zh" if language == "zh" else "en",
        ),
        "company": lambda row: (
            (row["native_organization"] if language == "zh" else None) or row["organization"] or ""
        ),
    }
