"""Naming: search texts of whoever came without one, from before there were any or in a rush."""

import asyncio
from collections.abc import Callable, Sequence

import asyncpg

from services.registration.domain.companies import core
from services.registration.domain.names import company_text, joined, search_text
from services.registration.store import search
from shared.postgres import Connection, Database

BATCH = 100
LOOK_SECONDS = 2.0
# Between full batches: registering comes first.
PAUSE_SECONDS = 0.05
NOTHING = "-"
"""The search text of a name without any letter: nobody finds it, and it is not looked at again."""


async def keep_naming(database: Database, was_rushed: Callable[[], bool]) -> None:
    """Write missing search texts for ever, but not in a rush, nor between two batches of one."""
    while True:
        named = 0 if was_rushed() else await name_some(database)
        await asyncio.sleep(PAUSE_SECONDS if named >= BATCH else LOOK_SECONDS)


async def name_some(database: Database) -> int:
    """Write at most a batch of missing search texts of each kind, and say how many."""
    async with database.transaction() as connection:
        companies = await search.companies_without(connection, BATCH)
        await rename_companies(connection, companies)
        people = await search.people_without(connection, BATCH)
        await rename(connection, people)
    return max(len(companies), len(people))


async def rename(connection: Connection, people: Sequence[asyncpg.Record]) -> None:
    """Write the search texts of people, by their names and their companies'."""
    if people:
        texts = [
            (
                row["id"],
                joined(
                    search_text(
                        row["full_name"],
                        row["native_name"],
                        row["latin_name"],
                        row["organization"],
                        row["native_organization"],
                    ),
                    *_aliases(row),
                )
                or NOTHING,
            )
            for row in people
        ]
        await search.put_people(connection, texts)


async def rename_companies(connection: Connection, companies: Sequence[asyncpg.Record]) -> None:
    """Write the search texts of companies, and what sets each apart."""
    if companies:
        texts = [
            (
                row["id"],
                joined(company_text(row["name"], row["native_name"]), *_aliases(row)) or NOTHING,
                core(row["name"], row["native_name"]),
            )
            for row in companies
        ]
        await search.put_companies(connection, texts)


def _aliases(row: asyncpg.Record) -> list[str]:
    """Give the search texts of what a company was called before it was merged into this one."""
    return [company_text(name) for name in row["aliases"] if name]
