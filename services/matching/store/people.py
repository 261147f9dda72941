"""People: all that is held about one of them, what is withheld, and forgetting them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.erased import rows_about
from shared.postgres import Connection

ABOUT: Sequence[tuple[str, str]] = (
    ("participant", "t.id = $1"),
    ("participation", "t.participant_id = $1"),
    ("interpreter", "t.id = $1"),
    ("preference", "t.participant_id = $1"),
    ("company_preference", "t.participant_id = $1"),
    ("personal_quota", "t.participant_id = $1"),
    ("meeting_request", "$1 IN (t.participant_id, t.counterpart_id)"),
    ("meeting", "$1 IN (t.delegate_id, t.local_id, t.interpreter_id)"),
    ("booking", "t.resource_id = $1"),
    ("absence", "t.resource_id = $1"),
    ("availability", "t.resource_id = $1"),
    ("schedule_edit", "$1 IN (t.delegate_id, t.local_id)"),
    ("meeting_report", "t.person_id = $1"),
    ("outcome", "$1 IN (t.delegate_id, t.local_id)"),
    (
        "outcome_statement",
        "t.stated_by = $1 OR t.outcome_id IN "
        "(SELECT id FROM outcome WHERE $1 IN (delegate_id, local_id))",
    ),
    ("withheld", "t.person_id = $1"),
    ("erased_person", "t.person_id = $1"),
)
"""Which rows are about a person, $1. What others want of him or her is theirs.

Exclusions and vetoes are not among them: who is kept apart is told to neither side. Nor are
repairs, which say why others do not meet.
"""

_FORGET = (
    "DELETE FROM preference WHERE $1 IN (participant_id, counterpart_id)",
    # Whoever wrote it: it may name the person.
    "UPDATE meeting_request SET message = NULL, reply = NULL, "
    "status = CASE WHEN status = 'pending' THEN 'cancelled' ELSE status END, "
    "answered_at = CASE WHEN status = 'pending' THEN $2 ELSE answered_at END "
    "WHERE $1 IN (participant_id, counterpart_id)",
    "DELETE FROM company_preference WHERE participant_id = $1",
    "DELETE FROM personal_quota WHERE participant_id = $1",
    "DELETE FROM exclusion WHERE $1 IN (one_id, other_id)",
    "DELETE FROM veto WHERE $1 IN (one_id, other_id)",
    "DELETE FROM absence WHERE resource_id = $1",
    "DELETE FROM availability WHERE resource_id = $1",
    "DELETE FROM precedence WHERE $1 IN "
    "(first_delegate_id, first_local_id, second_delegate_id, second_local_id)",
    "DELETE FROM repair WHERE $1 = ANY(people)",
    # Whoever wrote it: it may name the person.
    "UPDATE meeting_report SET note = NULL WHERE note IS NOT NULL AND meeting_id IN "
    "(SELECT id FROM meeting WHERE $1 IN (delegate_id, local_id))",
    "UPDATE outcome_statement SET note = NULL, evidence = '[]' WHERE stated_by = $1 "
    "OR outcome_id IN (SELECT id FROM outcome WHERE $1 IN (delegate_id, local_id))",
)

# The version keeps what was told before, and comes again, from undoing this.
_FORGET_VERSIONED = (
    "UPDATE participant SET listings = '[]', languages = '{}', version = greatest(version, $2) "
    "WHERE id = $1",
    "UPDATE participation SET is_confirmed = false, version = greatest(version, $2) "
    "WHERE participant_id = $1",
    "UPDATE interpreter SET languages = '{}', stop_ids = '{}', version = greatest(version, $2) "
    "WHERE id = $1",
)


async def everything(connection: Connection, person_id: UUID) -> dict[str, list[Any]]:
    """Read every row about somebody, by table."""
    return await rows_about(connection, person_id, ABOUT)


async def forget(connection: Connection, person_id: UUID, version: int, now: datetime) -> None:
    """Delete what somebody wrote, wished and spoke; who met whom stays, by id."""
    await connection.execute(_FORGET[0], person_id)
    await connection.execute(_FORGET[1], person_id, now)
    for statement in _FORGET[2:]:
        await connection.execute(statement, person_id)
    for statement in _FORGET_VERSIONED:
        await connection.execute(statement, person_id, version)


async def withhold(
    connection: Connection, person_id: UUID, *, is_withheld: bool, version: int
) -> None:
    """Write whether somebody is to be shown to the other side, unless a later word is there."""
    await connection.execute(
        "INSERT INTO withheld (person_id, is_withheld, version) VALUES ($1, $2, $3) "
        "ON CONFLICT (person_id) DO UPDATE SET is_withheld = excluded.is_withheld, "
        "version = excluded.version WHERE withheld.version < excluded.version",
        person_id,
        is_withheld,
        version,
    )
    # Whoever keeps what was read of a stop sees by it that something changed.
    await connection.execute(
        "UPDATE participant SET version = $2 WHERE id = $1 AND version < $2", person_id, version
    )


async def stops_of(connection: Connection, person_id: UUID) -> list[UUID]:
    """List the stops where somebody has meetings that have not begun."""
    rows = await connection.fetch(
        "SELECT DISTINCT stop_id FROM meeting WHERE $1 IN (delegate_id, local_id) "
        "AND state IN ('scheduled', 'called') ORDER BY stop_id",
        person_id,
    )
    return [row["stop_id"] for row in rows]


async def forget_messages(connection: Connection, before: datetime, limit: int) -> int:
    """Delete one batch of what was written with requests made before a time, and count it."""
    done = await connection.execute(
        "UPDATE meeting_request SET message = NULL, reply = NULL WHERE id IN "
        "(SELECT id FROM meeting_request WHERE num_nonnulls(message, reply) > 0 "
        "AND requested_at < $1 LIMIT $2)",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])
