"""The feed: events by position, who brought whom, and which partners a stop has."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.notify.domain.feed import Audience, Entry
from shared.events.registration import StopPlanned
from shared.postgres import Connection, columns

VISIBLE = (
    "feed_event.mission_id = viewer.mission_id AND (viewer.stop_ids IS NULL "
    "OR feed_event.stop_id IS NULL OR feed_event.stop_id = ANY(viewer.stop_ids)) "
    "AND CASE WHEN viewer.partner_id IS NULL THEN only_partner IS NULL "
    "WHEN only_partner IS NOT NULL THEN only_partner = viewer.partner_id "
    "ELSE audience = 'mission' OR feed_event.partners @> ARRAY[viewer.partner_id] END"
)
"""Whether `viewer` may see a `feed_event`: mission_id; partner_id, NULL for the mission's staff;
stop_ids, NULL for all of them."""

_VIEWER = "(SELECT $1::uuid AS mission_id, $2::uuid AS partner_id, $3::uuid[] AS stop_ids) viewer"
_COPIED = (
    "event_id, type, key, mission_id, stop_id, audience, concerned, partners, event, hook, "
    "appended_at"
)

_LATE = (
    f"INSERT INTO feed_event (position, only_partner, {_COPIED}) "  # noqa: S608  # our own words
    "SELECT $3 + row_number() OVER (ORDER BY position), partner_id, event_id, type, key, "
    "mission_id, stop_id, audience, concerned, partners, event, hook, $4 "
    "FROM (SELECT DISTINCT ON (position, other.partner_id) feed_event.*, other.partner_id "
    "FROM feed_event JOIN {others} ON {theirs} WHERE only_partner IS NULL "
    "AND NOT partners @> ARRAY[other.partner_id] "
    "AND NOT EXISTS (SELECT FROM feed_event AS copy WHERE copy.event_id = feed_event.event_id "
    "AND copy.only_partner = other.partner_id)) AS late RETURNING type, key, only_partner"
)
"""Tells `others` what is `theirs`, and was not told to them: after position $3, at the time $4."""

NOTHING = "INSERT 0 0"
MEETINGS = "matching.meeting."
NOBODY = UUID(int=0)
"""In a partner's place: it was told of somebody whom nobody is known to have brought."""

Pairs = Sequence[tuple[UUID, UUID]]
"""Ids of people or meetings, each with a partner's."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who reads the feed."""

    mission_id: UUID
    partner_id: UUID | None
    """None: the mission's staff."""
    stop_ids: tuple[UUID, ...] | None = None
    """None: all of them."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where the feed stands."""

    epoch: str
    position: int
    dropped: int


async def head(connection: Connection) -> Head:
    """Read where the feed stands."""
    return await _head(connection, "")


async def lock_head(connection: Connection) -> Head:
    """Read where the feed stands; nobody else appends until this transaction ends."""
    return await _head(connection, "FOR UPDATE")


async def _head(connection: Connection, lock: str) -> Head:
    row = await connection.fetchrow(
        f"SELECT epoch, position, dropped FROM feed_head {lock}"  # noqa: S608  # our own words
    )
    assert row is not None
    return Head(**row)


async def set_position(connection: Connection, position: int) -> None:
    """Say how far the feed goes now; its head is locked."""
    await connection.execute("UPDATE feed_head SET position = $1", position)


async def put_stop(
    connection: Connection, event: StopPlanned, version: int
) -> tuple[list[UUID], list[UUID]]:
    """Write which partners a stop has, unless a later version is there.

    Gives the partners that are new among its hosts, and among all of its partners.
    """
    before = await roles_at(connection, [event.stop_id])
    # Those that were told before all of them were named had their hosts at least.
    partners = event.partners or event.hosts
    done = await connection.execute(
        "INSERT INTO feed_stop (stop_id, mission_id, hosts, partners, version) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (stop_id) DO UPDATE SET hosts = excluded.hosts, "
        "partners = excluded.partners, version = excluded.version "
        "WHERE feed_stop.version < excluded.version",
        event.stop_id,
        event.mission_id,
        event.hosts,
        partners,
        version,
    )
    if done == NOTHING:
        return [], []
    hosts_before, partners_before = before.get(event.stop_id, ((), ()))
    return sorted({*event.hosts} - {*hosts_before}), sorted({*partners} - {*partners_before})


async def roles_at(
    connection: Connection, stop_ids: Sequence[UUID]
) -> dict[UUID | None, tuple[Sequence[UUID], Sequence[UUID]]]:
    """Give for each stop that is known the partners that host it, and all that it has."""
    rows = await connection.fetch(
        "SELECT stop_id, hosts, partners FROM feed_stop WHERE stop_id = ANY($1)", stop_ids
    )
    return {row["stop_id"]: (row["hosts"], row["partners"]) for row in rows}


async def hosts_of(connection: Connection, stop_id: UUID) -> tuple[UUID, ...]:
    """Give the partners that lead a stop or host it with others."""
    hosts = await connection.fetchval("SELECT hosts FROM feed_stop WHERE stop_id = $1", stop_id)
    return tuple(hosts or ())


async def place_of(connection: Connection, partner_id: UUID) -> asyncpg.Record | None:
    """Give a partner's mission and first stop, and the time zone there."""
    return await connection.fetchrow(
        "SELECT feed_stop.mission_id, feed_stop.stop_id, timezone FROM feed_stop LEFT JOIN stop "
        "ON stop.id = feed_stop.stop_id WHERE partners @> ARRAY[$1::uuid] "
        "ORDER BY held_on, feed_stop.stop_id LIMIT 1",
        partner_id,
    )


async def stops_of(connection: Connection, partner_id: UUID | None) -> set[UUID]:
    """Give the stops at which a partner has a role."""
    rows = await connection.fetch(
        "SELECT stop_id FROM feed_stop WHERE partners @> ARRAY[$1::uuid]", partner_id
    )
    return {row["stop_id"] for row in rows}


async def attribute(connection: Connection, pairs: Pairs) -> list[tuple[UUID, UUID]]:
    """Write who was brought by which partner, and give the new pairs of whom was told before."""
    rows = await connection.fetch(
        "WITH new AS (INSERT INTO feed_concern (id, partner_id) "
        "SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING "
        "RETURNING id, partner_id) SELECT id, partner_id FROM new "
        # What this statement writes it does not see here.
        "WHERE EXISTS (SELECT FROM feed_concern AS before WHERE before.id = new.id)",
        *columns(pairs, 2),
    )
    return [(row["id"], row["partner_id"]) for row in rows]


async def partners_of(connection: Connection, ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """Say which partners brought people, or somebody at meetings; those of none are noted."""
    rows = await connection.fetch("SELECT id, partner_id FROM feed_concern WHERE id = ANY($1)", ids)
    unknown = set(ids) - {row["id"] for row in rows}
    await attribute(connection, [(one, NOBODY) for one in sorted(unknown)])
    return [(row["id"], row["partner_id"]) for row in rows if row["partner_id"] != NOBODY]


async def append(
    connection: Connection,
    rows: Sequence[tuple[Entry, Sequence[UUID]]],
    position: int,
    now: datetime,
) -> int:
    """Append entries, each with its partners, and give the last position; the head is locked."""
    records = [
        (
            number,
            entry.envelope.event_id,
            entry.envelope.type,
            entry.event.key,
            entry.mission_id,
            entry.stop_id,
            entry.audience,
            entry.concerned,
            partners,
            entry.text(),
            entry.hook(),
            now,
        )
        for number, (entry, partners) in enumerate(rows, position + 1)
    ]
    names = ("position", *_COPIED.split(", "))
    await connection.copy_records_to_table("feed_event", columns=names, records=records)
    return position + len(records)


async def append_late(
    connection: Connection, pairs: Pairs, position: int, now: datetime
) -> tuple[int, list[tuple[UUID, UUID]]]:
    """Append what partners would have seen, had it been known whom they brought.

    Gives the last position, and the meetings among it with their new partners. The head is locked.
    """
    rows = await connection.fetch(
        _LATE.format(
            others="unnest($1::uuid[], $2::uuid[]) AS other (id, partner_id)",
            theirs="other.id = ANY(concerned) AND concerned && $1::uuid[]",
        ),
        *columns(pairs, 2),
        position,
        now,
    )
    meetings = [row for row in rows if row["type"].startswith(MEETINGS)]
    return position + len(rows), [(row["key"], row["only_partner"]) for row in meetings]


async def append_missed(
    connection: Connection,
    stop_id: UUID,
    partner_ids: Sequence[UUID],
    audiences: Sequence[Audience],
    position: int,
    now: datetime,
) -> int:
    """Append what partners would have seen of a stop, had it been known that it has them.

    Gives the last position. The head is locked.
    """
    rows = await connection.fetch(
        _LATE.format(
            others="unnest($2::uuid[]) AS other (partner_id)",
            theirs="stop_id = $1 AND audience = ANY($5::text[])",
        ),
        stop_id,
        partner_ids,
        position,
        now,
        audiences,
    )
    return position + len(rows)


async def read(
    connection: Connection,
    viewer: Viewer,
    span: tuple[int, int],
    types: Sequence[str],
    limit: int,
) -> list[asyncpg.Record]:
    """Read what somebody may see after one position and up to another."""
    return await connection.fetch(
        f"SELECT position, event FROM feed_event, {_VIEWER} WHERE {VISIBLE} "  # noqa: S608  # our own words
        "AND position > $4 AND position <= $5 AND (cardinality($6::text[]) = 0 OR type = ANY($6)) "
        "ORDER BY position LIMIT $7",
        viewer.mission_id,
        viewer.partner_id,
        viewer.stop_ids,
        *span,
        types,
        limit,
    )


async def one(connection: Connection, viewer: Viewer, event_id: UUID) -> asyncpg.Record | None:
    """Read one event, if it may be seen."""
    return await connection.fetchrow(
        f"SELECT position, event FROM feed_event, {_VIEWER} WHERE {VISIBLE} "  # noqa: S608  # our own words
        "AND event_id = $4 ORDER BY position LIMIT 1",
        viewer.mission_id,
        viewer.partner_id,
        viewer.stop_ids,
        event_id,
    )


async def span(connection: Connection, since: datetime, until: datetime) -> tuple[int, int]:
    """Give the positions after the last event before a time, and of the last one until another."""
    row = await connection.fetchrow(
        "SELECT coalesce(min(position) - 1, 0), coalesce(max(position), 0) FROM feed_event "
        "WHERE appended_at BETWEEN $1 AND $2",
        since,
        until,
    )
    assert row is not None
    return row[0], row[1]


async def drop(connection: Connection, before: datetime, limit: int) -> int:
    """Drop what was appended before a time, the oldest first, and note how far that goes."""
    rows = await connection.fetch(
        "DELETE FROM feed_event WHERE position IN (SELECT position FROM feed_event "
        "WHERE appended_at < $1 ORDER BY position LIMIT $2) RETURNING position",
        before,
        limit,
    )
    if rows:
        last = max(row["position"] for row in rows)
        await connection.execute("UPDATE feed_head SET dropped = greatest(dropped, $1)", last)
    return len(rows)
