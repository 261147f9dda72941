"""Partners' lists as jobs: who takes one up, how far it is, and what its columns mean."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.registration.domain.imports.mapping import FieldMap
from shared.postgres import Connection

Row = asyncpg.Record

COLUMNS = (
    "id",
    "mission_id",
    "stop_id",
    "programme_item_id",
    "partner_id",
    "side",
    "name",
    "kind",
    "about",
    "headers",
    "placed",
    "fixed",
    "meant",
    "principal",
    "state",
    "applies",
    "total",
    "started_at",
)
_LIST = (
    "list.id, list.mission_id, list.stop_id, list.programme_item_id, list.partner_id, list.side, "
    "list.name, list.kind, list.about, list.headers, list.placed, list.fixed, list.meant, "
    "list.principal, list.state, list.applies, list.total, list.checked_to, list.started_at, "
    "list.checked_at, list.finished_at, list.emptied_at"
)


async def add(connection: Connection, facts: Mapping[str, Any]) -> None:
    """Add a list, before its rows."""
    await connection.execute(
        "INSERT INTO import_list (id, mission_id, stop_id, programme_item_id, partner_id, side, "
        "name, kind, about, headers, placed, fixed, meant, principal, state, applies, total, "
        "started_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
        *(facts[name] for name in COLUMNS),
    )


async def set_total(connection: Connection, import_id: UUID, total: int) -> None:
    """Write how many rows a list has, once they are there."""
    await connection.execute("UPDATE import_list SET total = $2 WHERE id = $1", import_id, total)


async def one(connection: Connection, import_id: UUID, *, lock: bool = False) -> Row | None:
    """Read a list."""
    return await connection.fetchrow(
        f"SELECT {_LIST} FROM import_list AS list WHERE id = $1{' FOR UPDATE' if lock else ''}",  # noqa: S608
        import_id,
    )


async def of_partner(connection: Connection, partner_id: UUID, limit: int) -> Sequence[Row]:
    """List a partner's lists, the latest first."""
    return await connection.fetch(
        f"SELECT {_LIST}, item.title, stop.timezone FROM import_list AS list "  # noqa: S608
        "JOIN programme_item AS item ON item.id = list.programme_item_id "
        "JOIN stop ON stop.id = list.stop_id "
        "WHERE list.partner_id = $1 ORDER BY list.started_at DESC, list.id DESC LIMIT $2",
        partner_id,
        limit,
    )


async def claim(connection: Connection, now: datetime, until: datetime) -> Row | None:
    """Take the oldest list that is to be worked on and that nobody works on."""
    return await connection.fetchrow(
        "UPDATE import_list AS list SET claimed_until = $2 WHERE id = (SELECT id FROM import_list "  # noqa: S608
        "WHERE state IN ('checking', 'applying') AND (claimed_until IS NULL OR claimed_until < $1) "
        f"ORDER BY started_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING {_LIST}",
        now,
        until,
    )


async def release(connection: Connection, import_id: UUID, checked_to: int | None = None) -> None:
    """Let others go on with a list; `checked_to` is the last row that was checked."""
    await connection.execute(
        "UPDATE import_list SET claimed_until = NULL, checked_to = coalesce($2, checked_to) "
        "WHERE id = $1",
        import_id,
        checked_to,
    )


async def set_state(connection: Connection, import_id: UUID, state: str, now: datetime) -> None:
    """Write the state of a list, and when it was reached."""
    await connection.execute(
        "UPDATE import_list SET state = $2, claimed_until = NULL, "
        "checked_at = CASE WHEN $2 = 'checked' THEN $3 ELSE checked_at END, "
        "finished_at = CASE WHEN $2 IN ('finished', 'cancelled') THEN $3 ELSE finished_at END "
        "WHERE id = $1",
        import_id,
        state,
        now,
    )


async def set_meaning(
    connection: Connection, import_id: UUID, placed: Sequence[str], meaning: FieldMap
) -> None:
    """Write what a list's columns and values mean; all of its rows are then to be checked."""
    await connection.execute(
        "UPDATE import_list SET placed = $2, fixed = $3, meant = $4, state = 'checking', "
        "checked_to = 0, claimed_until = NULL WHERE id = $1",
        import_id,
        list(placed),
        dict(meaning.fixed),
        {name: dict(values) for name, values in meaning.values.items()},
    )


async def set_principal(
    connection: Connection, import_id: UUID, principal: Mapping[str, Any]
) -> None:
    """Write for whom a list is applied."""
    await connection.execute(
        "UPDATE import_list SET principal = $2 WHERE id = $1", import_id, dict(principal)
    )


async def applied_since(connection: Connection, row: Row) -> bool:
    """Say whether another list for the same was applied since this was checked, or is just now."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM import_list WHERE partner_id = $1 AND programme_item_id = $2 "
        "AND id <> $3 AND (state = 'applying' OR (state = 'finished' AND finished_at > $4)))",
        row["partner_id"],
        row["programme_item_id"],
        row["id"],
        row["checked_at"],
    )
    return found


async def map_of(connection: Connection, partner_id: UUID) -> FieldMap:
    """Read what a partner's columns and values mean, as far as it is known."""
    content = await connection.fetchval(
        "SELECT content FROM import_map WHERE partner_id = $1", partner_id
    )
    return FieldMap.of(content) if content else FieldMap()


async def keep_map(
    connection: Connection, partner_id: UUID, meaning: FieldMap, now: datetime
) -> None:
    """Write what a partner's columns and values mean."""
    await connection.execute(
        "INSERT INTO import_map (partner_id, content, updated_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (partner_id) DO UPDATE SET content = excluded.content, "
        "updated_at = excluded.updated_at",
        partner_id,
        meaning.content(),
        now,
    )


async def empty_old(connection: Connection, before: datetime, limit: int) -> int:
    """Forget what the rows of old lists said, of at most `limit` lists, and count these."""
    rows = await connection.fetch(
        "UPDATE import_list SET emptied_at = now(), "
        "state = CASE WHEN state = 'finished' THEN state ELSE 'cancelled' END "
        "WHERE id IN (SELECT id FROM import_list WHERE emptied_at IS NULL AND started_at < $1 "
        "ORDER BY started_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING id",
        before,
        limit,
    )
    await connection.execute(
        "UPDATE import_row SET cells = '{}', marks = '{}', fields = NULL, ref = NULL, "
        "address = NULL, findings = '[]', differences = '{}', ours = '{}' "
        "WHERE import_id = ANY($1)",
        [row["id"] for row in rows],
    )
    return len(rows)
