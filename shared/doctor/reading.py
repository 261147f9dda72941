"""Reading: whether a service's consumers are up to date, whichever log there is."""

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from shared.doctor.examining import Check, in_turn
from shared.doctor.findings import Finding, address, counted, lasting, ok, warning, wrong
from shared.doctor.postgres import UNREACHABLE, connected, refused

Reads = Mapping[str, Collection[str]]
"""The topics that each consumer of a service reads."""

AGE_SECONDS_MAX = 60
VARIABLE = "TRADEWIND_LOG_DATABASES"
TROUBLE = f"Look at {VARIABLE}, and whether its users may read the tables outbox there."


@dataclass(frozen=True, slots=True)
class Behind:
    """How much a consumer has not read, and when the oldest of it was written (since 1970)."""

    records: int
    since: float | None


def judged(consumer: str, behind: Behind, *, is_read: bool = True) -> Finding:
    """Judge how far a consumer is; `is_read`: somebody reads in its name just now."""
    about = f"events: read by {consumer}"
    age = max(0.0, time.time() - behind.since) if behind.since else 0.0
    seen = f"{counted(behind.records, 'record')} behind" if behind.records else "up to date"
    seen += f", the oldest {lasting(age)} old" if behind.records else ""
    if not is_read:
        return wrong(
            about,
            f"{seen}; nobody reads",
            "What happens elsewhere has no effect here: start this service, and see its log if it "
            "runs already.",
        )
    if age > AGE_SECONDS_MAX:
        return warning(
            about,
            seen,
            "People are told that much too late. See this service's log: it names what it waits "
            "for, or it has too little of a processor.",
        )
    return ok(about, seen)


def check(own: str, databases: Mapping[str, str], reads: Reads) -> Check:
    """Make the check of the Postgres log: each publisher's outbox, and who reads it."""
    return Check("events", partial(_look, own, databases, reads), TROUBLE)


async def _look(own: str, databases: Mapping[str, str], reads: Reads) -> list[Finding]:
    topics = sorted({topic for topics in reads.values() for topic in topics})
    found = await in_turn(
        [(f"log of {topic}", _source(topic, databases.get(topic))) for topic in topics], TROUBLE
    )
    try:
        async with connected(own):
            pass
    except UNREACHABLE:
        # The check of PostgreSQL says so.
        return found
    if any(finding.level == "wrong" for finding in found):
        return found
    behind = [
        (f"events: read by {name}", _read(own, databases, name, read))
        for name, read in reads.items()
    ]
    return [*found, *await in_turn(behind, TROUBLE)]


async def _source(topic: str, dsn: str | None) -> Finding:
    about = f"log of {topic}"
    if not dsn:
        return wrong(
            about,
            "no address",
            f"This service reads it and does not start: name {topic} and its database in "
            f"{VARIABLE}.",
        )
    try:
        async with connected(dsn) as connection:
            may_read = await connection.fetchval(
                "SELECT has_table_privilege(to_regclass('public.outbox'), 'SELECT')"
            )
    except UNREACHABLE as error:
        return refused(about, address(dsn), error, VARIABLE)
    if may_read:
        return ok(about, f"readable at {address(dsn)}")
    seen = "its table outbox may not be read" if may_read is False else "has no table outbox yet"
    return wrong(
        about,
        f"{address(dsn)}: {seen}",
        f"No event of {topic} arrives here. Start {topic} first, which makes the table, and GRANT "
        "SELECT ON outbox to the user in that address.",
    )


async def _read(
    own: str, databases: Mapping[str, str], name: str, topics: Collection[str]
) -> Finding:
    async with connected(own) as connection:
        rows = await connection.fetch(
            "SELECT topic, position FROM log_cursor WHERE reader = $1", name
        )
    positions = {row["topic"]: row["position"] for row in rows}
    found = []
    for topic in topics:
        async with connected(databases[topic]) as connection:
            row = await connection.fetchrow(
                "SELECT count(*) AS n, extract(epoch FROM min(occurred_at))::float8 AS since "
                "FROM outbox WHERE position > $1",
                positions.get(topic, 0),
            )
        assert row is not None
        found.append(Behind(row["n"], row["since"]))
    since = min((one.since for one in found if one.since), default=None)
    return judged(name, Behind(sum(one.records for one in found), since))
