"""The audit trail."""

from collections.abc import Sequence

from shared.postgres import Connection, columns


async def add(connection: Connection, entries: Sequence[Sequence[object]]) -> None:
    """Add entries: id, at, actor_id, actor_role, action, subject_id, mission_id, stop_id, details.

    The order given is the order in which they are read again.
    """
    await connection.execute(
        "INSERT INTO audit_entry (id, at, actor_id, actor_role, action, subject_id, mission_id, "
        "stop_id, details) SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], "
        "$4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::uuid[], $9::jsonb[])",
        *columns(entries, 9),
    )
