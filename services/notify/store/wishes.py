"""How missions tell their people, and how people want to be told."""

from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from services.notify.domain.rules import AT_ONCE, Rules, Wishes
from shared.postgres import Connection

MINUTE = timedelta(minutes=1)


async def rules_of(connection: Connection, mission_id: UUID) -> Rules:
    """Read how a mission tells its people; a rehearsal tells everything at once."""
    row = await connection.fetchrow(
        "SELECT channels, fallback, urgent_minutes, digest_at, quiet_from, quiet_until, "
        "asks_for_results FROM message_rules WHERE mission_id = $1",
        mission_id,
    )
    if row is None:
        is_rehearsal = await connection.fetchval(
            "SELECT is_rehearsal FROM mission WHERE id = $1", mission_id
        )
        return AT_ONCE if is_rehearsal else Rules()
    return Rules(
        channels=tuple(row["channels"]),
        fallback=tuple(row["fallback"]),
        urgent=row["urgent_minutes"] * MINUTE,
        digest_at=row["digest_at"],
        quiet_from=row["quiet_from"],
        quiet_until=row["quiet_until"],
        asks_for_results=row["asks_for_results"],
    )


async def revision_of(connection: Connection, mission_id: UUID) -> int:
    """Give the revision of a mission's rules; 0: nobody ever wrote any."""
    return (
        await connection.fetchval(
            "SELECT revision FROM message_rules WHERE mission_id = $1", mission_id
        )
        or 0
    )


async def put_rules(connection: Connection, mission_id: UUID, rules: Rules, seen: int) -> bool:
    """Write how a mission tells its people; False: `seen` is not the present revision.

    Who comes second waits until the first has committed.
    """
    written = await connection.fetchval(
        "INSERT INTO message_rules (mission_id, channels, fallback, urgent_minutes, digest_at, "
        "quiet_from, quiet_until, asks_for_results) SELECT $1, $2, $3, $4, $5, $6, $7, $8 "
        "WHERE $9 = 0 OR EXISTS (SELECT FROM message_rules WHERE mission_id = $1) "
        "ON CONFLICT (mission_id) DO UPDATE SET channels = excluded.channels, "
        "fallback = excluded.fallback, urgent_minutes = excluded.urgent_minutes, "
        "digest_at = excluded.digest_at, quiet_from = excluded.quiet_from, "
        "quiet_until = excluded.quiet_until, asks_for_results = excluded.asks_for_results, "
        "revision = message_rules.revision + 1 WHERE message_rules.revision = $9 "
        "RETURNING true",
        mission_id,
        rules.channels,
        rules.fallback,
        rules.urgent // MINUTE,
        rules.digest_at,
        rules.quiet_from,
        rules.quiet_until,
        rules.asks_for_results,
        seen,
    )
    return written is True


async def of_people(connection: Connection, people: Iterable[UUID]) -> dict[UUID, Wishes]:
    """Read how people want to be told, each of them."""
    rows = await connection.fetch(
        "SELECT person.id, channels, language, phone, announcements, "
        "EXISTS (SELECT FROM push_subscription WHERE push_subscription.person_id = person.id) "
        "AS has_devices "
        "FROM unnest($1::uuid[]) AS person (id) LEFT JOIN wish ON wish.person_id = person.id",
        list(people),
    )
    return {
        row["id"]: Wishes(
            None if row["channels"] is None else tuple(row["channels"]),
            row["language"],
            row["phone"],
            row["has_devices"],
            row["announcements"] is not False,
        )
        for row in rows
    }


async def put(connection: Connection, person_id: UUID, wishes: Wishes) -> None:
    """Write how somebody wants to be told."""
    await connection.execute(
        "INSERT INTO wish (person_id, channels, language, phone, announcements) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (person_id) DO UPDATE "
        "SET channels = excluded.channels, language = excluded.language, phone = excluded.phone, "
        "announcements = excluded.announcements",
        person_id,
        wishes.channels,
        wishes.language,
        wishes.phone,
        wishes.announcements,
    )


async def put_announcements(connection: Connection, person_id: UUID, *, are_wanted: bool) -> None:
    """Write whether somebody wants what is written to many, unless that person was erased."""
    await connection.execute(
        "INSERT INTO wish (person_id, announcements) SELECT $1::uuid, $2::boolean "
        "WHERE NOT EXISTS (SELECT FROM erased_person WHERE person_id = $1) "
        "ON CONFLICT (person_id) DO UPDATE SET announcements = excluded.announcements",
        person_id,
        are_wanted,
    )
