"""Finding: connectors and partners that are there, and the note of what was done to one."""

from datetime import datetime
from uuid import UUID

import asyncpg

from services.registration.store import connectors as store
from shared.access import Principal
from shared.auditing import note
from shared.errors import NotFound
from shared.postgres import Connection

Row = asyncpg.Record


async def existing(connection: Connection, connector_id: UUID, *, lock: bool = False) -> Row:
    """Read a connector that has not ended; raises `NotFound`."""
    connector = await store.one(connection, connector_id, lock=lock)
    if connector is None or connector["ended_at"] is not None:
        raise NotFound("There is no such connector.")
    return connector


async def existing_partner(connection: Connection, partner_id: UUID) -> Row:
    """Read a partner organisation; raises `NotFound`."""
    partner = await store.partner(connection, partner_id)
    if partner is None:
        raise NotFound("There is no such partner.")
    return partner


async def note_done(
    connection: Connection, connector: Row, who: Principal, what: str, now: datetime
) -> None:
    """Note what was done to a connector."""
    await note(
        connection,
        who,
        f"connector.{what}",
        subject_id=connector["id"],
        mission_id=connector["mission_id"],
        stop_id=connector["stop_id"],
        details={"kind": connector["kind"]},
        now=now,
    )
