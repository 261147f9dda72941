"""Versions of a schedule: what one changes, edits by hand, and that it was looked through."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic_core import to_jsonable_python

from services.matching.acting import author
from services.matching.commands import editing, judging, looking
from services.matching.commands.editing import Ordered
from services.matching.domain.comparing import Change, by_person
from services.matching.domain.editing import Destination, Edit, Pair
from services.matching.domain.explaining import sentence
from services.matching.domain.meetings import Spot
from services.matching.domain.unmet import said
from services.matching.resources import Held, Resources
from services.matching.store import sessions
from services.matching.store import versions as store
from services.matching.version_bodies import LockBody, PairBody, PlaceBody
from shared.access import Principal, Scope, require
from shared.http import Caller, IfMatch, Now, etag

OPTIONS_MAX = 100

router = APIRouter(prefix="/api/v1", tags=["matching"])


@router.get("/schedules/{schedule_id}/differences")
async def differences(schedule_id: UUID, held: Held, who: Caller) -> Response:
    """Say for each person what publishing this version would change.

    It says also what stands in its way now. The version's revision is the ETag.
    """
    row = await require_version(held, who, schedule_id)
    async with held.database.reading() as connection:
        found = await editing.compared(connection, row)
        labels = await sessions.labels(connection, row["stop_id"])
        edits = await store.edits_of(connection, schedule_id)
    content = {
        "id": schedule_id,
        "stop_id": row["stop_id"],
        "state": row["state"],
        "revision": row["revision"],
        "reviewed_at": row["reviewed_at"],
        "reviewed_by": row["reviewed_by"],
        "changes": len(found.changes),
        "people": [
            {
                "participant_id": person,
                "changes": [_change(one, labels) for one in changes],
            }
            for person, changes in by_person(found.changes).items()
        ],
        "conflicts": [
            {
                "code": one.code,
                "delegate_id": one.entry.delegate_id,
                "local_id": one.entry.local_id,
                "starts_at": one.entry.starts_at,
                "with": one.other
                and {"delegate_id": one.other.delegate_id, "local_id": one.other.local_id},
                "reason": sentence(one, found.names).model_dump(),
            }
            for one in found.misfits
        ],
        "edits": [dict(one) for one in edits],
    }
    return JSONResponse(to_jsonable_python(content), headers=etag(row["revision"]))


@router.get("/schedules/{schedule_id}/quality")
async def quality(schedule_id: UUID, held: Held, who: Caller) -> dict[str, Any]:
    """Judge this version: wishes, minima, fairness, waiting, interpreters, tables, and the proof.

    Shares are between 0 and 1. `value` is that of the solver; after an edit by hand it is of what
    was there before.
    """
    row = await require_version(held, who, schedule_id)
    async with held.database.reading() as connection:
        found = await judging.judge(connection, row)
    proof = found.proof
    return {
        "id": schedule_id,
        "stop_id": row["stop_id"],
        "state": row["state"],
        "number": row["number"],
        "revision": row["revision"],
        **found.quality.model_dump(exclude={"unmet"}),
        "unmet": [
            one.model_dump(exclude={"code"})
            | {"reason": {"code": one.code, **said(one.code).model_dump()}}
            for one in found.quality.unmet
        ],
        "value": {
            "objective": proof.objective,
            "bound": proof.bound,
            "gap": proof.gap,
            "is_optimal": proof.is_optimal,
            "breaks_bound": proof.breaks_bound,
            "is_edited": proof.is_edited,
        },
    }


@router.get("/schedules/{schedule_id}/options")
async def options(
    schedule_id: UUID,
    delegate_id: UUID,
    local_id: UUID,
    held: Held,
    who: Caller,
    limit: Annotated[int, Query(ge=1, le=OPTIONS_MAX)] = 20,
) -> dict[str, list[dict[str, Any]]]:
    """List where two could meet in this version, with everything they need free."""
    row = await require_version(held, who, schedule_id)
    found = await editing.options(held.database, schedule_id, (delegate_id, local_id), limit)
    async with held.database.reading() as connection:
        labels = await sessions.labels(connection, row["stop_id"])
    return {"items": [spot_view(spot, labels) for spot in found]}


@router.post("/schedules/{schedule_id}/add")
async def add(
    schedule_id: UUID, body: PlaceBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Add a meeting to a provisional version, locked where it is put."""
    order = await _ordered(held, who, (schedule_id, revision), now)
    return await _edited(held, order, "add", body.pair, _destination(body))


@router.post("/schedules/{schedule_id}/move")
async def move(
    schedule_id: UUID, body: PlaceBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Put a meeting of a provisional version elsewhere, locked there."""
    order = await _ordered(held, who, (schedule_id, revision), now)
    return await _edited(held, order, "move", body.pair, _destination(body))


@router.post("/schedules/{schedule_id}/remove")
async def remove(
    schedule_id: UUID, body: PairBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Take a meeting out of a provisional version; later ones leave it out too."""
    order = await _ordered(held, who, (schedule_id, revision), now)
    return await _edited(held, order, "remove", body.pair)


@router.post("/schedules/{schedule_id}/lock")
async def lock(
    schedule_id: UUID, body: LockBody, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Keep a meeting of a provisional version where it is, or no longer."""
    order = await _ordered(held, who, (schedule_id, revision), now)
    return await _edited(held, order, "lock" if body.locked else "unlock", body.pair)


@router.post("/schedules/{schedule_id}/review")
async def review(
    schedule_id: UUID, held: Held, who: Caller, revision: IfMatch, now: Now
) -> Response:
    """Note that a provisional version was looked through as it is now."""
    order = await _ordered(held, who, (schedule_id, revision), now)
    await editing.review(held.database, order)
    content = {"id": schedule_id, "revision": revision, "reviewed_at": now}
    return JSONResponse(to_jsonable_python(content), headers=etag(revision))


async def require_version(held: Resources, who: Principal, schedule_id: UUID) -> looking.Row:
    """Read a version, and check the right to work on it."""
    async with held.database.reading() as connection:
        row = await looking.existing_version(connection, schedule_id)
        stop = await looking.existing_stop(connection, row["stop_id"])
    require(who, "schedule.write", Scope(stop["mission_id"], stop["id"]))
    return row


def spot_view(spot: Spot | None, labels: dict[UUID, str]) -> dict[str, Any]:
    """Show when and where something is."""
    if spot is None:
        return {}
    return {
        "starts_at": spot.starts_at,
        "ends_at": spot.ends_at,
        "point_id": spot.point_id,
        "point": labels[spot.point_id],
        "interpreter_id": spot.interpreter_id,
    }


async def _ordered(held: Resources, who: Principal, on: tuple[UUID, int], now: Now) -> Ordered:
    await require_version(held, who, on[0])
    return Ordered(*on, author(who), now)


async def _edited(
    held: Resources, order: Ordered, kind: Edit, pair: Pair, to: Destination | None = None
) -> Response:
    entry, revision = await editing.edit(held.database, order, kind, pair, to)
    content = {
        "id": order.schedule_id,
        "revision": revision,
        "entry": entry.model_dump() if entry else None,
    }
    return JSONResponse(to_jsonable_python(content), headers=etag(revision))


def _destination(body: PlaceBody) -> Destination:
    return Destination(body.starts_at, body.point_id, body.interpreter_id)


def _change(change: Change, labels: dict[UUID, str]) -> dict[str, Any]:
    return {
        "kind": change.kind,
        "delegate_id": change.people[0],
        "local_id": change.people[1],
        "before": spot_view(change.before, labels) or None,
        "after": spot_view(change.after, labels) or None,
    }
