"""Waves: where missions end, until when nobody is due, and who was asked what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from services.notify.domain.announcing import NOBODY
from shared.postgres import Connection


@dataclass(frozen=True, slots=True)
class LastStop:
    """Where and when a mission ends, and which wave may be due after it, by its days."""

    mission_id: UUID
    days: int
    held_on: date
    timezone: str


async def open_waves(
    connection: Connection, now: datetime, last_days: Mapping[int, tuple[date, date]]
) -> list[LastStop]:
    """Read the stops of each mission's last day after which somebody may be due now.

    `last_days` says for each wave between which days a mission must have ended. Left out are
    missions that ask nobody, and waves that somebody looked at and need not be yet again.
    """
    rows = await connection.fetch(
        "SELECT stop.mission_id, wave.days, stop.held_on, stop.timezone FROM stop "
        "JOIN unnest($1::integer[], $2::date[], $3::date[]) AS wave (days, first, last) "
        "ON stop.held_on BETWEEN wave.first AND wave.last "
        "LEFT JOIN message_rules AS rules ON rules.mission_id = stop.mission_id "
        "LEFT JOIN wave_look AS look ON look.mission_id = stop.mission_id "
        "AND look.days = wave.days AND look.held_on = stop.held_on "
        "WHERE rules.asks_for_results IS NOT FALSE "
        "AND (look.next_at IS NULL OR look.next_at <= $4) "
        "AND NOT EXISTS (SELECT FROM stop AS later "
        "WHERE later.mission_id = stop.mission_id AND later.held_on > stop.held_on)",
        list(last_days),
        [first for first, _ in last_days.values()],
        [last for _, last in last_days.values()],
        now,
    )
    return [LastStop(**row) for row in rows]


async def look(connection: Connection, last: LastStop, now: datetime, next_at: datetime) -> bool:
    """Note that a wave is looked at now, and when again; False: somebody else just did.

    Again at `next_at`, or when the mission's next meeting begins before that. Who comes second
    waits until the first has committed.
    """
    return (
        await connection.fetchval(
            "INSERT INTO wave_look (mission_id, days, held_on, next_at) "
            "SELECT $1, $2, $3, least($5, (SELECT min(starts_at) FROM stop "
            "JOIN live_meeting ON live_meeting.stop_id = stop.id "
            "WHERE stop.mission_id = $1 AND starts_at > $4)) "
            "ON CONFLICT (mission_id, days) DO UPDATE "
            "SET held_on = excluded.held_on, next_at = excluded.next_at "
            "WHERE wave_look.next_at <= $4 OR wave_look.held_on <> excluded.held_on "
            "RETURNING true",
            last.mission_id,
            last.days,
            last.held_on,
            now,
            next_at,
        )
        is True
    )


async def look_anew(connection: Connection, mission_id: UUID) -> None:
    """Have a mission's waves looked at whenever they are due, whoever looked before."""
    await connection.execute("DELETE FROM wave_look WHERE mission_id = $1", mission_id)


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
    """Delete who was asked, and what was looked at, before a time."""
    await connection.execute("DELETE FROM result_wave WHERE asked_at < $1", before)
    await connection.execute("DELETE FROM wave_look WHERE next_at < $1", before)
