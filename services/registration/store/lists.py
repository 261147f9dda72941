"""Lists of registrations: pages by key, counts by state, and all of a list in chunks.

A page is looked for twice at most. First along the order, through `WALK_MAX` of what comes next:
where much matches, that is enough. Else all that matches is gathered and sorted, which is little
then. Both have a bound that no mixture of filters lifts, and no plan depends on an estimate.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import asyncpg

from services.registration.domain.listing import Cursor, Filter, Sort
from services.registration.domain.names import sounds
from services.registration.store import narrowing as sql
from shared.postgres import Connection

Row = asyncpg.Record

WALK_MAX = 500
COUNT_MAX = 200_000
COUNT_FOUND_MAX = 10_000
"""Counting ends here, and sooner for a search, which reads words; it is a lower bound then."""
CHUNK = 1_000

SHOWN = (
    "r.id, r.programme_item_id, r.person_id AS participant_id, r.status, r.source, r.partner_id, "
    "r.registered_at, r.checked_in_at, person.role, person.full_name, person.native_name, "
    "person.latin_name, organization.name AS organization, "
    "organization.native_name AS native_organization, organization.country, organization.sectors, "
    "item.slug AS item, item.title, item.starts_at, item.stop_id, stop.city, stop.timezone"
)


@dataclass(frozen=True, slots=True)
class Found:
    """The ids of a page, and whether there is more on either side."""

    ids: Sequence[UUID]
    has_before: bool
    has_after: bool


@asynccontextmanager
async def planned(connection: Connection) -> AsyncIterator[None]:
    """Have each query planned for its own values: a list of two and one of all differ."""
    async with connection.transaction(readonly=True):
        # What is listed is in memory: a page read at random costs little more. Neither compiling
        # nor more processes pay for queries of milliseconds beside a burst.
        await connection.execute(
            "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL random_page_cost = 1.1; "
            "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0"
        )
        yield


async def items_of(connection: Connection, wanted: Filter) -> Sequence[UUID]:
    """List the programme items that a list is about."""
    rows = await connection.fetch(
        "SELECT item.id FROM programme_item AS item JOIN stop ON stop.id = item.stop_id "
        "WHERE stop.mission_id = $1 AND ($2::uuid IS NULL OR item.stop_id = $2) "
        "AND ($3::uuid IS NULL OR item.id = $3) ORDER BY item.id",
        wanted.mission_id,
        wanted.stop_id,
        wanted.item_id,
    )
    return [row["id"] for row in rows]


async def find(
    connection: Connection,
    wanted: Filter,
    sort: Sort,
    cursor: Cursor | None,
    *,
    limit: int,
) -> Found:
    """Find a page of at most `limit`; inside `planned`."""
    items = await items_of(connection, wanted)
    place = await _place(connection, sort, cursor)
    is_back = cursor is not None and cursor.is_before
    search = _Search(wanted, sort, items, place, is_back, limit + 1)
    ids = await _walked(connection, search)
    if len(ids) <= limit and not (wanted.is_plain and sort in (Sort.NEWEST, Sort.OLDEST)):
        ids = await _gathered(connection, search)
    more, ids = len(ids) > limit, ids[:limit]
    if is_back:
        return Found(ids[::-1], has_before=more, has_after=True)
    return Found(ids, has_before=cursor is not None, has_after=more)


async def rows(connection: Connection, ids: Sequence[UUID]) -> Sequence[Row]:
    """Read registrations in the order of their ids."""
    return await connection.fetch(
        f"SELECT {SHOWN} FROM unnest($1::uuid[]) WITH ORDINALITY AS given (id, place) "  # noqa: S608
        "JOIN registration AS r ON r.id = given.id "
        "JOIN programme_item AS item ON item.id = r.programme_item_id "
        "JOIN stop ON stop.id = item.stop_id JOIN person ON person.id = r.person_id "
        "LEFT JOIN organization ON organization.id = person.organization_id ORDER BY given.place",
        list(ids),
    )


async def heard(connection: Connection, wanted: Filter) -> Filter:
    """Look for words by their sound where nobody is written so: 張 then finds 张."""
    arguments = sql.Arguments()
    where = sql.where(wanted.of_any_status, await items_of(connection, wanted), arguments)
    if not wanted.terms or await connection.fetchval(
        f"SELECT EXISTS (SELECT FROM {sql.joined(wanted)} WHERE {where})",  # noqa: S608
        *arguments,
    ):
        return wanted
    return replace(wanted, terms=tuple(sounds(wanted.terms)))


async def counts(connection: Connection, wanted: Filter) -> dict[str, int]:
    """Count by state what `wanted` matches whatever its state; inside `planned`.

    One pass over an index, or over hashed joins, that ends after so many rows.
    """
    arguments = sql.Arguments()
    where = sql.where(wanted.of_any_status, await items_of(connection, wanted), arguments)
    rows = await connection.fetch(
        "SELECT status, count(*) AS n FROM "  # noqa: S608
        f"(SELECT r.status FROM {sql.joined(wanted)} WHERE {where} "
        f"LIMIT {_counted_max(wanted)}) AS counted GROUP BY status",
        *arguments,
    )
    return {row["status"]: row["n"] for row in rows}


def is_cut(wanted: Filter, counted: Mapping[str, int]) -> bool:
    """Say whether counting ended before the list did."""
    return sum(counted.values()) >= _counted_max(wanted)


def _counted_max(wanted: Filter) -> int:
    return COUNT_FOUND_MAX if wanted.terms else COUNT_MAX


async def by_status(
    connection: Connection, wanted: Filter, among: Sequence[UUID] | None
) -> dict[str, int]:
    """Count a whole list by state, or a selection of it; inside `planned`."""
    arguments = sql.Arguments()
    where = sql.selected(wanted, await items_of(connection, wanted), among, arguments)
    rows = await connection.fetch(
        f"SELECT r.status, count(*) AS n FROM {sql.joined(wanted)} WHERE {where} GROUP BY r.status",  # noqa: S608
        *arguments,
    )
    return {row["status"]: row["n"] for row in rows}


async def enlist(
    connection: Connection, wanted: Filter, among: Sequence[UUID] | None, job_id: UUID
) -> int:
    """Make a whole list the rows of a job, or a selection of it, who came first first."""
    arguments = sql.Arguments()
    where = sql.selected(wanted, await items_of(connection, wanted), among, arguments)
    done = await connection.execute(
        "INSERT INTO bulk_row (job_id, place, registration_id) "  # noqa: S608
        f"SELECT {arguments.add(job_id)}::uuid, "
        "row_number() OVER (ORDER BY r.registered_at, r.id), r.id "
        f"FROM {sql.joined(wanted)} WHERE {where}",
        *arguments,
    )
    return int(done.rpartition(" ")[2])


async def everything(
    connection: Connection, wanted: Filter, sort: Sort
) -> AsyncIterator[Sequence[Row]]:
    """Read a whole list in its order, in chunks; inside a transaction.

    What all rows of an item share is not read with each.
    """
    arguments = sql.Arguments()
    where = sql.where(wanted, await items_of(connection, wanted), arguments)
    order = sql.order(sql.KEYS[sort], is_descending=sort is Sort.NEWEST)
    cursor = await connection.cursor(
        "SELECT r.id, r.programme_item_id, r.status, r.source, r.partner_id, r.registered_at, "  # noqa: S608
        "r.checked_in_at, person.role, person.email, person.full_name, person.native_name, "
        "person.latin_name, person.position, person.partner_id AS person_partner_id, "
        "organization.name AS organization, "
        "organization.native_name AS native_organization, organization.country, "
        "organization.sectors FROM registration AS r JOIN person ON person.id = r.person_id "
        f"{sql.ORGANIZATION} WHERE {where} ORDER BY {order}",
        *arguments,
    )
    while chunk := await cursor.fetch(CHUNK):
        yield chunk


@dataclass(frozen=True, slots=True)
class _Search:
    wanted: Filter
    sort: Sort
    items: Sequence[UUID]
    place: Sequence[object] | None
    is_back: bool
    limit: int

    @property
    def is_descending(self) -> bool:
        return (self.sort is Sort.NEWEST) != self.is_back

    def beyond(self, arguments: sql.Arguments, keys: Sequence[str]) -> str:
        """Compare rows with the cursor's place, as far as there are `keys`."""
        if self.place is None:
            return "true"
        given = [arguments.add(value) for value in self.place[: len(keys)]]
        sign = "<" if self.is_descending else ">"
        if len(keys) < len(self.place):
            sign += "="
        return f"({', '.join(keys)}) {sign} ({', '.join(given)})"


async def _place(
    connection: Connection, sort: Sort, cursor: Cursor | None
) -> Sequence[object] | None:
    """Give the keys of the cursor's row; without such a row the page is the first one's."""
    if cursor is None:
        return None
    if cursor.at is not None:
        return (cursor.at, cursor.registration_id)
    row = await connection.fetchrow(
        f"SELECT {', '.join(sql.KEYS[sort])} "  # noqa: S608
        f"FROM registration AS r {sql.PERSON} {sql.ORGANIZATION} WHERE r.id = $1",
        cursor.registration_id,
    )
    return tuple(row) if row else None


async def _walked(connection: Connection, search: _Search) -> Sequence[UUID]:
    """Look for a page among what comes next in order; may find less than there is."""
    arguments = sql.Arguments()
    walk = _WALKS[search.sort](search, arguments)
    where = sql.where(search.wanted, search.items, arguments)
    keys = sql.KEYS[search.sort]
    rows = await connection.fetch(
        f"WITH candidate AS MATERIALIZED ({walk}) "  # noqa: S608
        f"SELECT r.id FROM {_FROM[search.sort]} WHERE {where} AND {search.beyond(arguments, keys)} "
        f"ORDER BY {sql.order(keys, is_descending=search.is_descending)} LIMIT {search.limit}",
        *arguments,
    )
    return [row["id"] for row in rows]


async def _gathered(connection: Connection, search: _Search) -> Sequence[UUID]:
    """Gather all that matches, then sort; the planner must not walk an index for the order."""
    arguments = sql.Arguments()
    where = sql.where(search.wanted, search.items, arguments)
    keys = sql.KEYS[search.sort]
    named = [f"key{number}" for number in range(len(keys))]
    selected = ", ".join(f"{key} AS {name}" for key, name in zip(keys, named, strict=True))
    rows = await connection.fetch(
        f"WITH matching AS MATERIALIZED (SELECT {selected} "  # noqa: S608
        f"FROM {sql.joined(search.wanted)} WHERE {where} "
        f"AND {search.beyond(arguments, keys)}) SELECT {named[-1]} AS id FROM matching "
        f"ORDER BY {sql.order(named, is_descending=search.is_descending)} LIMIT {search.limit}",
        *arguments,
    )
    return [row["id"] for row in rows]


def _by_time(search: _Search, arguments: sql.Arguments) -> str:
    """Merge the newest of each item, and of each state where some are wanted."""
    wanted = search.wanted
    limit = search.limit if wanted.is_plain else max(search.limit, WALK_MAX)
    order = sql.order(("registered_at", "id"), is_descending=search.is_descending)
    states, of_state = "", ""
    if wanted.statuses:
        statuses = arguments.add([str(status) for status in wanted.statuses])
        states = f"CROSS JOIN unnest({statuses}::text[]) AS state (status) "
        of_state = "AND r.status = state.status "
    since = f"AND r.registered_at >= {arguments.add(wanted.since)} " if wanted.since else ""
    return (
        f"SELECT page.id FROM unnest({arguments.add(list(search.items))}::uuid[]) AS item (id) "  # noqa: S608
        f"{states}CROSS JOIN LATERAL (SELECT r.id, r.registered_at FROM registration AS r "
        f"WHERE r.programme_item_id = item.id {of_state}{since}"
        f"AND {search.beyond(arguments, sql.KEYS[search.sort])} "
        f"ORDER BY {sql.order(sql.KEYS[search.sort], is_descending=search.is_descending)} "
        f"LIMIT {limit}) AS page ORDER BY {order} LIMIT {limit}"
    )


def _by_name(search: _Search, arguments: sql.Arguments) -> str:
    keys = (sql.NAME, "person.id")
    return (
        f"SELECT person.id FROM person "  # noqa: S608
        f"WHERE person.mission_id = {arguments.add(search.wanted.mission_id)} "
        f"AND {search.beyond(arguments, keys)} "
        f"ORDER BY {sql.order(keys, is_descending=search.is_descending)} LIMIT {WALK_MAX}"
    )


def _by_company(search: _Search, arguments: sql.Arguments) -> str:
    keys = (sql.COMPANY, "organization.id")
    return (
        f"SELECT organization.id FROM organization "  # noqa: S608
        f"WHERE organization.mission_id = {arguments.add(search.wanted.mission_id)} "
        f"AND {search.beyond(arguments, keys)} "
        f"ORDER BY {sql.order(keys, is_descending=search.is_descending)} LIMIT {WALK_MAX}"
    )


_WALKS = {
    Sort.NEWEST: _by_time,
    Sort.OLDEST: _by_time,
    Sort.NAME: _by_name,
    Sort.ORGANIZATION: _by_company,
}
_FROM: Mapping[Sort, str] = {
    Sort.NEWEST: f"candidate JOIN registration AS r USING (id) {sql.PERSON} {sql.ORGANIZATION}",
    Sort.OLDEST: f"candidate JOIN registration AS r USING (id) {sql.PERSON} {sql.ORGANIZATION}",
    Sort.NAME: "candidate JOIN person USING (id) "
    f"JOIN registration AS r ON r.person_id = person.id {sql.ORGANIZATION}",
    Sort.ORGANIZATION: "candidate JOIN organization USING (id) "
    "JOIN person ON person.organization_id = organization.id "
    "JOIN registration AS r ON r.person_id = person.id",
}
