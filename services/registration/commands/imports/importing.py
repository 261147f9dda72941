"""Importing: a loop that works on partners' lists, a chunk at a time, while nobody is rushed."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg

from services.registration.commands.imports.applying import apply_some
from services.registration.commands.imports.checking import check_some
from services.registration.commands.missions import existing_mission
from services.registration.commands.questions import Forms
from services.registration.commands.registering import Rush
from services.registration.domain.imports.fields import Ground
from services.registration.domain.imports.sectors import Sectors
from services.registration.domain.imports.synonyms import plain
from services.registration.store.imports import lists
from shared.postgres import Connection, Database, commit_lazily

LEASE = timedelta(seconds=30)
IDLE_SECONDS = 1.0
RUSH_SECONDS = 0.2
"""Who registers in person comes first: a list waits that long between its chunks then."""


@dataclass(frozen=True, slots=True)
class Importer:
    """Works on lists. Any number may run: a list is claimed, and its rows are locked.

    `countries`: codes by name, in both languages.
    """

    database: Database
    rush: Rush
    forms: Forms
    countries: Mapping[str, str]

    async def run(self) -> None:
        """Work on lists for ever."""
        while True:
            if not await self.work(datetime.now(UTC)):
                await asyncio.sleep(IDLE_SECONDS)
            elif self.rush.is_rushed():
                await asyncio.sleep(RUSH_SECONDS)

    async def work(self, now: datetime) -> bool:
        """Check or apply the next rows of a list; False when there is none that nobody works on."""
        async with self.database.transaction() as connection:
            await commit_lazily(connection)
            found = await lists.claim(connection, now, now + LEASE)
            if found is None:
                return False
            ground = await ground_of(connection, found, self.countries)
        if found["state"] == "checking":
            await check_some(self.database, self.forms, found, ground, now)
        else:
            await apply_some(self.database, self.forms, found, now)
        return True


def countries_of(names: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Give the codes of countries by their plain names; `names`: by language, by code."""
    found = {plain(code): code for codes in names.values() for code in codes}
    for codes in names.values():
        found |= {plain(name): code for code, name in codes.items()}
    return found | _ALSO


_ALSO = {
    plain(name): code
    for code, names in {
        "CN": "中国|中华人民共和国|China|PRC|P.R. China|P. R. China|People's Republic of China",
        "US": "美国|USA|U.S.A.|U.S.|America|United States of America",
        "GB": "英国|UK|U.K.|Great Britain|England",
        "HK": "香港|中国香港|Hong Kong",
        "MO": "澳门|中国澳门|Macau",
        "TW": "台湾|中国台湾|Taiwan",
        "KR": "韩国|South Korea|Korea",
    }.items()
    for name in names.split("|")
}


async def ground_of(
    connection: Connection, found: asyncpg.Record, countries: Mapping[str, str]
) -> Ground:
    """Read what the rows of a list are read against."""
    mission = await existing_mission(connection, found["mission_id"])
    is_local = found["side"] == "local"
    return Ground(
        side=found["side"],
        home_country=mission["host_country"] if is_local else mission["home_country"],
        sectors=Sectors(mission["sectors"], found["meant"].get("sectors", {})),
        countries=countries,
    )
