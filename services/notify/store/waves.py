"""Waves: where missions end, and who was asked what came of the meetings."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.notify.domain.announcing import NOBODY
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class LastStop:
    """Where and when a mission ends."""

    mission_id: UUID
    held_on: date
    timezone: str


async def last_stops(connection: Connection) -> list[LastStop]:
    """Read each mission's last stop, by all that is known now."""
    rows = await connection.fetch(
        "SELECT DISTINCT ON (mission_id) mission_id, held_on, timezone FROM stop "
        "ORDER BY mission_id, held_on DESC, id"
    )
    return [LastStop(**row) for row in rows]


async def begin(
    connection: Connection, mission_id: UUID, days: int, now: datetime
) -> list[tuple[UUID, UUID]]:
    """Note who is asked now, and give each with the last stop where he or she met somebody.

    Of either side's people whose meeting has begun, and was neither cancelled nor missed, those
    who were not asked at this wave before. In the order of their ids, so that two who ask at once
    wait for each other instead of ending in a deadlock.
    """
    rows = await connection.fetch(
        "INSERT INTO result_wave (mission_id, days, person_id, stop_id, asked_at) "
        "SELECT DISTINCT ON (person_id) $1::uuid, $2::integer, person_id, stop_id, "
        "$3::timestamptz FROM stop JOIN live_meeting ON live_meeting.stop_id = stop.id, "
        # An interpreter comes third.
        "unnest(people[1:2]) AS one (person_id) "
        "WHERE stop.mission_id = $1 AND state NOT IN ('cancelled', 'no_show') "
        "AND starts_at <= $3 AND person_id <> $4 "
        "AND NOT EXISTS (SELECT FROM erased_person AS gone "
        "WHERE gone.person_id = one.person_id) "
        "ORDER BY person_id, starts_at DESC "
        "ON CONFLICT (mission_id, days, person_id) DO NOTHING RETURNING person_id, stop_id",
        mission_id,
        days,
        now,
        NOBODY,
    )
    return [(row["person_id"], row["stop_id"]) for row in rows]


async def forget(connection: Connection, before: datetime) -> None:
    """Delete who was asked before a time."""
    await connection.execute("DELETE FROM result_wave WHERE asked_at < $1", before)
