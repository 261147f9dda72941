"""Companies: which are likely one, making two into one, and taking that back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.commands.missions import existing_mission
from services.registration.commands.naming import rename, rename_companies
from services.registration.commands.telling import News, tell_all
from services.registration.domain.companies import Company, Likeness, combined, likeness
from services.registration.domain.places import Status
from services.registration.store import companies as store
from services.registration.store import search
from shared.access import Principal
from shared.auditing import note
from shared.errors import Conflict, Fault, Invalid, NotFound
from shared.idempotency import Answer, Key, once
from shared.ids import new_id
from shared.postgres import Connection, Database

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Pair:
    """Two companies that are likely one."""

    first: Row
    second: Row
    likeness: Likeness


async def existing_company(connection: Connection, organization_id: UUID) -> Row:
    """Read a company; raises `NotFound`."""
    company = await store.company(connection, organization_id)
    if company is None:
        raise NotFound("There is no such company.")
    return company


async def existing_merge(connection: Connection, merge_id: UUID) -> Row:
    """Read a merge; raises `NotFound`."""
    merge = await store.merge(connection, merge_id)
    if merge is None:
        raise NotFound("There is no such merge.")
    return merge


async def duplicates(
    connection: Connection, mission_id: UUID, *, after: UUID | None, limit: int
) -> tuple[list[Pair], UUID | None]:
    """Look through the next `limit` companies for those that are likely one with another.

    The likeliest come first. Also gives the company to go on after, or None at the end.
    """
    await existing_mission(connection, mission_id)
    rows, last = await store.lookalikes(connection, mission_id, after=after, limit=limit)
    found = await store.read_all(
        connection, [row[end] for row in rows for end in ("first_id", "second_id")]
    )
    pairs = list(_likely([(found[row["first_id"]], found[row["second_id"]]) for row in rows]))
    return sorted(pairs, key=lambda pair: -pair.likeness.score), last


def _likely(pairs: Sequence[tuple[Row, Row]]) -> Iterator[Pair]:
    for first, second in pairs:
        found = likeness(_company(first), _company(second))
        if found is not None:
            # What more is known of is what is kept, unless somebody knows better.
            kept, gone = sorted((first, second), key=_weight, reverse=True)
            yield Pair(kept, gone, found)


def _weight(row: Row) -> tuple[bool, int, bool]:
    return bool(row["registration_number"]), row["people"], bool(row["native_name"])


def _company(row: Row) -> Company:
    return Company(
        row["id"],
        row["name"],
        row["native_name"],
        row["country"],
        row["registration_number"],
    )


async def tell_apart(
    database: Database, ids: tuple[UUID, UUID], who: Principal, now: datetime
) -> None:
    """Note that two companies that look alike are two; a second time changes nothing.

    Raises `NotFound`, or `Invalid` when they are no two companies of one mission.
    """
    async with database.transaction() as connection:
        rows = await store.read_all(connection, ids)
        _check_two(rows, ids)
        if await store.set_distinct(connection, ids, who.subject, now):
            await note(
                connection,
                who,
                "organization.told_apart",
                subject_id=ids[0],
                mission_id=rows[ids[0]]["mission_id"],
                details={"other_id": ids[1]},
                now=now,
            )


async def merge(
    database: Database,
    kept_id: UUID,
    gone_id: UUID,
    who: Principal,
    key: Key | None,
    now: datetime,
) -> Answer:
    """Make two companies one: what refers to `gone_id` refers to `kept_id` from now on.

    Answers 201 with what was moved. Raises `NotFound`, `Invalid` when they are no two companies of
    one mission, and `Conflict` when one is gone already or both have what a company has once.
    """

    async def effect(connection: Connection) -> Answer:
        ids = (kept_id, gone_id)
        rows = await store.lock(connection, ids)
        _check_two(rows, ids)
        kept, gone = (_facts(rows[one]) for one in ids)
        after = combined(kept, gone)
        moved = await _moved(connection, gone_id, kept_id)
        await store.set_merged_into(connection, gone_id, kept_id)
        await store.put_facts(connection, kept_id, after)
        mission_id = rows[kept_id]["mission_id"]
        merge_id = new_id()
        await store.add_merge(
            connection,
            {
                "id": merge_id,
                "mission_id": mission_id,
                "kept_id": kept_id,
                "gone_id": gone_id,
                "kept_before": kept,
                "gone_before": gone,
                "kept_after": after,
                "merged_by": who.subject,
                "merged_at": now,
            },
        )
        await store.add_moves(connection, merge_id, moved)
        counts = {name.partition(".")[0]: len(keys) for name, keys in moved.items() if keys}
        await note(
            connection,
            who,
            "organization.merged",
            subject_id=kept_id,
            mission_id=mission_id,
            details={"gone_id": gone_id, "merge_id": merge_id, "moved": counts},
            now=now,
        )
        told = await _tell_again(connection, [kept_id], now)
        return Answer(
            {
                "id": str(merge_id),
                "kept_id": str(kept_id),
                "gone_id": str(gone_id),
                "moved": counts,
                "told": told,
            }
        )

    return await once(database, key, effect)


async def undo(database: Database, merge_id: UUID, who: Principal, now: datetime) -> Answer:
    """Take a merge back: exactly what it moved goes back, and both are as they were.

    Who came to the company since stays with it. Raises `NotFound`, or `Conflict` when that was
    done before, or something was changed since that would be lost.
    """

    async def effect(connection: Connection) -> Answer:
        found = await existing_merge(connection, merge_id)
        ids = (found["kept_id"], found["gone_id"])
        rows = await store.lock(connection, ids)
        # Read again: another undo may have held the lock.
        found = await existing_merge(connection, merge_id)
        _check_undo(found, rows[found["kept_id"]])
        await store.set_merged_into(connection, found["gone_id"], None)
        await _move_back(connection, found)
        await store.put_facts(connection, found["kept_id"], found["kept_before"])
        await store.set_undone(connection, merge_id, who.subject, now)
        await note(
            connection,
            who,
            "organization.merge_undone",
            subject_id=found["kept_id"],
            mission_id=found["mission_id"],
            details={"gone_id": found["gone_id"], "merge_id": merge_id},
            now=now,
        )
        told = await _tell_again(connection, ids, now)
        return Answer({"id": str(merge_id), "told": told}, status=200)

    return await once(database, None, effect)


def _check_two(rows: Mapping[UUID, Row], ids: tuple[UUID, UUID]) -> None:
    kept_id, gone_id = ids
    if kept_id not in rows:
        raise NotFound("There is no such company.")
    if (
        kept_id == gone_id
        or gone_id not in rows
        or rows[gone_id]["mission_id"] != rows[kept_id]["mission_id"]
    ):
        fault = Fault("/organization_id", "This is not another company of this mission.")
        raise Invalid("The other company is wrong.", faults=[fault])
    for one in ids:
        if into := rows[one]["merged_into"]:
            raise Conflict(f"The company {one} was merged into {into}.", code="already_merged")


def _check_undo(merge: Row, kept: Row) -> None:
    if merge["undone_at"] is not None:
        raise Conflict("This merge was undone before.", code="already_undone")
    if into := kept["merged_into"]:
        raise Conflict(
            f"The company that was kept was itself merged into {into} later: undo that first.",
            code="merged_since",
        )
    now = _facts(kept)
    changed = [name for name in store.FACTS if now[name] != merge["kept_after"][name]]
    if changed:
        raise Conflict(
            f"The company was changed since ({', '.join(changed)}), which an undo would lose; "
            "undo later merges first.",
            code="changed_since",
        )


def _facts(row: Row) -> dict[str, Any]:
    return {name: row[name] for name in store.FACTS}


async def _moved(
    connection: Connection, gone_id: UUID, kept_id: UUID
) -> dict[str, list[dict[str, Any]]]:
    moved = {}
    for reference in await store.references(connection):
        try:
            moved[reference.name] = await store.move(connection, reference, gone_id, kept_id)
        except asyncpg.UniqueViolationError:
            raise Conflict(
                f"Both companies have what a company has once ({reference.table}): decide there "
                "which of the two stands, then merge.",
                code="both_have_one",
            ) from None
    return moved


async def _move_back(connection: Connection, merge: Row) -> None:
    references = {one.name: one for one in await store.references(connection)}
    ids = (merge["kept_id"], merge["gone_id"])
    for name, keys in (await store.moves_of(connection, merge["id"])).items():
        strayed = await store.move_back(connection, references[name], keys, ids)
        if strayed:
            raise Conflict(
                f"{strayed} of what was moved ({references[name].table}) belongs to a third "
                "company by now: an undo cannot say where it belongs.",
                code="moved_since",
            )


async def _tell_again(connection: Connection, ids: Sequence[UUID], now: datetime) -> int:
    """Have people found by their company as it is now, and say so where they have a place."""
    await rename_companies(connection, await search.companies_of(connection, ids))
    # Locks the people before their registrations are read: a decision that is under way either is
    # seen here, or tells its news after this.
    await rename(connection, await search.people_of(connection, ids))
    news = [
        News(row, Status.CONFIRMED, is_correction=True)
        for row in await store.confirmed_of(connection, ids)
    ]
    if news:
        await tell_all(connection, news, now)
    return len(news)
