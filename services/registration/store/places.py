"""The places of programme items: locked, read, and written back."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.line import Allotment, Line, Terms
from shared.postgres import Connection, columns

Row = asyncpg.Record


async def locked_items(connection: Connection, ids: Collection[UUID]) -> Sequence[Row]:
    """Lock items, in order, and read them with their missions' sectors.

    Items are locked before people everywhere.
    """
    return await connection.fetch(
        "SELECT item.id, item.stop_id, item.kind, item.starts_at, item.opens_at, item.closes_at, "
        "item.capacity, item.taken, item.reserved, item.waiting, item.requires_approval, "
        "item.hold_seconds, item.offer_seconds, stop.mission_id, mission.sectors "
        "FROM programme_item AS item JOIN stop ON stop.id = item.stop_id "
        "JOIN mission ON mission.id = stop.mission_id "
        "WHERE item.id = ANY($1) ORDER BY item.id FOR UPDATE OF item",
        sorted(ids),
    )


ALLOTMENTS = (
    "SELECT id, programme_item_id, partner_id, seats, taken, released_at FROM allotment "
    "WHERE programme_item_id = ANY($1) ORDER BY id"
)


async def allotments(
    connection: Connection, item_ids: Collection[UUID]
) -> dict[UUID, list[Allotment]]:
    """Read the allotments of items that are locked, by item."""
    return by_item(item_ids, await connection.fetch(ALLOTMENTS, list(item_ids)))


def by_item(item_ids: Collection[UUID], rows: Iterable[Row]) -> dict[UUID, list[Allotment]]:
    """Make of what `ALLOTMENTS` read the allotments of each item."""
    found: dict[UUID, list[Allotment]] = {item_id: [] for item_id in item_ids}
    for id_, item_id, partner_id, seats, taken, released_at in rows:
        is_released = released_at is not None
        found[item_id].append(Allotment(id_, partner_id, seats, taken, is_released))
    return found


def line_of(item: Row, kept: list[Allotment]) -> Line:
    """Give the line of an item that is locked."""
    return Line(item["capacity"], item["taken"], item["reserved"], item["waiting"], kept)


def terms_of(item: Row) -> Terms:
    """Give the terms of an item."""
    return Terms(
        requires_approval=item["requires_approval"],
        hold_seconds=item["hold_seconds"],
        offer_seconds=item["offer_seconds"],
        starts_at=item["starts_at"],
    )


async def save(connection: Connection, lines: Sequence[tuple[UUID, Line]], now: datetime) -> None:
    """Write lines back; their items are locked, and the database checks the counts once more."""
    await connection.execute(
        "UPDATE programme_item AS item SET capacity = given.capacity, taken = given.taken, "
        "reserved = given.reserved, waiting = given.waiting FROM unnest($1::uuid[], $2::int[], "
        "$3::int[], $4::int[], $5::int[]) AS given (id, capacity, taken, reserved, waiting) "
        "WHERE item.id = given.id",
        *columns(
            [(id_, x.capacity, x.taken, x.reserved, x.waiting) for id_, x in lines],
            5,
        ),
    )
    kept = [
        (one.id, one.seats, one.taken, one.is_released) for _, x in lines for one in x.allotments
    ]
    if kept:
        await connection.execute(
            "UPDATE allotment SET seats = given.seats, taken = given.taken, released_at = CASE "
            "WHEN given.is_released THEN COALESCE(released_at, $5) END FROM unnest($1::uuid[], "
            "$2::int[], $3::int[], $4::bool[]) AS given (id, seats, taken, is_released) "
            "WHERE allotment.id = given.id",
            *columns(kept, 4),
            now,
        )


async def waiting(connection: Connection, item_id: UUID, line: Line) -> Sequence[Row]:
    """Read those who may be called up, in order of the line, groups whole.

    As many from the front as there are free places, and for each kept seat the first of its own.
    """
    kept = [(one.partner_id, one.free) for one in line.allotments if one.free]
    return await connection.fetch(
        "WITH front AS (SELECT id, group_id FROM ((SELECT id, group_id FROM registration "
        "WHERE programme_item_id = $1 AND status = 'waitlisted' ORDER BY rank LIMIT $2) UNION ALL "
        "(SELECT own.id, own.group_id "
        "FROM unnest($3::uuid[], $4::int[]) AS kept (partner_id, free) "
        "CROSS JOIN LATERAL (SELECT id, group_id FROM registration WHERE programme_item_id = $1 "
        "AND status = 'waitlisted' AND CASE WHEN kept.partner_id IS NULL THEN source = 'walk_in' "
        "ELSE registration.partner_id = kept.partner_id END ORDER BY rank LIMIT kept.free) AS own)"
        ") AS found) "
        "SELECT id, partner_id, source, group_id, rank FROM registration "
        "WHERE id IN (SELECT id FROM front) UNION "
        "SELECT id, partner_id, source, group_id, rank FROM registration "
        "WHERE group_id IN (SELECT group_id FROM front) AND status = 'waitlisted' "
        "AND programme_item_id = $1 ORDER BY rank",
        item_id,
        max(line.free, 0),
        *columns(kept, 2),
    )


async def add_allotment(connection: Connection, allotment: Allotment, **facts: Any) -> None:
    """Keep seats; `facts`: programme_item_id, releases_at."""
    await connection.execute(
        "INSERT INTO allotment (id, programme_item_id, partner_id, seats, releases_at) "
        "VALUES ($1, $2, $3, 0, $4)",
        allotment.id,
        facts["programme_item_id"],
        allotment.partner_id,
        facts["releases_at"],
    )


async def set_release(connection: Connection, allotment_id: UUID, at: datetime | None) -> None:
    """Say when an allotment's unused seats become free to all."""
    await connection.execute(
        "UPDATE allotment SET releases_at = $2 WHERE id = $1", allotment_id, at
    )


async def allotments_of(connection: Connection, item_id: UUID) -> Sequence[Row]:
    """List an item's allotments with their partners' names."""
    return await connection.fetch(
        "SELECT allotment.id, allotment.partner_id, partner.name, allotment.seats, "
        "allotment.taken, allotment.releases_at, allotment.released_at FROM allotment "
        "LEFT JOIN partner_organization AS partner ON partner.id = allotment.partner_id "
        "WHERE allotment.programme_item_id = $1 ORDER BY partner.name->>'en', allotment.id",
        item_id,
    )


async def set_terms(connection: Connection, item_id: UUID, terms: dict[str, Any]) -> None:
    """Change an item's terms; its counts are written by `save`."""
    await connection.execute(
        "UPDATE programme_item SET requires_approval = $2, opens_at = $3, closes_at = $4, "
        "hold_seconds = $5, offer_seconds = $6 WHERE id = $1",
        item_id,
        *(
            terms[name]
            for name in (
                "requires_approval",
                "opens_at",
                "closes_at",
                "hold_seconds",
                "offer_seconds",
            )
        ),
    )


async def due(connection: Connection, now: datetime, *, limit: int) -> Sequence[Row]:
    """List items with a hold that has expired or an allotment that is to be released."""
    return await connection.fetch(
        "(SELECT programme_item_id FROM registration WHERE hold_until <= $1 LIMIT $2) UNION "
        "(SELECT programme_item_id FROM allotment WHERE released_at IS NULL AND releases_at <= $1 "
        "LIMIT $2)",
        now,
        limit,
    )


async def expired(
    connection: Connection, item_id: UUID, now: datetime, *, limit: int
) -> Sequence[Row]:
    """Read an item's registrations whose place was held for as long as it may be."""
    return await connection.fetch(
        "SELECT id, status, allotment_id FROM registration "
        "WHERE programme_item_id = $1 AND hold_until <= $2 "
        "AND status IN ('offered', 'pending_approval') ORDER BY rank LIMIT $3",
        item_id,
        now,
        limit,
    )


async def release_due(connection: Connection, item_id: UUID, now: datetime) -> set[UUID]:
    """Give the allotments of an item whose time to be released has come."""
    rows = await connection.fetch(
        "SELECT id FROM allotment WHERE programme_item_id = $1 AND released_at IS NULL "
        "AND releases_at <= $2",
        item_id,
        now,
    )
    return {row["id"] for row in rows}
