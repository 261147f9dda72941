"""Addresses that no mail reaches."""

from datetime import datetime
from uuid import UUID

from shared.postgres import Connection


async def put(
    connection: Connection, person_id: UUID, address: bytes, reason: str, now: datetime
) -> None:
    """Write to somebody's address no more."""
    await connection.execute(
        "INSERT INTO suppression (person_id, address, reason, since) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (person_id) DO UPDATE SET address = excluded.address, "
        "reason = excluded.reason, since = excluded.since",
        person_id,
        address,
        reason,
        now,
    )


async def why(connection: Connection, person_id: UUID, address: bytes) -> str | None:
    """Say why somebody's address is not written to; None: it is, or it is another one now."""
    reason: str | None = await connection.fetchval(
        "SELECT reason FROM suppression WHERE person_id = $1 AND address = $2", person_id, address
    )
    return reason
