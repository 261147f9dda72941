"""Lists of registrations, page by page, and decisions about many."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response
from pydantic import Field

from services.registration.asking import Asked, Chosen, narrowed
from services.registration.commands import bulk
from services.registration.domain.listing import Cursor
from services.registration.domain.places import Decision
from services.registration.resources import Held
from services.registration.store import bulk as jobs
from services.registration.store import lists
from shared.access import Action, Principal, Scope, require
from shared.http import Body, Caller, Now
from shared.idempotency import RequiredKey
from shared.made import Made
from shared.postgres import Connection

PATH = "/api/v1/registrations"

SELECTION_MAX = 1_000
ROWS_MAX = 500

router = APIRouter(prefix=PATH, tags=["registration"])


@router.get("")
async def list_registrations(asked: Annotated[Asked, Query()], held: Held, who: Caller) -> Response:
    """List registrations of a mission, a stop or an item, page by page.

    `next` and `prev` are addresses, also in the `Link` header (RFC 8288); `counts` are by state,
    whatever `status` asks for, and `counts_end` says that counting ended before the list did.
    """
    async with held.database.reading() as connection:
        wanted = await narrowed(connection, who, asked, "people.read")
        async with lists.planned(connection):
            found = await lists.find(
                connection, wanted, asked.sort, asked.place(), limit=asked.limit
            )
            rows = await lists.rows(connection, found.ids)
            counts = await lists.counts(connection, wanted)
    links = _links(asked, found, rows)
    content = {
        "items": [dict(row) for row in rows],
        "counts": counts,
        "counts_end": lists.is_cut(wanted, counts),
        "next": links.get("next"),
        "prev": links.get("prev"),
    }
    header = ", ".join(f'<{address}>; rel="{name}"' for name, address in links.items())
    return JSONResponse(jsonable_encoder(content), headers={"Link": header} if header else None)


def _links(asked: Asked, found: lists.Found, rows: Any) -> dict[str, str]:
    links = {}
    if rows and found.has_after:
        links["next"] = _at(asked, rows[-1], is_before=False)
    if rows and found.has_before:
        links["prev"] = _at(asked, rows[0], is_before=True)
    return links


def _at(asked: Asked, row: Any, *, is_before: bool) -> str:
    cursor = Cursor.of(asked.sort, row["id"], row["registered_at"], is_before=is_before)
    return asked.link(PATH, cursor=str(cursor))


class OrderBody(Body):
    """A decision about all of a list, or about those of it that are selected.

    With `total`, nothing is decided when the list has another number of registrations by then.
    """

    decision: Literal["approve", "reject", "cancel"]
    filter: Chosen
    registration_ids: list[UUID] | None = Field(
        default=None, min_length=1, max_length=SELECTION_MAX
    )
    total: Annotated[int, Field(strict=True, ge=0)] | None = None


@router.post("/bulk-decisions", status_code=202, response_model=Made)
async def decide_about_many(
    body: OrderBody, held: Held, who: Caller, key: RequiredKey, now: Now
) -> Response:
    """Decide about many registrations as a job; each is decided as if alone."""
    async with held.database.reading() as connection:
        order = await _order(connection, body, who)
    answer = await bulk.start(held.database, order, who, key, now)
    return answer.response()


@router.post("/bulk-decisions/preview")
async def preview(body: OrderBody, held: Held, who: Caller) -> dict[str, Any]:
    """Say how many a decision would be about, and how many allow it."""
    async with held.database.reading() as connection:
        order = await _order(connection, body, who)
        async with lists.planned(connection):
            seen = await bulk.preview(connection, order)
    return {"total": seen.total, "by_status": seen.by_status, "allowed": seen.allowed}


@router.get("/bulk-decisions/{job_id:uuid}")
async def read_job(
    job_id: UUID,
    held: Held,
    who: Caller,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=ROWS_MAX)] = 100,
) -> dict[str, Any]:
    """Read how far a job is, and what became of each registration."""
    async with held.database.reading() as connection:
        job = await bulk.existing(connection, job_id, who)
        require(who, "people.read", Scope(job["mission_id"], job["stop_id"], (), who.partner_id))
        rows = await jobs.rows(connection, job_id, after=after, limit=limit)
    names = ("id", "decision", "started_at", "finished_at", "total", "done", "refused")
    return {
        **{name: job[name] for name in names},
        "items": [dict(row) for row in rows],
        "next": rows[-1]["place"] if len(rows) == limit else None,
    }


async def _order(connection: Connection, body: OrderBody, who: Principal) -> bulk.Order:
    decision = Decision(body.decision)
    is_cancel = decision is Decision.CANCEL
    action: Action = "registration.cancel" if is_cancel else "registration.decide"
    wanted = await narrowed(connection, who, body.filter, action)
    return bulk.Order(decision, wanted, body.registration_ids, body.total)
