"""What waits in a service's database: events that were not carried on, and records set aside."""

from datetime import timedelta
from functools import partial

from shared.doctor.examining import Check, in_turn
from shared.doctor.findings import Finding, counted, lasting, ok, warning, wrong
from shared.doctor.postgres import UNREACHABLE, connected
from shared.postgres import Connection

WAIT = timedelta(minutes=1)
COUNT_MAX = 10_000

TROUBLE = "What is said of PostgreSQL comes first."

_NUMBERED = "position IS NULL"
_SENT = "position > (SELECT coalesce(max(position), 0) FROM log_cursor WHERE reader = 'kafka')"


def check(dsn: str, *, publishes: bool, to_kafka: bool, wait: timedelta = WAIT) -> Check:
    """Make the check of what waits; a service that publishes nothing has no events that wait."""
    return Check("events", partial(_looked, dsn, (publishes, to_kafka), wait), TROUBLE)


async def _looked(dsn: str, kind: tuple[bool, bool], wait: timedelta) -> list[Finding]:
    try:
        return await _look(dsn, kind, wait)
    except UNREACHABLE:
        # The check of PostgreSQL says so.
        return []


async def _look(dsn: str, kind: tuple[bool, bool], wait: timedelta) -> list[Finding]:
    publishes, to_kafka = kind
    async with connected(dsn) as connection:
        # Without tables there is nothing to say here: the migrations say so.
        if not await connection.fetchval("SELECT to_regclass('public.outbox') IS NOT NULL"):
            return []
        questions = []
        if publishes:
            about = "events: numbered"
            questions.append((about, _waiting(connection, about, _NUMBERED, wait)))
        if publishes and to_kafka:
            about = "events: sent to Kafka"
            questions.append((about, _waiting(connection, about, _SENT, wait)))
        questions.append(("events: set aside", _parked(connection)))
        return await in_turn(questions, TROUBLE)


async def _waiting(connection: Connection, about: str, condition: str, wait: timedelta) -> Finding:
    row = await connection.fetchrow(
        f"""
        SELECT count(*) AS n, extract(epoch FROM now() - min(occurred_at))::float8 AS seconds
        FROM (SELECT occurred_at FROM outbox WHERE {condition} ORDER BY id LIMIT $1) AS waiting
        """,  # noqa: S608  # the conditions are ours
        COUNT_MAX,
    )
    assert row is not None
    if not row["n"]:
        return ok(about, "none waits")
    seen = f"{counted(row['n'], 'event')} waiting, the oldest for {lasting(row['seconds'])}"
    if row["seconds"] < wait.total_seconds():
        return ok(about, seen)
    return wrong(
        about,
        seen,
        "They are safe, but nobody is told: no mail, no screens. Is the service running, and does "
        "its log (sequencer, publisher) name what it waits for?",
    )


async def _parked(connection: Connection) -> Finding:
    about = "events: set aside"
    rows = await connection.fetch(
        "SELECT consumer, count(*) AS n FROM dead_letter WHERE released_at IS NULL "
        "GROUP BY consumer ORDER BY consumer"
    )
    if not rows:
        return ok(about, "none")
    listed = ", ".join(f"{counted(row['n'], 'record')} of {row['consumer']}" for row in rows)
    return warning(
        about,
        listed,
        "They had no effect here, and later ones of the same keys wait behind them. SELECT "
        "consumer, reason, parked_at FROM dead_letter WHERE released_at IS NULL says why.",
    )
