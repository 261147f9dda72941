"""What the waiting room has to know of a stop."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shared.postgres import Connection


async def times_of(
    connection: Connection, stop_id: UUID
) -> Sequence[tuple[datetime | None, datetime | None]]:
    """List when registration to each of a stop's items opens and closes."""
    rows = await connection.fetch(
        "SELECT opens_at, closes_at FROM programme_item WHERE stop_id = $1", stop_id
    )
    return [(row["opens_at"], row["closes_at"]) for row in rows]


async def stop_of(connection: Connection, item_id: UUID) -> UUID | None:
    """Say which stop an item is part of."""
    found: UUID | None = await connection.fetchval(
        "SELECT stop_id FROM programme_item WHERE id = $1", item_id
    )
    return found
