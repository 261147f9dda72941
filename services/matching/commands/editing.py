"""Editing: a provisional version is changed by hand, and looked through, before it is published.

The stop is locked by each edit: nothing is published meanwhile, and no edit is lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.matching.commands import fitting, looking
from services.matching.domain import editing as domain
from services.matching.domain.comparing import Change, changes
from services.matching.domain.editing import Destination, Edit, Pair, Version
from services.matching.domain.explaining import Names
from services.matching.domain.fitting import misfits
from services.matching.domain.ground import SIDES, Misfit
from services.matching.domain.meetings import Spot
from services.matching.domain.requests import Author
from services.matching.domain.versions import Entry
from services.matching.store import facts, meetings
from services.matching.store import versions as store
from shared.errors import Conflict, Fault, Invalid
from shared.postgres import Connection, Database


@dataclass(frozen=True, slots=True)
class Ordered:
    """An edit: of which version, decided on which revision, by whom and when."""

    schedule_id: UUID
    revision: int
    by: Author
    now: datetime


@dataclass(frozen=True, slots=True)
class Compared:
    """What a version changes, and what stands against putting it in force."""

    changes: Sequence[Change]
    misfits: Sequence[Misfit]
    names: Names


async def edit(
    database: Database, order: Ordered, kind: Edit, pair: Pair, to: Destination | None = None
) -> tuple[Entry | None, int]:
    """Change one meeting of a provisional version; gives its entry, if any, and the new revision.

    Raises `NotFound`, `Stale`, `Invalid` for what is not there, and `Conflict` where the version is
    not provisional (`illegal_state`) or a rule stands against it (`does_not_fit`).
    """
    async with database.transaction() as connection:
        row = await _locked(connection, order)
        version = await read(connection, row, pair)
        entry = await _edited(connection, version, row["stop_id"], (kind, pair, to))
        left_out = [one for one in store.pairs_of(row) if one != pair]
        if entry is None:
            entries, left_out = version.others(pair), [*left_out, pair]
        else:
            entries = domain.with_entry(version.entries, entry)
        revision = await store.change(connection, order.schedule_id, entries, left_out)
        noted = {
            "schedule_id": order.schedule_id,
            "revision": revision,
            "kind": kind,
            "delegate_id": pair[0],
            "local_id": pair[1],
        }
        await store.note_edit(connection, noted, order.by, order.now)
        return entry, revision


async def review(database: Database, order: Ordered) -> None:
    """Note that somebody looked a provisional version through; an edit ends that.

    Raises `NotFound`, `Stale`, and `Conflict` where it is not provisional.
    """
    async with database.transaction() as connection:
        await _locked(connection, order)
        await store.review(connection, order.schedule_id, order.by, order.now)


async def options(database: Database, schedule_id: UUID, pair: Pair, limit: int) -> list[Spot]:
    """List where a pair could meet in a version, the nearest to where it is first."""
    async with database.reading() as connection:
        row = await looking.existing_version(connection, schedule_id)
        return domain.spots(await read(connection, row, pair), pair)[:limit]


async def compared(connection: Connection, row: looking.Row) -> Compared:
    """Say what publishing a version would change now, and why it could not be published."""
    entries = store.entries_of(row)
    current = await meetings.of_stop(connection, row["stop_id"])
    since = row["interventions"]
    ground = await fitting.ground_of(connection, row["stop_id"], entries, current, since)
    people = fitting.involved(entries, current)
    return Compared(
        changes=changes(current, entries, since),
        misfits=misfits(entries, ground),
        names=await fitting.names(connection, row["stop_id"], people),
    )


async def read(connection: Connection, row: looking.Row, pair: Pair) -> Version:
    """Read a version with all that an edit of a pair's meeting stands on.

    Raises `Invalid` unless one is of the delegation and the other local.
    """
    stop_id = row["stop_id"]
    speakers = await store.speakers(connection, pair)
    faults = [
        Fault(f"/{name}", f"Nobody of this side ({side}).")
        for name, side, person in zip(("delegate_id", "local_id"), SIDES, pair, strict=True)
        if person not in speakers or speakers[person]["side"] != side
    ]
    if faults:
        raise Invalid("A delegate meets a local participant.", faults=faults)
    helpers = {
        helper["id"]: frozenset(helper["languages"])
        for helper in await facts.interpreters(connection, stop_id)
    }
    entries = store.entries_of(row)
    current = await meetings.of_stop(connection, stop_id)
    pairs = [*(entry.people for entry in entries), pair]
    return Version(
        entries=tuple(entries),
        ground=await fitting.ground(
            connection, stop_id, current, pairs, helpers, row["interventions"]
        ),
        languages={one: frozenset(found["languages"]) for one, found in speakers.items()},
        helpers=helpers,
    )


async def _locked(connection: Connection, order: Ordered) -> looking.Row:
    row = await looking.existing_version(connection, order.schedule_id)
    await facts.stop(connection, row["stop_id"], lock=True)
    row = await looking.existing_version(connection, order.schedule_id, revision=order.revision)
    if row["state"] != "provisional":
        detail = f"A schedule that is {row['state']} is not edited."
        raise Conflict(detail, code="illegal_state")
    return row


async def _edited(
    connection: Connection,
    version: Version,
    stop_id: UUID,
    asked: tuple[Edit, Pair, Destination | None],
) -> Entry | None:
    kind, pair, to = asked
    if kind == "add":
        domain.refuse_second(version, pair)
    else:
        entry = version.entry(pair)
        if kind == "lock" and (there := domain.adopted(version, pair)):
            return there
        domain.refuse_fixed(version, pair)
        if kind in ("lock", "unlock"):
            return entry.model_copy(update={"locked": kind == "lock"})
    if kind == "remove":
        return None
    assert to is not None
    people = fitting.involved(version.entries, version.ground.current) | set(pair)
    return domain.placed(version, pair, to, await fitting.names(connection, stop_id, people))
