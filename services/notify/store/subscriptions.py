"""Browsers that show our messages."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.postgres import Connection

DEVICES_MAX = 10


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a browser's messages go, and the keys for them (RFC 8291)."""

    endpoint: str
    public_key: bytes
    """65 bytes: an uncompressed point of P-256."""
    auth: bytes
    """16 bytes."""


async def put(connection: Connection, person_id: UUID, one: Subscription, now: datetime) -> None:
    """Keep a browser as somebody's; of more than `DEVICES_MAX` the oldest goes."""
    await connection.execute(
        "INSERT INTO push_subscription (endpoint, person_id, public_key, auth, created_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (endpoint) DO UPDATE SET "
        "person_id = excluded.person_id, public_key = excluded.public_key, auth = excluded.auth, "
        "created_at = excluded.created_at",
        one.endpoint,
        person_id,
        one.public_key,
        one.auth,
        now,
    )
    await connection.execute(
        "DELETE FROM push_subscription WHERE endpoint IN (SELECT endpoint FROM push_subscription "
        "WHERE person_id = $1 ORDER BY created_at DESC OFFSET $2)",
        person_id,
        DEVICES_MAX,
    )


async def of_person(connection: Connection, person_id: UUID) -> Sequence[Subscription]:
    """Read somebody's browsers."""
    rows = await connection.fetch(
        "SELECT endpoint, public_key, auth FROM push_subscription WHERE person_id = $1 "
        "ORDER BY created_at",
        person_id,
    )
    return [Subscription(**row) for row in rows]


async def forget(connection: Connection, endpoint: str, person_id: UUID | None = None) -> None:
    """Forget a browser, if it is that person's."""
    await connection.execute(
        "DELETE FROM push_subscription WHERE endpoint = $1 "
        "AND ($2::uuid IS NULL OR person_id = $2)",
        endpoint,
        person_id,
    )
