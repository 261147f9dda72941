"""Migrations: whether a database is of this version of a service."""

from pathlib import Path

from shared.doctor.findings import Finding, ok, wrong
from shared.postgres import SHARED_MIGRATIONS, Connection, is_of, migrations

NAMES_MAX = 3


async def applied(connection: Connection, service: str, folder: Path) -> Finding:
    """Say whether a database has those of this version of the service, and no others."""
    about = "PostgreSQL: migrations"
    own = {(room, name): statements for room, name, statements in migrations([folder])}
    there: dict[tuple[str, str], str] = {}
    if await connection.fetchval("SELECT to_regclass('public.migration') IS NOT NULL"):
        rows = await connection.fetch("SELECT room, name, digest FROM migration")
        there = {(row["room"], row["name"]): row["digest"] for row in rows}
    rooms = {service, SHARED_MIGRATIONS.parent.name}
    if strangers := {room for room, _ in there} - rooms:
        return wrong(
            about,
            f"also those of {', '.join(sorted(strangers))}",
            "Two services in one database take one another's events: give each its own.",
        )
    for seen, found, advice in (
        (
            "newer ones are there",
            there.keys() - own.keys(),
            "A newer version of the service was here: install that one, or restore the backup.",
        ),
        (
            "missing",
            own.keys() - there.keys(),
            "The service applies them when it starts. Start it, and see its log if it runs "
            "already: perhaps it is an older version.",
        ),
        (
            "changed since",
            {name for name in own.keys() & there.keys() if not is_of(there[name], own[name])},
            "The service does not start: install its files unchanged.",
        ),
    ):
        if found:
            return wrong(about, f"{seen}: {_listed(found)}", advice)
    return ok(about, f"all {len(own)} applied")


def _listed(names: set[tuple[str, str]]) -> str:
    shown = [f"{room}/{name}" for room, name in sorted(names)[:NAMES_MAX]]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
