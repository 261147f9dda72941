"""Who works for which partner, as registration's events told."""

from collections.abc import Collection
from uuid import UUID

from shared.events.registration import StaffEngaged
from shared.postgres import Connection


async def put(connection: Connection, event: StaffEngaged, version: int) -> None:
    """Write for which partner somebody works, unless a later version is there or nobody is."""
    if event.role != "partner_staff" or event.partner_id is None:
        await connection.execute(
            "DELETE FROM partner_staff WHERE person_id = $1 AND version < $2",
            event.staff_id,
            version,
        )
        return
    await connection.execute(
        "INSERT INTO partner_staff (person_id, partner_id, version, stop_ids) "
        "SELECT $1, $2, $3, $4 "
        # Who is erased is told by another consumer, which may be ahead.
        "WHERE NOT EXISTS (SELECT FROM erased_person WHERE person_id = $1) "
        "ON CONFLICT (person_id) DO UPDATE SET partner_id = excluded.partner_id, "
        "version = excluded.version, stop_ids = excluded.stop_ids "
        "WHERE partner_staff.version < excluded.version",
        event.staff_id,
        event.partner_id,
        version,
        event.stop_ids,
    )


async def of_partner(
    connection: Connection, partner_id: UUID, stops: Collection[UUID]
) -> set[UUID]:
    """Say who works for a partner at all of some stops."""
    rows = await connection.fetch(
        "SELECT person_id FROM partner_staff WHERE partner_id = $1 "
        "AND (stop_ids IS NULL OR stop_ids @> $2::uuid[]) "
        "AND person_id NOT IN (SELECT person_id FROM erased_person)",
        partner_id,
        list(stops),
    )
    return {row["person_id"] for row in rows}
