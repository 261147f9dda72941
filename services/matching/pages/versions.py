"""A version before it is published: what it changes for whom, what is in its way, and edits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import AwareDatetime, Json

from services.matching.acting import author
from services.matching.commands import editing, looking, publishing
from services.matching.commands.editing import Compared, Ordered
from services.matching.domain.comparing import Change, by_person
from services.matching.domain.editing import Destination, DoesNotFit, Edit
from services.matching.domain.explaining import sentence
from services.matching.domain.meetings import Spot
from services.matching.domain.versions import Entry
from services.matching.pages.naming import names
from services.matching.pages.rendering import pages
from services.matching.pages.scheduling import why_refused
from services.matching.resources import Held, Resources
from services.matching.store import facts, meetings, sessions
from services.matching.store import versions as store
from shared.access import Principal, Scope, require
from shared.errors import Conflict, Fault, Invalid, NotFound, Refusal, Stale
from shared.events.base import Bilingual
from shared.http import Body, Caller, Now, now
from shared.problems import status_of
from shared.web.pages import language_of

ROWS_MAX = 60
OPTIONS_MAX = 60
COMPANIES_MAX = 3_000

router = APIRouter(include_in_schema=False)


class SpotValue(Body):
    """A start and a point, as the form's options have them."""

    starts_at: AwareDatetime
    point_id: UUID


class EditForm(Body):
    """An edit as the form sends it."""

    kind: Edit
    delegate: UUID
    local: UUID
    revision: int
    spot: Json[SpotValue] | None = None

    @property
    def pair(self) -> tuple[UUID, UUID]:
        """The two, the delegate first."""
        return self.delegate, self.local


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a reader of the page looks for."""

    q: str = ""
    pair: tuple[UUID, UUID] | None = None
    refusal: Refusal | None = None


@router.get("/stops/{stop_id}/board/schedules/{schedule_id}")
async def version(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    schedule_id: UUID,
    request: Request,
    held: Held,
    who: Caller,
    q: Annotated[str, Query(max_length=100)] = "",
    delegate: UUID | None = None,
    local: UUID | None = None,
) -> Response:
    """Show what a version changes for whom, and let staff change it."""
    pair = (delegate, local) if delegate and local else None
    return await _page(request, held, who, (stop_id, schedule_id), Wanted(q.strip(), pair))


@router.post("/stops/{stop_id}/board/schedules/{schedule_id}/edit")
async def edit(  # noqa: PLR0913  # each is given by the framework
    *,
    stop_id: UUID,
    schedule_id: UUID,
    form: Annotated[EditForm, Form()],
    request: Request,
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Take an edit, and show the version again, with the reason where a rule stands against it."""
    await require_version(held, who, stop_id, schedule_id)
    to = None
    if form.kind in ("add", "move"):
        if form.spot is None:
            raise Invalid("Choose a place.", faults=[Fault("/spot", "A meeting needs one.")])
        to = Destination(form.spot.starts_at, form.spot.point_id)
    order = Ordered(schedule_id, form.revision, author(who), now)
    try:
        await editing.edit(held.database, order, form.kind, form.pair, to)
    except Refusal as refusal:
        wanted = Wanted("", form.pair, refusal)
        return await _page(request, held, who, (stop_id, schedule_id), wanted)
    return RedirectResponse(f"/stops/{stop_id}/board/schedules/{schedule_id}#edit", 303)


@router.post("/stops/{stop_id}/board/schedules/{schedule_id}/review")
async def review(
    stop_id: UUID,
    schedule_id: UUID,
    revision: Annotated[int, Form()],
    held: Held,
    who: Caller,
    now: Now,
) -> Response:
    """Note that the version was looked through, and go back to it."""
    await require_version(held, who, stop_id, schedule_id)
    await editing.review(held.database, Ordered(schedule_id, revision, author(who), now))
    return RedirectResponse(f"/stops/{stop_id}/board/schedules/{schedule_id}", 303)


@router.post("/stops/{stop_id}/board/schedules/{schedule_id}/publish-reviewed")
async def publish(
    stop_id: UUID,
    schedule_id: UUID,
    revision: Annotated[int, Form()],
    request: Request,
    held: Held,
    who: Caller,
) -> Response:
    """Publish exactly what the page showed; what does not fit any more is shown instead."""
    await require_version(held, who, stop_id, schedule_id)
    try:
        await publishing.publish(held.database, schedule_id, now, revision)
    except (Conflict, Stale) as refusal:
        wanted = Wanted("", None, refusal)
        return await _page(request, held, who, (stop_id, schedule_id), wanted)
    return RedirectResponse(f"/stops/{stop_id}/board", 303)


async def require_version(
    held: Resources, who: Principal, stop_id: UUID, schedule_id: UUID
) -> tuple[facts.Row, looking.Row]:
    """Read a version and its stop; raises `NotFound` and `Forbidden`."""
    async with held.database.reading() as connection:
        stop = await looking.existing_stop(connection, stop_id)
        row = await looking.existing_version(connection, schedule_id)
    require(who, "schedule.write", Scope(stop["mission_id"], stop_id))
    if row["stop_id"] != stop_id:
        raise NotFound("There is no such schedule at this stop.")
    return stop, row


async def _page(
    request: Request,
    held: Resources,
    who: Principal,
    where: tuple[UUID, UUID],
    wanted: Wanted,
) -> Response:
    stop, row = await require_version(held, who, *where)
    async with held.database.reading() as connection:
        found = await editing.compared(connection, row)
        labels = await sessions.labels(connection, stop["id"])
        everybody = await facts.profiles(connection, stop["id"])
        people = {person for change in found.changes for person in change.people}
        people |= {person for entry in store.entries_of(row) for person in entry.people}
        partners = {
            person: one["partner_id"]
            for person, one in (await meetings.companies(connection, people)).items()
        }
    helpers = {h: None for person in by_person(found.changes) if (h := person) not in partners}
    scope = Scope(stop["mission_id"], stop["id"])
    name = await names(held, who, scope, partners | helpers)
    language = language_of(request)
    entries = store.entries_of(row)
    look = _Look(found, language, lambda person: name(person, language))
    chosen = await _chosen(held, row, wanted, entries)
    overtaken = {one.entry.people for one in found.misfits if one.code == "fixed"}
    refusal = wanted.refusal
    return pages.render(
        request,
        "version.html",
        status=status_of(refusal) if refusal else 200,
        stop=stop,
        version=row,
        entries=look.matching(entries, wanted.q, lambda entry: entry.people)[:ROWS_MAX],
        meetings=len(entries),
        changes=look.matching(
            list(by_person(found.changes).items()), wanted.q, lambda one: (one[0],)
        )[:ROWS_MAX],
        people_told=len(by_person(found.changes)),
        counts=_counts(found.changes),
        conflicts=[(sentence(one, found.names).in_(language), one.entry) for one in found.misfits],
        reasons=_reasons(refusal, language),
        why=why_refused(refusal, row["state"], language) if refusal else "",
        refusal=refusal,
        look=look,
        spot_value=spot_value,
        labels=labels,
        chosen=chosen,
        is_overtaken=wanted.pair in overtaken,
        sides={
            side: [one for one in everybody if one.side == side][:COMPANIES_MAX]
            for side in ("delegation", "local")
        },
        rows_max=ROWS_MAX,
        q=wanted.q,
        is_open=row["state"] == "provisional",
    )


async def _chosen(
    held: Resources, row: looking.Row, wanted: Wanted, entries: Sequence[Entry]
) -> dict[str, Any] | None:
    """Give the pair that is being edited, and where it could meet."""
    if wanted.pair is None or row["state"] != "provisional":
        return None
    return {
        "pair": wanted.pair,
        "entry": next((entry for entry in entries if entry.people == wanted.pair), None),
        "spots": await editing.options(held.database, row["id"], wanted.pair, OPTIONS_MAX),
    }


@dataclass(frozen=True, slots=True)
class _Look:
    """How people and meetings are written on this page."""

    found: Compared
    language: str
    person: Callable[[UUID], str]

    def company(self, person: UUID) -> str:
        """Write the company of somebody, or that it is an interpreter."""
        return self.found.names.of(person).in_(self.language)

    def other(self, change: Change, person: UUID) -> str:
        """Write whom somebody meets by a change; an interpreter helps both."""
        others = [one for one in change.people if one != person]
        return " – ".join(self.company(one) for one in others)

    def time(self, moment: datetime) -> str:
        """Write a time by the stop's clock."""
        return self.found.names.time(moment)

    def matching(
        self, rows: Sequence[Any], q: str, people: Callable[[Any], Sequence[UUID]]
    ) -> list[Any]:
        """Keep the rows of people whose company or name holds what is looked for."""
        if not q:
            return list(rows)
        sought = q.casefold()
        return [
            row
            for row in rows
            if any(sought in self._text(person).casefold() for person in people(row))
        ]

    def _text(self, person: UUID) -> str:
        company: Bilingual = self.found.names.of(person)
        return f"{company.en} {company.zh} {self.person(person)}"


def _counts(changes: Sequence[Change]) -> Mapping[str, int]:
    kinds = [change.kind for change in changes]
    return {kind: kinds.count(kind) for kind in ("added", "moved", "cancelled")}


def _reasons(refusal: Refusal | None, language: str) -> list[str]:
    """Say why an edit was refused; conflicts of publishing are listed on the page anyway."""
    if isinstance(refusal, DoesNotFit):
        return [reason.in_(language) for reason in refusal.reasons]
    return []


def spot_value(spot: Spot) -> str:
    """Write a spot as the form sends it back."""
    return SpotValue(starts_at=spot.starts_at, point_id=spot.point_id).model_dump_json()
