"""Retention: what is due, counted and removed in bounded batches."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.postgres import Connection

Row = asyncpg.Record

BATCH_SIZE_MAX = 500

# $1 is the mission. One row per thing that the rule still keeps.
_OF_A_MISSION: Mapping[str, tuple[str, str]] = {
    "answers": (
        "SELECT r.id FROM registration AS r JOIN person ON person.id = r.person_id "
        "WHERE person.mission_id = $1 AND r.answers <> '{}'",
        "UPDATE registration SET answers = '{}' WHERE id IN",
    ),
    "files": (
        "SELECT file.id FROM file WHERE file.mission_id = $1",
        "DELETE FROM file WHERE id IN",
    ),
    "scans": (
        "SELECT scan.nonce AS id FROM scan JOIN stop ON stop.id = scan.stop_id "
        "WHERE stop.mission_id = $1",
        "DELETE FROM scan WHERE nonce IN",
    ),
    "contact_details": (
        "SELECT person.id FROM person WHERE mission_id = $1 AND erased_at IS NULL",
        "",
    ),
    "consents": (
        "SELECT consent.id FROM consent JOIN person ON person.id = consent.person_id "
        "WHERE person.mission_id = $1 AND person.erased_at IS NOT NULL",
        "DELETE FROM consent WHERE id IN",
    ),
}


async def ended_missions(connection: Connection) -> Sequence[Row]:
    """List missions with their last day and what they set."""
    return await connection.fetch(
        "SELECT mission.id, mission.ends_on, coalesce(retention, '{}') AS retention FROM mission "
        "LEFT JOIN privacy_setting ON privacy_setting.mission_id = mission.id ORDER BY mission.id"
    )


async def left(connection: Connection, mission_id: UUID, code: str) -> int:
    """Count what a rule still keeps of a mission."""
    rows, _ = _OF_A_MISSION[code]
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM ({rows}) AS kept",  # noqa: S608  # our own words
        mission_id,
    )
    return count


async def due_people(connection: Connection, mission_id: UUID) -> Sequence[UUID]:
    """List people whose details have been kept for as long as they may be; one batch."""
    rows = await connection.fetch(
        f"{_OF_A_MISSION['contact_details'][0]} ORDER BY id LIMIT {BATCH_SIZE_MAX}", mission_id
    )
    return [row["id"] for row in rows]


async def remove(connection: Connection, mission_id: UUID, code: str) -> int:
    """Remove one batch of what a rule does not keep any longer, and count it."""
    rows, removal = _OF_A_MISSION[code]
    done = await connection.execute(
        # Another process may be at the same: it takes the next ones, or none.
        f"{removal} ({rows} LIMIT {BATCH_SIZE_MAX})",
        mission_id,
    )
    return int(done.rpartition(" ")[2])


async def remove_drafts(connection: Connection, mission_id: UUID, before: datetime) -> int:
    """Remove one batch of applications that were begun and never sent, and count them."""
    done = await connection.execute(
        "DELETE FROM application WHERE id IN "  # noqa: S608
        "(SELECT id FROM application WHERE mission_id = $1 "
        f"AND status = 'draft' AND changed_at < $2 LIMIT {BATCH_SIZE_MAX})",
        mission_id,
        before,
    )
    return int(done.rpartition(" ")[2])


async def drafts(connection: Connection, mission_id: UUID) -> int:
    """Count a mission's drafts."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM application WHERE mission_id = $1 AND status = 'draft'", mission_id
    )
    return count


async def end_audit(connection: Connection, before: datetime) -> int:
    """Delete the entries of the audit trail that are older, and count them."""
    count: int = await connection.fetchval("SELECT end_audit_before($1)", before)
    return count


async def note_run(
    connection: Connection, mission_id: UUID, code: str, rows: int, now: datetime
) -> None:
    """Remember that a rule was carried out in a mission."""
    await connection.execute(
        "INSERT INTO retention_run (mission_id, rule, swept_at, rows) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (mission_id, rule) DO UPDATE SET swept_at = excluded.swept_at, "
        "rows = retention_run.rows + excluded.rows",
        mission_id,
        code,
        now,
        rows,
    )


async def runs(connection: Connection, mission_id: UUID) -> dict[str, Row]:
    """Give when each rule was last carried out in a mission."""
    rows = await connection.fetch(
        "SELECT rule, swept_at, rows FROM retention_run WHERE mission_id = $1", mission_id
    )
    return {row["rule"]: row for row in rows}
